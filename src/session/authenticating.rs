//! From a StartupMessage to a session: SCRAM, the role, the server connection, the welcome.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Proxy;
use super::greeting::{Greeted, Stream, Turned, turn_away};
use super::registry::{CancelKey, CancelTarget};
use super::settings::Settings;
use crate::audit::{Record, SessionFacts};
use crate::catalog::SearchPath;
use crate::rules::{Role, User};
use crate::sql::{SettingVerdict, is_sound_search_path, judge_setting, may_be};
use crate::upstream::{Endpoint, ServerConnection, UpstreamError};
use crate::wire::sasl::{SaslFault, Scram, mechanisms};
use crate::wire::writer::{self, ErrorMessage};
use crate::wire::{Limits, Piece, Pieces, reader};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that is logged in, with a server connection of its own.
pub(super) struct Welcomed {
    pub(super) stream: Box<dyn Stream>,
    pub(super) buffer: BytesMut,
    pub(super) server: ServerConnection,
    pub(super) user: User,
    pub(super) role: Role,
    pub(super) facts: Arc<SessionFacts>,
    pub(super) settings: Settings,
    pub(super) cancel_key: CancelKey,
    pub(super) cancel_target: CancelTarget,
}

/// What the startup parameters ask for, after a look at each.
struct Wishes {
    role: Role,
    database: String,
    parameters: Vec<(String, String)>,
    settings: Settings,
}

/// Why a startup parameter is refused.
struct Refused {
    code: &'static str,
    message: String,
    hint: Option<String>,
}

/// Logs a client in.
pub(super) async fn authenticate(
    proxy: &Proxy,
    greeted: Greeted,
    session: u64,
    address: String,
) -> Result<Welcomed, Turned> {
    let Greeted { mut stream, mut buffer, startup } = greeted;
    let Some(name) = startup.user().map(str::to_owned) else {
        let message = "no PostgreSQL user name specified in startup packet";
        return Err(turn_away(&mut stream, "28000", message, None).await);
    };
    if let Some(negotiation) = startup.negotiation() {
        let mut out = BytesMut::new();
        writer::negotiate_protocol_version(
            &mut out,
            negotiation.version,
            &negotiation.unknown_options,
        );
        stream.write_all(&out).await?;
    }
    let user = proxy.rules.users.get(&name).cloned();
    let claimed = SessionFacts {
        session,
        user: name.clone(),
        role: String::new(),
        client: address,
        application: startup.parameter("application_name").unwrap_or_default().to_owned(),
        database: startup.database().unwrap_or_default().to_owned(),
        rules: proxy.rules.version.clone(),
    };
    let verifier = user.as_ref().and_then(|user| user.verifier.as_ref());
    let scram = Scram::new(verifier.map(|v| v.expose_secret()), &name, &proxy.secret);
    match (scram_rounds(&mut stream, &mut buffer, scram).await?, user) {
        (Ok(()), Some(user)) => {
            let wishes = match wishes(proxy, &user, &startup) {
                Ok(wishes) => wishes,
                Err(refused) => return Err(refuse(proxy, &mut stream, claimed, refused).await),
            };
            welcome(proxy, stream, buffer, user, wishes, claimed).await
        }
        (Ok(()) | Err(SaslFault::Password), _) => {
            let message = format!("password authentication failed for user \"{name}\"");
            let refused = Refused { code: "28P01", message, hint: None };
            Err(refuse(proxy, &mut stream, claimed, refused).await)
        }
        (Err(fault), _) => {
            let refused = Refused { code: fault.code(), message: fault.to_string(), hint: None };
            Err(refuse(proxy, &mut stream, claimed, refused).await)
        }
    }
}

async fn refuse(
    proxy: &Proxy,
    stream: &mut Box<dyn Stream>,
    facts: SessionFacts,
    refused: Refused,
) -> Turned {
    let record = Record::Login { facts: Arc::new(facts), refused: Some(refused.code.to_owned()) };
    if let Err(error) = proxy.audit.accept(record).await {
        tracing::error!(%error, "a refused login is not in the audit trail");
    }
    turn_away(stream, refused.code, &refused.message, refused.hint.as_deref()).await
}

/// The SCRAM exchange; the outer error is a client that went away.
async fn scram_rounds(
    stream: &mut Box<dyn Stream>,
    buffer: &mut BytesMut,
    mut scram: Scram,
) -> Result<Result<(), SaslFault>, Turned> {
    let mut out = BytesMut::new();
    writer::authentication_sasl(&mut out, mechanisms());
    let first = exchange(stream, buffer, &mut out).await?;
    let initial = reader::sasl_initial(&first).map_err(|_| malformed())?;
    let said = match scram.first(initial.mechanism, initial.data.unwrap_or_default()) {
        Ok(said) => said,
        Err(fault) => return Ok(Err(fault)),
    };
    writer::authentication_sasl_continue(&mut out, said.as_bytes());
    let last = exchange(stream, buffer, &mut out).await?;
    match scram.last(&last) {
        Ok(said) => {
            writer::authentication_sasl_final(&mut out, said.as_bytes());
            stream.write_all(&out).await?;
            Ok(Ok(()))
        }
        Err(fault) => Ok(Err(fault)),
    }
}

/// Says something and waits for the client's answer: the body of its password message.
async fn exchange(
    stream: &mut Box<dyn Stream>,
    buffer: &mut BytesMut,
    out: &mut BytesMut,
) -> Result<Bytes, Turned> {
    stream.write_all(out).await?;
    stream.flush().await?;
    out.clear();
    let mut pieces = Pieces::new(Limits::login());
    loop {
        match pieces.next(buffer) {
            Ok(Some(Piece::Whole(frame))) => return Ok(Bytes::copy_from_slice(frame.body())),
            Ok(Some(Piece::Start { .. } | Piece::More { .. })) => return Err(malformed()),
            Ok(None) => {
                buffer.reserve(1024);
                if stream.read_buf(buffer).await? == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
            }
            Err(_) => {
                let message = "expected a SASL message";
                return Err(turn_away(stream, "08P01", message, None).await);
            }
        }
    }
}

fn malformed() -> Turned {
    Turned::Away(std::io::Error::from(std::io::ErrorKind::InvalidData))
}

/// Looks at every startup parameter.
fn wishes(
    proxy: &Proxy,
    user: &User,
    startup: &crate::wire::startup::Startup,
) -> Result<Wishes, Refused> {
    let refused = |code, message: String| Refused { code, message, hint: None };
    // Options come first, so that a parameter of its own wins, as in PostgreSQL.
    let all = startup.options.iter().chain(&startup.parameters);
    let (mut role_name, mut purpose, mut end_user) = (None, None, None);
    let mut search_path = SearchPath::default();
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (name, value) in all {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "user" | "database" => {}
            "scrim.role" => role_name = Some(value.clone()),
            "scrim.purpose" => purpose = Some(value.clone()),
            "scrim.end_user" => end_user = Some(value.clone()),
            "replication" => {
                if !matches!(value.as_str(), "false" | "off" | "no" | "0") {
                    let message = "scrim: the replication protocol is not available".to_owned();
                    return Err(refused("0A000", message));
                }
            }
            _ => {
                wanted.retain(|(known, _)| *known != lower);
                wanted.push((lower, value.clone()));
            }
        }
    }
    let role_name = match role_name {
        None => user.roles.first().cloned().unwrap_or_default(),
        Some(name) if user.roles.contains(&name) => name,
        Some(name) => {
            let message = format!("scrim: user `{}` has no role `{name}`", user.name);
            let hint = Some(format!("roles of this user: {}", user.roles.join(", ")));
            return Err(Refused { code: "28000", message, hint });
        }
    };
    let Some(role) = proxy.rules.roles.get(&role_name).cloned() else {
        return Err(refused("28000", format!("scrim: there is no role `{role_name}`")));
    };
    if end_user.is_some() && !user.acts_for_others {
        let message = format!("scrim: user `{}` may not state `scrim.end_user`", user.name);
        return Err(refused("28000", message));
    }
    if let Some(purpose) = &purpose
        && !role.purposes.is_empty()
        && !role.purposes.contains(purpose)
    {
        let message = "scrim: this purpose is not one of the role's".to_owned();
        let hint = Some(format!("purposes of role `{role_name}`: {}", role.purposes.join(", ")));
        return Err(Refused { code: "42501", message, hint });
    }
    let masked = !role.is_untouched();
    for (name, value) in &wanted {
        if name == "client_encoding" {
            let plain = value.trim_matches('\'').replace(['-', '_'], "").to_ascii_lowercase();
            if masked && !matches!(plain.as_str(), "utf8" | "unicode" | "auto") {
                let message = "scrim: client_encoding must be UTF8".to_owned();
                return Err(refused("22023", message));
            }
        } else if masked && name == "search_path" {
            let path = SearchPath::parse(value).filter(is_sound_search_path);
            search_path = path.ok_or_else(|| {
                refused("42501", "scrim: this search_path is not allowed".to_owned())
            })?;
        } else if masked {
            let is_fine = match judge_setting(name) {
                SettingVerdict::Allowed => may_be(name, value),
                SettingVerdict::Only(only) => only.eq_ignore_ascii_case(value),
                SettingVerdict::Refused => false,
            };
            if !is_fine {
                let message = format!("scrim: setting `{name}` may not be changed by this role");
                return Err(refused("42501", message));
            }
        }
    }
    if masked {
        wanted.retain(|(name, _)| {
            !matches!(
                name.as_str(),
                "client_encoding" | "standard_conforming_strings" | "backslash_quote"
            )
        });
        for (name, value) in [
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            ("backslash_quote", "safe_encoding"),
        ] {
            wanted.push((name.to_owned(), value.to_owned()));
        }
        if let Some(seconds) = role.limits.statement_seconds {
            wanted.retain(|(name, _)| name != "statement_timeout");
            wanted.push(("statement_timeout".to_owned(), format!("{seconds}s")));
        }
    }
    let database = startup.database().unwrap_or(&user.name).to_owned();
    let settings = Settings::new(search_path, purpose, end_user);
    Ok(Wishes { role, database, parameters: wanted, settings })
}

async fn welcome(
    proxy: &Proxy,
    mut stream: Box<dyn Stream>,
    buffer: BytesMut,
    user: User,
    wishes: Wishes,
    claimed: SessionFacts,
) -> Result<Welcomed, Turned> {
    let Wishes { role, database, parameters, settings } = wishes;
    let facts = SessionFacts { role: role.name.clone(), database: database.clone(), ..claimed };
    let endpoint = match &role.database_user {
        Some(own) => Endpoint {
            user: own.user.clone(),
            password: own.password.clone(),
            ..proxy.endpoint.clone()
        },
        None => proxy.endpoint.clone(),
    };
    let opened = ServerConnection::open(&endpoint, &database, &parameters, CONNECT_TIMEOUT).await;
    let server = match opened {
        Ok(server) => server,
        Err(error) => {
            tracing::warn!(%error, database, "no server connection for a session");
            return Err(refuse(proxy, &mut stream, facts, unreachable(&error)).await);
        }
    };
    if !role.is_untouched()
        && let Err(error) = proxy.registry.view(&database, &role.name).await
    {
        tracing::warn!(error, database, "the catalog cannot be read");
        let message = "scrim: the database's catalog cannot be read".to_owned();
        let refused = Refused { code: "58000", message, hint: None };
        return Err(refuse(proxy, &mut stream, facts, refused).await);
    }
    let facts = Arc::new(facts);
    let login = Record::Login { facts: facts.clone(), refused: None };
    if proxy.audit.accept(login).await.is_err() {
        let message = "scrim: the audit trail cannot take the record of this login";
        return Err(turn_away(&mut stream, "58030", message, None).await);
    }
    let cancel_target = CancelTarget { endpoint, backend_key: server.backend_key.clone() };
    let Some(cancel_key) = proxy.registry.register(cancel_target.clone()) else {
        return Err(turn_away(&mut stream, "58000", "scrim: no random numbers", None).await);
    };
    let mut out = BytesMut::new();
    writer::authentication_ok(&mut out);
    for (name, value) in &server.parameters {
        let value = match name.as_str() {
            "session_authorization" => user.name.as_str(),
            "is_superuser" if !role.is_untouched() => "off",
            _ => value.as_str(),
        };
        writer::parameter_status(&mut out, name, value);
    }
    let (process_id, key) = &cancel_key;
    if writer::backend_key_data(&mut out, *process_id, key).is_err() {
        return Err(malformed());
    }
    writer::ready_for_query(&mut out, b'I');
    stream.write_all(&out).await?;
    stream.flush().await?;
    Ok(Welcomed { stream, buffer, server, user, role, facts, settings, cancel_key, cancel_target })
}

/// What PostgreSQL would say itself is said in its words; everything else is for the log only.
fn unreachable(error: &UpstreamError) -> Refused {
    if let UpstreamError::Refused { code, message } = error {
        for known in ["3D000", "53300", "57P03", "55000"] {
            if code == known {
                return Refused { code: known, message: message.clone(), hint: None };
            }
        }
    }
    Refused {
        code: "08006",
        message: "scrim: the database cannot be reached".to_owned(),
        hint: Some("it may be starting, stopped, or out of reach; try again".to_owned()),
    }
}

/// The ErrorResponse for a session that cannot go on.
pub(super) fn fatal(code: &str, message: &str) -> Bytes {
    let mut out = BytesMut::new();
    writer::error_response(&mut out, &ErrorMessage::new("FATAL", code, message));
    out.freeze()
}
