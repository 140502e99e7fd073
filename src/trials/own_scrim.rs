//! A Scrim of our own: the proxy of `run`, on a socket in a folder that is ours alone, with a password of the run.
//!
//! The rules are those in force but for who logs in how, and for what is counted over time: a run of tests is not a
//! person, and must not be refused for asking fast.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::caller::{self, Answer, Bounds, ServerError};
use super::case::{Case, Who};
use crate::audit::{Audit, AuditOptions};
use crate::config::{ClientTls, Config, ConnectionLimits, TrustedProxies};
use crate::metrics::Metrics;
use crate::rules::{Limits, RuleSet, User};
use crate::session::{Listener, Proxy, ProxyOptions, Stage, serve};
use crate::shadow::Shadow;
use crate::upstream::{Endpoint, Hosts, ServerConnection, TlsMode, UpstreamError};

/// The user of cases that name a role; where the rules have one of this name, it is longer.
const USER: &str = "rule_test";
/// Of the socket's name; nobody connects to it.
const PORT: u16 = 5432;
/// Login, the catalog of the database among it.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// A test that takes longer is none.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PASSWORD_BYTES: usize = 32;

/// Classes of SQLSTATE that say nothing about the rules: no connection, no room, going down; and what a login of Scrim's
/// own gets that is wrong.
const NOT_OF_THE_RULES: [&str; 6] = ["08", "53", "57", "3D", "28P", "XX"];

/// A case could not be tried; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRun(pub String);

/// A Scrim that answers cases. Dropped without [`OwnScrim::close`], it leaves its sessions to the runtime.
pub struct OwnScrim {
    /// Socket, audit trail and its key, which nobody reads; goes with us.
    folder: TempDir,
    user: String,
    password: SecretString,
    database: String,
    audit: Audit,
    stage: watch::Sender<Stage>,
    serving: JoinHandle<()>,
}

impl OwnScrim {
    /// Starts one with the PostgreSQL and the pool of a configuration, once the PostgreSQL answers.
    ///
    /// # Errors
    /// Why there is none, ready to be shown.
    pub async fn open(
        config: &Config,
        rules: &RuleSet,
        database: Option<&str>,
    ) -> Result<OwnScrim, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("error: {what}: {error}");
        let database = database.unwrap_or(&config.database).to_owned();
        let parameters = [("client_encoding".to_owned(), "UTF8".to_owned())];
        let direct =
            ServerConnection::open(&config.endpoint, &database, &parameters, CONNECT_TIMEOUT);
        caller::leave(direct.await.map_err(|error| format!("error: {error}"))?).await;
        let folder = tempfile::Builder::new().prefix("scrim-test-").tempdir();
        let folder = folder.map_err(|error| failed("cannot make a folder for the run", &error))?;
        let file = folder.path().join("audit.jsonl");
        let audit = AuditOptions::of_file(file);
        let audit = Audit::open(&audit).map_err(|error| failed("cannot open a trail", &error))?;
        let socket = folder.path().join(format!(".s.PGSQL.{PORT}"));
        let listener = UnixListener::bind(&socket)
            .map_err(|error| failed("cannot listen on a socket", &error))?;
        let password = random_password().ok_or("error: the system gives no random numbers")?;
        let user = std::iter::successors(Some(USER.to_owned()), |name| Some(format!("{name}_")))
            .find(|name| !rules.users.contains_key(name))
            .unwrap_or_default();
        let metrics = Arc::new(Metrics::new());
        let proxy = Proxy::new(ProxyOptions {
            endpoint: config.endpoint.clone(),
            tls: ClientTls::Disable,
            tokens: None,
            proxies: TrustedProxies::default(),
            connection_limits: ConnectionLimits::default(),
            rules: Arc::new(rules_of_the_run(rules, &user, &password)),
            audit: audit.clone(),
            pseudonym_key: config.pseudonym_key.clone(),
            pool: config.pool.clone(),
            masks_on_the_wire: config.masks_on_the_wire,
            shadow: Arc::new(Shadow::new(Arc::clone(&metrics))),
            metrics,
            telemetry: None,
            // What holds for a while only is nothing to be tested.
            board: Arc::default(),
        })
        .ok_or("error: the system gives no random numbers")?;
        let (stage, stages) = watch::channel(Stage::Open);
        let serving = tokio::spawn(serve(proxy, vec![Listener::Unix(listener)], stages));
        let password = SecretString::from(password);
        Ok(OwnScrim { folder, user, password, database, audit, stage, serving })
    }

    /// Asks a case in a session of its own, and undoes what it has done. Tells how long that took.
    ///
    /// # Errors
    /// Why there is no answer that would say something about the rules.
    pub async fn ask(&self, case: &Case) -> (Result<Answer, NotRun>, Duration) {
        let began = Instant::now();
        let answer = self.answer(case).await;
        (answer, began.elapsed())
    }

    async fn answer(&self, case: &Case) -> Result<Answer, NotRun> {
        let (user, role) = match &case.who {
            Who::Role(role) => (&self.user, Some(role)),
            Who::User { name, role } => (name, role.as_ref()),
        };
        let endpoint = Endpoint {
            hosts: Hosts::one(self.folder.path().display().to_string(), PORT),
            user: user.clone(),
            password: Some(self.password.clone()),
            tls: TlsMode::Disable,
            ca: None,
        };
        let mut parameters = vec![("application_name".to_owned(), "scrim test".to_owned())];
        for (name, value) in [
            ("scrim.role", role),
            ("scrim.purpose", case.purpose.as_ref()),
            ("scrim.end_user", case.end_user.as_ref()),
        ] {
            parameters.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        parameters.extend(case.settings.iter().cloned());
        let database = case.database.as_deref().unwrap_or(&self.database);
        let opened = ServerConnection::open(&endpoint, database, &parameters, LOGIN_TIMEOUT).await;
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(UpstreamError::Refused { code, message })
                if !NOT_OF_THE_RULES.iter().any(|class| code.starts_with(class)) =>
            {
                let error = ServerError { code, message, ..ServerError::default() };
                return Ok(Answer { error: Some(error), ..Answer::default() });
            }
            Err(
                error @ (UpstreamError::Refused { .. }
                | UpstreamError::Connect { .. }
                | UpstreamError::Unfit { .. }
                | UpstreamError::NoHost(_)
                | UpstreamError::Tls(_)
                | UpstreamError::Broken(_)),
            ) => {
                return Err(NotRun(error.to_string()));
            }
        };
        let asking = async {
            // What a test writes must not stay; an answer to this is an answer to the test.
            let begun = caller::ask(&mut connection, "BEGIN", &[], Bounds::OF_A_TEST).await?;
            if begun.error.is_some() {
                return Ok(begun);
            }
            let answer =
                caller::ask(&mut connection, &case.statement, &case.params, Bounds::OF_A_TEST)
                    .await?;
            caller::ask(&mut connection, "ROLLBACK", &[], Bounds::OF_A_TEST).await?;
            Ok(answer)
        };
        let asked = tokio::time::timeout(STATEMENT_TIMEOUT, asking).await;
        // The end of the session undoes what is left.
        let seconds = STATEMENT_TIMEOUT.as_secs();
        let answer = asked.map_err(|_| NotRun(format!("no answer within {seconds} seconds")))?;
        caller::leave(connection).await;
        answer.map_err(|caller::NoAnswer(why)| NotRun(why))
    }

    /// Ends the sessions, and removes what there was.
    pub async fn close(self) {
        self.stage.send_replace(Stage::Ending);
        // A panic in it has been told.
        let _ = self.serving.await;
        self.audit.close().await;
    }
}

/// The same rules: everybody logs in by the password of the run, and nothing is counted over time.
fn rules_of_the_run(rules: &RuleSet, user: &str, password: &str) -> RuleSet {
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let admitted = |user: User| User {
        verifier: Some(SecretString::from(verifier.clone())),
        certificate: None,
        token: None,
        connections: None,
        ..user
    };
    let mut run = rules.clone();
    for role in run.roles.values_mut() {
        role.limits = Limits {
            lookups_per_minute: None,
            statements_per_second: None,
            connections: None,
            ..role.limits
        };
    }
    let anybody = rules.roles.values().next().map(|role| User {
        name: user.to_owned(),
        roles: rules.roles.keys().cloned().collect(),
        verifier: None,
        certificate: None,
        certificate_span: role.span,
        token: None,
        token_span: role.span,
        connections: None,
        acts_for_others: true,
        span: role.span,
    });
    let users = run.users.into_values().chain(anybody);
    run.users = users.map(|user| (user.name.clone(), admitted(user))).collect::<BTreeMap<_, _>>();
    run.token_users = None;
    run
}

impl OwnScrim {
    /// The rules with an entry for each user of the cases whom only a token names.
    pub fn with_token_users(mut rules: RuleSet, cases: &[Case]) -> RuleSet {
        for case in cases {
            if let Who::User { name, .. } = &case.who
                && !rules.users.contains_key(name)
                && let Some(user) = rules.user(name)
            {
                rules.users.insert(name.clone(), user);
            }
        }
        rules
    }
}

fn random_password() -> Option<String> {
    let mut bytes = [0; PASSWORD_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
