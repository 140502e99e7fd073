//! The admin address: whether Scrim is well, and its figures, over HTTP.
//!
//! `/healthz` answers while the process lives, `/readyz` says whether clients should come here and if not why, and
//! `/metrics` is for Prometheus. There is no login for these: the address is for the operator's own network. Nothing here
//! knows a statement, a value or a client. What else is served here (the console, behind a login) comes as a router.

mod health;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::metrics::CONTENT_TYPE;
pub use health::{Check, Health};

/// Connections at a time: a few scrapers and probes.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to send a request, or say nothing between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept that failed for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What there is to tell.
pub trait Board: Send + Sync {
    /// Should clients come here?
    fn health(&self) -> Health;
    /// All figures, in the format that Prometheus reads.
    fn figures(&self) -> String;
}

/// What is served beside, given the address of a client.
pub type Beside = Arc<dyn Fn(SocketAddr) -> Router + Send + Sync>;

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, board: Arc<dyn Board>, beside: Option<Beside>) {
    let router = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .with_state(board);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (socket, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection to the admin address could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = match &beside {
            Some(beside) => router.clone().merge(beside(client)),
            None => router.clone(),
        };
        let service = TowerToHyperService::new(router);
        tokio::spawn(async move {
            let _place = place;
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            if let Err(error) = server.serve_connection(TokioIo::new(socket), service).await {
                tracing::debug!(%error, "a connection to the admin address broke");
            }
        });
    }
}

async fn alive() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n")
}

async fn ready(State(board): State<Arc<dyn Board>>) -> impl IntoResponse {
    let health = board.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, health.json())
}

async fn figures(State(board): State<Arc<dyn Board>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], board.figures())
}
