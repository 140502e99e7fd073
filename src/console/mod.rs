//! The console: pages for people, on the admin address, behind a login. Rendered here, with one small script for what
//! follows live; there is nothing else to load.
//!
//! ```text
//! request → asked (our name? from our page?) → visitors (who?) → a page ← sheet, explain, report, roll, trail
//! ```
//!
//! It is a web application beside the numbers that Scrim guards, so:
//! - it is off unless `console:` names roles, and served in the clear on loopback addresses alone;
//! - no page holds a value of the database, but the playground, which asks through a session of Scrim as a role of the
//!   person who looks;
//! - statements are shown as the audit has them, without literals;
//! - what changes something is a POST from our own page with the token of the person's cookie, and is audited before it is done;
//! - requests are bounded in bytes and time, and so is how many are worked on at once.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod asked;
mod database;
mod frame;
mod granting;
mod grants;
mod keeping;
mod matrix;
mod playground;
mod privacy;
mod reply;
mod row;
mod rules;
mod sessions;
mod sheet;
mod signing;
mod statements;
mod trying;
mod visitors;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use axum::routing::any;
use maud::html;
use tokio::sync::{Semaphore, watch};

use crate::audit::{Audit, ConsoleFacts, Record};
use crate::catalog::Snapshot;
use crate::config::ConsoleOptions;
use crate::explain::WhoSees;
use crate::grants::How;
use crate::ledger;
use crate::rules::{RelationName, RuleSet};
use crate::session::{Lease, Proxy, Stage};
use crate::upstream::Endpoint;
use asked::{Fields, Place, cookie};
use frame::{Look, Theme};
use reply::{Cookie, Reply};
use rules::Judged;
use sheet::Sheet;
use signing::{settings, sign_in_page};
use visitors::{Signed, Visitors, random_token};
use words::{Language, Word};

/// Bytes of a form.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Passwords that are looked at at once: each takes a while of a processor.
const LOGINS_MAX: usize = 4;
/// Reports that are made at once: each reads the whole trail.
const REPORTS_MAX: usize = 1;
/// Requests for grants at once: each asks the database.
const ASKING_MAX: usize = 2;
/// Statements that are tried at once.
const TRIALS_MAX: usize = 4;

/// Cookies.
const SESSION: &str = "scrim_console";
const FORM: &str = "scrim_console_form";
const LANGUAGE: &str = "scrim_console_language";
const THEME: &str = "scrim_console_theme";

/// What a console is made of.
pub struct ConsoleParts {
    /// Who may do what.
    pub options: ConsoleOptions,
    /// Whose sessions and rules it shows.
    pub proxy: Arc<Proxy>,
    /// An interest in the catalog that it shows.
    pub lease: Lease,
    /// The name of that database.
    pub database: String,
    /// Where acts are recorded, and what was recorded last.
    pub audit: Audit,
    /// Its file.
    pub audit_file: PathBuf,
    /// Why rules that were to come into force did not.
    pub refused: Arc<Mutex<Option<String>>>,
    /// How far the proxy's own end is.
    pub stage: watch::Receiver<Stage>,
    /// Masks may be made as the rows pass.
    pub masks_on_the_wire: bool,
    /// Where grants are kept; `None`: nowhere.
    pub grants: Option<ledger::Place>,
    /// Where the keys of rows are asked for.
    pub endpoint: Endpoint,
}

/// The console.
pub struct Console {
    options: ConsoleOptions,
    proxy: Arc<Proxy>,
    lease: Lease,
    database: String,
    audit: Audit,
    audit_file: PathBuf,
    refused: Arc<Mutex<Option<String>>>,
    stage: watch::Receiver<Stage>,
    masks_on_the_wire: bool,
    grants: Option<ledger::Place>,
    endpoint: Endpoint,
    visitors: Visitors,
    sheet: Mutex<Option<Arc<Sheet>>>,
    judged: Mutex<Option<Arc<Judged>>>,
    logins: Semaphore,
    reports: Arc<Semaphore>,
    trials: Semaphore,
    asking: Semaphore,
}

/// A request of which is known where it comes from and what it says.
struct Call<'a> {
    path: &'a str,
    query: Fields,
    /// Of a POST.
    form: Option<Fields>,
    client: SocketAddr,
    place: Place,
    /// The session's cookie.
    token: Option<&'a str>,
    look: Look,
}

impl Console {
    /// `None`: the system gives no random numbers.
    pub fn new(parts: ConsoleParts) -> Option<Arc<Console>> {
        let ConsoleParts {
            options,
            proxy,
            lease,
            database,
            audit,
            audit_file,
            refused,
            stage,
            masks_on_the_wire,
            grants,
            endpoint,
        } = parts;
        Some(Arc::new(Console {
            options,
            proxy,
            lease,
            database,
            audit,
            audit_file,
            refused,
            stage,
            masks_on_the_wire,
            grants,
            endpoint,
            visitors: Visitors::new()?,
            sheet: Mutex::default(),
            judged: Mutex::default(),
            logins: Semaphore::new(LOGINS_MAX),
            reports: Arc::new(Semaphore::new(REPORTS_MAX)),
            trials: Semaphore::new(TRIALS_MAX),
            asking: Semaphore::new(ASKING_MAX),
        }))
    }

    /// Its addresses, for one client of the admin address.
    pub fn router(self: Arc<Console>, client: SocketAddr) -> Router {
        let serve = move |request: Request<Body>| async move { self.answer(client, request).await };
        Router::new()
            .route("/", any(serve.clone()))
            .route("/console", any(serve.clone()))
            .route("/console/{*rest}", any(serve))
    }

    /// The answer to a request.
    pub async fn answer(&self, client: SocketAddr, request: Request<Body>) -> Response<Body> {
        let is_head = request.method() == Method::HEAD;
        let answering = tokio::time::timeout(ANSWER_TIMEOUT, self.reply(client, request));
        let reply = match answering.await {
            Ok(reply) => reply,
            Err(_) => Reply::plain(StatusCode::SERVICE_UNAVAILABLE, Word::TookTooLong),
        };
        reply.into_response(is_head)
    }

    async fn reply(&self, client: SocketAddr, request: Request<Body>) -> Reply {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let Some(place) = asked::place(headers, &parts.uri, &self.options.origins) else {
            return Reply::plain(StatusCode::MISDIRECTED_REQUEST, Word::BadRequest);
        };
        let is_post = match parts.method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return Reply::plain(StatusCode::METHOD_NOT_ALLOWED, Word::BadRequest),
        };
        let path = parts.uri.path();
        if !is_post && let Some(asset) = Reply::asset(path) {
            return asset;
        }
        let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
        let Some(query) = query else {
            return Reply::plain(StatusCode::BAD_REQUEST, Word::BadRequest);
        };
        let session = Cookie::name(SESSION, place.is_secure);
        let token = cookie(headers, &session);
        let rules = self.proxy.rules();
        // What a page does by itself keeps nobody signed in.
        let is_active = !headers.contains_key("x-scrim-follow");
        let signed = token.and_then(|token| {
            self.visitors.find(token, &self.options, &rules, Instant::now(), is_active)
        });
        let token = token.filter(|_| signed.is_some());
        let form_name = Cookie::name(FORM, place.is_secure);
        let known = token.or_else(|| cookie(headers, &form_name));
        let (holder, fresh) = match known.filter(|text| !text.is_empty()) {
            Some(known) => (known.to_owned(), None),
            None => match random_token() {
                Some(made) => (made.clone(), Some(Cookie::session(form_name, made))),
                None => return Reply::plain(StatusCode::SERVICE_UNAVAILABLE, Word::Busy),
            },
        };
        let form = match is_post {
            false => None,
            true => match self.form(headers, &place, &holder, body).await {
                Ok(form) => Some(form),
                Err(reply) => return reply,
            },
        };
        let here = parts.uri.path_and_query().map_or("/console", |here| here.as_str());
        let look = Look {
            language: cookie(headers, LANGUAGE)
                .and_then(Language::of_tag)
                .unwrap_or_else(|| wished(headers)),
            theme: cookie(headers, THEME).and_then(Theme::of_word).unwrap_or(Theme::Auto),
            token: self.visitors.form_token(&holder),
            here: match (is_post, parts.uri.path()) {
                (false, _) => here,
                (true, row::PATH) => row::PATH,
                (true, _) => "/console",
            }
            .to_owned(),
            signed,
            rules: rules.version.clone(),
        };
        let is_secure = place.is_secure;
        let call = Call { path, query, form, client, place, token, look };
        let reply = match is_post {
            true => self.act(&call, &rules).await,
            false => self.show(&call, &rules).await,
        };
        match fresh {
            Some(fresh) => reply.with_cookie(fresh.secure(is_secure)),
            None => reply,
        }
    }

    /// What a POST says, if it comes from a page of ours.
    async fn form(
        &self,
        headers: &HeaderMap,
        place: &Place,
        holder: &str,
        body: Body,
    ) -> Result<Fields, Reply> {
        let bad = || Reply::plain(StatusCode::BAD_REQUEST, Word::BadRequest);
        let forbidden = || Reply::plain(StatusCode::FORBIDDEN, Word::BadRequest);
        if !asked::is_from_here(headers, place) {
            return Err(forbidden());
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind != Some("application/x-www-form-urlencoded") {
            return Err(bad());
        }
        let reading = axum::body::to_bytes(body, FORM_BYTES_MAX);
        let bytes = match tokio::time::timeout(FORM_TIMEOUT, reading).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                return Err(Reply::plain(StatusCode::PAYLOAD_TOO_LARGE, Word::BadRequest));
            }
            Err(_) => return Err(Reply::plain(StatusCode::REQUEST_TIMEOUT, Word::TookTooLong)),
        };
        let fields = Fields::read(&bytes).ok_or_else(bad)?;
        let session = cookie(headers, &Cookie::name(SESSION, place.is_secure));
        let is_over = session.is_some_and(|session| session != holder);
        match self.visitors.is_form_token(holder, fields.text("token")) {
            true => Ok(fields),
            // Of somebody whose time is over: nothing is done.
            false if is_over => Err(Reply::to("/console/sign-in")),
            false => Err(forbidden()),
        }
    }

    /// Pages, which change nothing.
    async fn show(&self, call: &Call<'_>, rules: &Arc<RuleSet>) -> Reply {
        let look = &call.look;
        if call.path == "/" {
            return Reply::to("/console");
        }
        if look.signed.is_none() {
            return match call.path {
                "/console/sign-in" => sign_in_page(look, StatusCode::OK, None),
                _ => Reply::to("/console/sign-in"),
            };
        }
        match call.path {
            "/console" => match self.sheet(rules).await {
                Some(sheet) => {
                    Reply::page(matrix::matrix(look, &sheet, &self.database, &call.query))
                }
                None => said(look, StatusCode::SERVICE_UNAVAILABLE, Word::NoCatalog),
            },
            "/console/column" => self.column(call, rules).await,
            "/console/sign-in" => Reply::to("/console"),
            "/console/rules" => {
                let judged = self.judged(rules).await;
                let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (judged, refused) = (judged.as_deref(), refused.as_deref());
                Reply::page(rules::page(look, rules, judged, refused, &call.query))
            }
            "/console/sessions" => {
                let (here, pools) = (self.proxy.sessions(), self.proxy.pool_figures());
                Reply::page(sessions::page(look, &here, &pools, &call.query))
            }
            "/console/statements" => {
                Reply::page(statements::page(look, &self.audit.recent(), &call.query))
            }
            "/console/grants" => self.grants_page(call, rules).await,
            "/console/playground" => Reply::page(playground::page(look, rules, None, &[], None)),
            "/console/report" => self.report(call, rules).await,
            row::PATH => self.row_page(call),
            _ => said(look, StatusCode::NOT_FOUND, Word::NotFound),
        }
    }

    /// What changes something. Where it comes from is known.
    async fn act(&self, call: &Call<'_>, rules: &Arc<RuleSet>) -> Reply {
        let look = &call.look;
        let Some(form) = &call.form else {
            return said(look, StatusCode::BAD_REQUEST, Word::BadRequest);
        };
        match (call.path, &look.signed) {
            ("/console/settings", _) => settings(call, form),
            ("/console/sign-in", _) => self.sign_in(call, form, rules).await,
            (_, None) => {
                sign_in_page(look, StatusCode::UNAUTHORIZED, Some((Word::SessionOver, None)))
            }
            ("/console/sign-out", Some(signed)) => self.sign_out(call, signed).await,
            ("/console/sessions/end", Some(signed)) => self.end_session(call, form, signed).await,
            ("/console/grants/ask", Some(signed)) => {
                self.ask_grant(call, form, rules, signed, How::Ask).await
            }
            ("/console/grants/break-glass", Some(signed)) => {
                self.ask_grant(call, form, rules, signed, How::BreakGlass).await
            }
            ("/console/grants/decide", Some(signed)) => {
                self.decide_grant(call, form, rules, signed).await
            }
            (row::PATH, Some(signed)) => self.trace(call, form, rules, signed).await,
            ("/console/playground", Some(signed)) => self.play(call, form, rules, signed).await,
            (_, Some(_)) => said(look, StatusCode::NOT_FOUND, Word::NotFound),
        }
    }

    async fn end_session(&self, call: &Call<'_>, form: &Fields, signed: &Signed) -> Reply {
        let look = &call.look;
        let number = form.text("session").parse::<u64>().ok();
        if !signed.rights.end_sessions {
            let denied =
                |facts| ConsoleFacts { refused: Some("not_allowed"), session: number, ..facts };
            // Refused, whether there is a record of it or not.
            let _ = self.record(call, signed, "end_session", denied).await;
            return said(look, StatusCode::FORBIDDEN, Word::NotAllowed);
        }
        let Some(number) = number else {
            return said(look, StatusCode::BAD_REQUEST, Word::BadRequest);
        };
        let of_session = |facts| ConsoleFacts { session: Some(number), ..facts };
        if let Err(reply) = self.record(call, signed, "end_session", of_session).await {
            return reply;
        }
        match self.proxy.end_session(number) {
            Some(_) => Reply::to(&format!("/console/sessions?ended={number}")),
            None => Reply::to(&format!("/console/sessions?gone={number}")),
        }
    }

    /// Writes down what is about to be done.
    ///
    /// # Errors
    /// It cannot be written down, so it must not be done; the page that says so.
    async fn record(
        &self,
        call: &Call<'_>,
        signed: &Signed,
        act: &'static str,
        with: impl FnOnce(ConsoleFacts) -> ConsoleFacts,
    ) -> Result<(), Reply> {
        let facts = ConsoleFacts {
            user: signed.user.clone(),
            client: call.client.to_string(),
            act,
            refused: None,
            session: None,
            grant: None,
            role: None,
            row: None,
            rules: call.look.rules.clone(),
        };
        self.audit.accept(Record::Console(Box::new(with(facts)))).await.map_err(|error| {
            tracing::error!(%error, "a record of the console is missing in the audit trail");
            said(&call.look, StatusCode::SERVICE_UNAVAILABLE, Word::NoAudit)
        })
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.lease.snapshot()
    }

    async fn column(&self, call: &Call<'_>, rules: &Arc<RuleSet>) -> Reply {
        let look = &call.look;
        let of = |name| call.query.text(name).to_owned();
        let (schema, relation, column) = (of("schema"), of("relation"), of("column"));
        let (Some(sheet), Some(snapshot)) = (self.sheet(rules).await, self.snapshot()) else {
            return said(look, StatusCode::SERVICE_UNAVAILABLE, Word::NoCatalog);
        };
        let name = RelationName { schema: schema.clone(), name: relation.clone() };
        let (rules, asked) = (Arc::clone(rules), column.clone());
        let telling =
            tokio::task::spawn_blocking(move || WhoSees::of(&name, &asked, &rules, &snapshot));
        match telling.await {
            Ok(Ok(found)) => {
                let place = (schema.as_str(), relation.as_str(), column.as_str());
                Reply::page(matrix::column(look, &found, &sheet, place))
            }
            Ok(Err(_)) | Err(_) => said(look, StatusCode::NOT_FOUND, Word::NotFound),
        }
    }
}

fn wished(headers: &HeaderMap) -> Language {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    words::wished(accept.unwrap_or_default())
}

/// A page with one sentence.
fn said(look: &Look, status: StatusCode, word: Word) -> Reply {
    let body = html! {
        p class="alarm" role="alert" { (look.say(word)) }
        p { a href="/console" { (look.say(Word::Back)) } }
    };
    Reply::page(look.page(look.say(Word::Console), None, &body)).status(status)
}
