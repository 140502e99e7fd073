//! `scrim demo`: a private PostgreSQL with the sample support desk, Scrim in front, users to try.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::{DATABASE, Desk, RunningScrim, SERVICE_LOGIN, sample_password};

/// Where the demo listens, if nobody else does.
const PORT: u16 = 6432;

/// How often the demo looks whether Scrim is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Whom to be, and what one then sees.
const USERS: &[(&str, &str)] = &[
    ("alice", "first line of support: names, e-mails, phones and cards are masked"),
    (
        "aria",
        "second line: sees customers of the home market as alice does, and may write what is clear",
    ),
    ("rosa", "researcher: pseudonyms that can be joined, shifted dates, noise, scrubbed texts"),
    ("ana", "analyst: only customers who agreed, and no way to tell who is who"),
    ("dba", "administrator: everything as it is"),
];

/// What to try, in psql.
const STATEMENTS: &[&str] = &[
    "SELECT id, name, email, phone, rrn, card_number FROM customers ORDER BY id LIMIT 5;",
    "SELECT count(*) FROM customers WHERE email = 'minqzxsu.kim@example.com';",
    "SHOW scrim.masks;",
];

/// A private PostgreSQL with a sample support desk and Scrim in front of it. Prints psql lines for its users, runs
/// until Ctrl-C, then removes everything.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim demo
  scrim demo -- psql -c 'SELECT name, email, phone FROM customers LIMIT 5'

With a command, the demo runs it as alice (PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD are set) and ends with
its exit status.")]
pub struct DemoArgs {
    /// The port to listen on, on 127.0.0.1; 6432 if it is free, otherwise any.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// A command to run against the demo, instead of waiting for Ctrl-C.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl DemoArgs {
    /// Exit code 0 after Ctrl-C, the command's own with a command, 1 when the demo does not come up.
    pub async fn run(self) -> ExitCode {
        match self.show().await {
            Ok(code) => code,
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }

    async fn show(self) -> Result<ExitCode, String> {
        // From here on a signal is an event and ends nothing by itself, so that Drop cleans up.
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let port = self.port.unwrap_or_else(usual_port_or_any);
        // Starting is blocking work of two seconds, and nothing else goes on here.
        let desk = Desk::open(&format!("127.0.0.1:{port}")).map_err(|error| error.to_string())?;
        let binary = std::env::current_exe().map_err(|error| error.to_string())?;
        let scrim = RunningScrim::start(&binary, &desk).map_err(|error| error.to_string())?;
        let Some((program, arguments)) = self.command.split_first() else {
            super::print(&welcome(&desk, scrim.address()));
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
                    _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
                    () = tokio::time::sleep(LOOK) => {
                        if scrim.has_ended() {
                            return Err(format!("`scrim run` has ended: {}", scrim.said()));
                        }
                    }
                }
            }
        };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).envs(environment(&desk, scrim.address())).kill_on_drop(true);
        let status = tokio::select! {
            status = command.status() => status,
            _ = terminate.recv() => return Ok(ExitCode::FAILURE),
        };
        let status = status.map_err(|error| format!("cannot run `{program}`: {error}"))?;
        // A command that was killed has no code.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Ok(ExitCode::from(code))
    }
}

fn usual_port_or_any() -> u16 {
    match TcpListener::bind(("127.0.0.1", PORT)) {
        Ok(_) => PORT,
        Err(_) => 0,
    }
}

fn welcome(desk: &Desk, address: SocketAddr) -> String {
    let (host, port) = (address.ip(), address.port());
    let mut text = format!("The sample support desk is open; Scrim listens on {address}.\n\n");
    text.push_str("Paste one of these into another terminal:\n\n");
    for (user, what) in USERS {
        let password = sample_password(user);
        text.push_str(&format!(
            "  # {user}, {what}\n  PGPASSWORD={password} psql -h {host} -p {port} -U {user} {DATABASE}\n\n"
        ));
    }
    text.push_str("and try, as each of them:\n\n");
    for statement in STATEMENTS {
        text.push_str(&format!("  {statement}\n"));
    }
    let folder = desk.folder().display();
    text.push_str(&format!(
        "\nThe rules are in {folder}/masking-rules, the audit trail is {folder}/audit.jsonl.\n\
         Change a rule, and look what comes of it:\n\n  \
         scrim check --config {folder}/scrim.yaml\n  \
         scrim test --config {folder}/scrim.yaml\n\n\
         Ctrl-C ends the demo and removes all of it."
    ));
    text
}

/// What a command may want to know: libpq's variables for Scrim, as alice, and the way past Scrim for measuring.
fn environment(desk: &Desk, address: SocketAddr) -> Vec<(&'static str, String)> {
    let server = desk.server();
    vec![
        ("PGHOST", address.ip().to_string()),
        ("PGPORT", address.port().to_string()),
        ("PGDATABASE", DATABASE.into()),
        ("PGUSER", "alice".into()),
        ("PGPASSWORD", sample_password("alice")),
        ("SCRIM_DEMO_FOLDER", desk.folder().display().to_string()),
        ("SCRIM_DEMO_DATABASE_HOST", "127.0.0.1".into()),
        ("SCRIM_DEMO_DATABASE_PORT", server.port().to_string()),
        ("SCRIM_DEMO_DATABASE_USER", SERVICE_LOGIN.into()),
        ("SCRIM_DEMO_DATABASE_PASSWORD", sample_password(SERVICE_LOGIN)),
        ("SCRIM_DEMO_POSTGRES_BIN", server.clients().display().to_string()),
    ]
}
