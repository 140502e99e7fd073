//! A PostgreSQL of one's own: made, started, stopped and deleted by this process.
//!
//! Everything of it lies in one folder below the system's temporary folder: data, Unix socket, log. Over TCP it
//! listens on 127.0.0.1 only and wants SCRAM; over the Unix socket, in a folder that only its owner can enter, it
//! trusts everybody, which is how the superuser gets in.
//!
//! INVARIANT: the server and its folder do not outlive this process, however the process ends. A small shell
//! stands between: it starts the server, waits until its standard input closes (the kernel does that when we die),
//! then stops the server and deletes the folder.
//!
//! PostgreSQL: "Creating a Database Cluster", "Starting the Database Server", initdb, postmaster.pid.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::programs::Programs;

/// The superuser; reachable over the Unix socket only, for it has no password.
pub const SUPERUSER: &str = "postgres";

/// A free port can be taken by somebody else between our look and the server's start.
const START_ATTEMPTS_MAX: u32 = 5;
/// A cold machine needs a second or two.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often `postmaster.pid` is read meanwhile.
const START_POLL: Duration = Duration::from_millis(20);

/// Settings that make a short-lived server fast and the same everywhere. Losing data in a crash is no harm.
const SETTINGS: &str = "\
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
jit = off
max_connections = 300
shared_buffers = 64MB
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, MDY'
lc_messages = 'C'
listen_addresses = '127.0.0.1'
unix_socket_permissions = 0700
";

/// Who may come in: everybody over the guarded socket, over TCP whoever has a password.
const HOST_BASED_AUTHENTICATION: &str = "\
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
";

/// Starts the server and obeys its standard input: `halt` breaks the server off, `start` starts it again, and at
/// the end of input the server is stopped and the folder deleted.
/// `$1` is the server program, `$2` the folder, `$3` the port.
const KEEPER: &str = r#"
start() {
    "$1" -D "$2/data" -k "$2" -p "$3" </dev/null >>"$2/log" 2>&1 &
    server=$!
}
start "$@"
while read -r word; do
    case "$word" in
        halt) kill -QUIT "$server"; wait "$server" ;;
        start) start "$@" ;;
    esac
done
kill -INT "$server" 2>/dev/null
wait "$server"
case "$2" in */scrim-pg-*) [ -e "$2/keep" ] || rm -rf "$2" ;; esac
"#;

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Certificate chain and key, PEM, when the server shall speak TLS.
    pub tls: Option<(String, String)>,
    /// Further lines for `postgresql.conf`: setting and value, the value quoted as it must stand there.
    pub settings: BTreeMap<String, String>,
}

/// Why there is no private PostgreSQL. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server found (looked for `initdb` and `postgres` in {looked}): install it \
         (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install postgresql-server`; \
         macOS: `brew install postgresql`) or set SCRIM_POSTGRES_BIN to the folder that holds them"
    )]
    NotInstalled {
        /// Where we looked.
        looked: String,
    },
    /// No client binaries.
    #[error(
        "no psql found (looked in {looked}): install PostgreSQL's client programs (Debian, Ubuntu: \
         `apt-get install postgresql-client`; Fedora: `dnf install postgresql`) or set \
         SCRIM_POSTGRES_CLIENT_BIN to the folder that holds them"
    )]
    NoClients {
        /// Where we looked.
        looked: String,
    },
    /// PostgreSQL refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL does not run as root and {missing}: run this as another user, \
         or install `util-linux` and the `postgresql` package, which makes the user `postgres`"
    )]
    Root {
        /// What is missing.
        missing: &'static str,
    },
    /// A file or a program could not be used.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("`{program}` failed: {output}")]
    Program {
        /// Its name.
        program: String,
        /// What it printed.
        output: String,
    },
    /// The server did not come up.
    #[error("the private PostgreSQL did not start: {log}")]
    NotStarted {
        /// The end of its log.
        log: String,
    },
}

impl PostgresError {
    /// A file or program could not be used.
    pub(super) fn io(action: &str, source: std::io::Error) -> PostgresError {
        PostgresError::Io { action: action.into(), source }
    }
}

/// A running server. Dropping it stops the server and deletes its folder.
#[derive(Debug)]
pub struct PrivatePostgres {
    programs: Programs,
    owner: Owner,
    folder: PathBuf,
    port: u16,
    keeper: Child,
    /// The keeper obeys it, and waits for it to close.
    lifeline: Mutex<Option<ChildStdin>>,
}

impl PrivatePostgres {
    /// Makes a cluster and starts it; takes a second or two.
    pub fn start(options: &PostgresOptions) -> Result<PrivatePostgres, PostgresError> {
        let programs = Programs::find()?;
        let owner = Owner::of_servers()?;
        let folder = Folder::create(&owner)?;
        initialise(&programs.server, &owner, &folder.path)?;
        write_settings(&owner, &folder.path, options)?;
        let mut log = String::new();
        for _ in 0..START_ATTEMPTS_MAX {
            let port = free_port()?;
            match start_keeper(&programs.server, &owner, &folder.path, port)? {
                Ok((keeper, lifeline)) => {
                    let folder = folder.keep();
                    return Ok(PrivatePostgres {
                        programs,
                        owner,
                        folder,
                        port,
                        keeper,
                        lifeline: Mutex::new(Some(lifeline)),
                    });
                }
                Err(last) => log = last,
            }
        }
        Err(PostgresError::NotStarted { log })
    }

    /// Port of TCP on 127.0.0.1, and part of the Unix socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket, usable as a host name by libpq and by `upstream`.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a folder for files that shall go when the server goes, however this process ends.
    /// `name` may be a path below an earlier one.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, PostgresError> {
        let path = self.folder.join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(io(format!("make the folder {}", path.display())))?;
        // Who deletes it is not root and must be able to.
        self.owner.give(&path)?;
        Ok(path)
    }

    /// The folder with `psql`, `pgbench` and the like; they may be of another version than the server.
    pub fn clients(&self) -> &Path {
        &self.programs.clients
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Breaks the server off as a crash would: every connection ends, nothing new gets in. Returns when it is down.
    pub fn halt(&self) -> Result<(), PostgresError> {
        self.tell("halt\n")?;
        self.wait_until("is shut down", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err()
        })
    }

    /// Starts it again after [`halt`](Self::halt), on the same port. Returns when it takes connections.
    pub fn resume(&self) -> Result<(), PostgresError> {
        self.tell("start\n")?;
        self.wait_until("is up", || is_ready(&self.folder, self.port))
    }

    fn tell(&self, word: &str) -> Result<(), PostgresError> {
        match self.line().as_mut() {
            Some(line) => line.write_all(word.as_bytes()).map_err(io("speak to the keeper")),
            None => Ok(()),
        }
    }

    fn line(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.lifeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, state: &str, reached: impl Fn() -> bool) -> Result<(), PostgresError> {
        let began = Instant::now();
        while !reached() {
            if began.elapsed() > START_TIMEOUT {
                let log = format!("waited in vain until it {state}; {}", log_end(&self.folder));
                return Err(PostgresError::NotStarted { log });
            }
            std::thread::sleep(START_POLL);
        }
        Ok(())
    }

    /// Runs SQL as the superuser through psql and gives its output, unaligned, without headings. Stops at the
    /// first error. psql's own commands work too.
    pub fn run(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        let mut psql = Command::new(self.programs.clients.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER])
            .args(["-p", &self.port.to_string(), "-d", database, "-f", "-", "-h"])
            .arg(&self.folder)
            .env("PGCLIENTENCODING", "UTF8")
            .env_remove("PGOPTIONS")
            .env_remove("PGSERVICE")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io("start psql"))?;
        let stdin = psql.stdin.take();
        // A thread feeds psql, so that a long script and a long answer cannot wait for each other.
        let written = std::thread::scope(|scope| {
            let feeder = scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(sql.as_bytes())));
            let output = psql.wait_with_output().map_err(io("run psql"));
            // psql that stops at an error closes the pipe early; its own message says more than ours would.
            let _ = feeder.join();
            output
        })?;
        text_of("psql", &written)
    }

    /// Creates a database; as a copy of `template` if one is given, to which nobody may be connected.
    pub fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), PostgresError> {
        let template = template.map_or(String::new(), |from| format!(" TEMPLATE {}", quoted(from)));
        self.run("postgres", &format!("CREATE DATABASE {}{template}", quoted(name))).map(drop)
    }

    /// Drops a database and whoever is connected to it.
    pub fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let name = quoted(name);
        self.run("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).map(drop)
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        drop(self.line().take());
        let _ = self.keeper.wait();
    }
}

/// Who runs the server: we ourselves, or the user `postgres` when we are root.
#[derive(Debug)]
enum Owner {
    Myself,
    Postgres { uid: u32, gid: u32, by: &'static str },
}

impl Owner {
    fn of_servers() -> Result<Owner, PostgresError> {
        let number = |arguments: &[&str]| {
            let output = Command::new("id").args(arguments).output().ok()?;
            String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
        };
        if number(&["-u"]) != Some(0) {
            return Ok(Owner::Myself);
        }
        let (Some(uid), Some(gid)) = (number(&["-u", "postgres"]), number(&["-g", "postgres"]))
        else {
            return Err(PostgresError::Root { missing: "there is no user `postgres`" });
        };
        let there = |program: &&str| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        };
        match ["setpriv", "runuser"].into_iter().find(there) {
            Some(by) => Ok(Owner::Postgres { uid, gid, by }),
            None => {
                Err(PostgresError::Root { missing: "neither `setpriv` nor `runuser` is there" })
            }
        }
    }

    /// A command that runs `program` as this owner.
    fn command(&self, program: &Path) -> Command {
        match self {
            Owner::Myself => Command::new(program),
            Owner::Postgres { uid, gid, by: "setpriv" } => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
            Owner::Postgres { by, .. } => {
                let mut command = Command::new(by);
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
        }
    }

    /// Hands a file or folder that we made over to this owner.
    fn give(&self, path: &Path) -> Result<(), PostgresError> {
        match self {
            Owner::Myself => Ok(()),
            Owner::Postgres { uid, gid, .. } => {
                std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
                    .map_err(io(format!("give {} to postgres", path.display())))
            }
        }
    }

    /// Writes a file that only this owner can read.
    fn write(&self, path: &Path, text: &str) -> Result<(), PostgresError> {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(io(format!("write {}", path.display())))?;
        self.give(path)
    }
}

/// A folder of our own; deleted unless somebody else takes care of it.
struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// Short, because a Unix socket's path may have 107 bytes only.
    fn create(owner: &Owner) -> Result<Folder, PostgresError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let parent = std::env::temp_dir();
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("scrim-pg-{}-{count}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = Folder { path, kept: false };
                    owner.give(&folder.path)?;
                    return Ok(folder);
                }
                // Left by a process of the same number that could not clean up.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    let action = format!("make the folder {}", path.display());
                    return Err(PostgresError::Io { action, source });
                }
            }
        }
    }

    fn keep(mut self) -> PathBuf {
        self.kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes the cluster. UTF-8 with the order of code points, where the system knows that locale.
fn initialise(binaries: &Path, owner: &Owner, folder: &Path) -> Result<(), PostgresError> {
    let mut last = Ok(String::new());
    for locale in ["C.UTF-8", "C"] {
        let output = owner
            .command(&binaries.join("initdb"))
            .args(["--no-sync", "--encoding=UTF8", "--auth=trust"])
            .args(["--username", SUPERUSER, "--locale", locale, "-D"])
            .arg(folder.join("data"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(io("run initdb"))?;
        last = text_of("initdb", &output);
        if last.is_ok() {
            break;
        }
    }
    last.map(drop)
}

fn write_settings(
    owner: &Owner,
    folder: &Path,
    options: &PostgresOptions,
) -> Result<(), PostgresError> {
    let data = folder.join("data");
    let mut settings = String::from(SETTINGS);
    if let Some((certificate, key)) = &options.tls {
        owner.write(&data.join("server.crt"), certificate)?;
        owner.write(&data.join("server.key"), key)?;
        settings.push_str("ssl = on\n");
    }
    for (name, value) in &options.settings {
        settings.push_str(&format!("{name} = {value}\n"));
    }
    for (name, text) in
        [("postgresql.conf", settings.as_str()), ("pg_hba.conf", HOST_BASED_AUTHENTICATION)]
    {
        let path = data.join(name);
        std::fs::remove_file(&path).map_err(io(format!("replace {}", path.display())))?;
        owner.write(&path, text)?;
    }
    Ok(())
}

fn free_port() -> Result<u16, PostgresError> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(io("find a free port on 127.0.0.1"))
}

/// Starts the keeper and waits until the server takes connections; `Err` with the log's end if it ended instead.
fn start_keeper(
    binaries: &Path,
    owner: &Owner,
    folder: &Path,
    port: u16,
) -> Result<Result<(Child, ChildStdin), String>, PostgresError> {
    // A first attempt that failed must not take the folder with it: only the last line of the keeper deletes.
    let keep = folder.join("keep");
    std::fs::write(&keep, "").map_err(io("write into the folder"))?;
    // The log of an earlier attempt would be read as this one's.
    let _ = std::fs::remove_file(folder.join("log"));
    let mut keeper = owner
        .command(Path::new("/bin/sh"))
        .args(["-c", KEEPER, "sh"])
        .arg(binaries.join("postgres"))
        .arg(folder)
        .arg(port.to_string())
        .current_dir(folder)
        // Ctrl-C in a terminal goes to the whole group; the server must outlive the proxy's last words.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(io("start the server"))?;
    let lifeline = keeper.stdin.take();
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if is_ready(folder, port) {
            std::fs::remove_file(&keep).map_err(io("write into the folder"))?;
            if let Some(lifeline) = lifeline {
                return Ok(Ok((keeper, lifeline)));
            }
            break;
        }
        if log_end(folder).contains("FATAL") {
            break;
        }
        std::thread::sleep(START_POLL);
    }
    drop(lifeline);
    let _ = keeper.wait();
    Ok(Err(log_end(folder)))
}

/// Line 4 of `postmaster.pid` is the port, line 8 says `ready` once connections are taken; pg_ctl waits for the same.
fn is_ready(folder: &Path, port: u16) -> bool {
    let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.nth(3) == Some(port.to_string().as_str()) && lines.nth(3) == Some("ready")
}

fn log_end(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("; ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> PostgresError {
    let action = action.into();
    move |source| PostgresError::Io { action, source }
}

fn text_of(program: &str, output: &Output) -> Result<String, PostgresError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    Err(PostgresError::Program { program: program.into(), output: said.trim().into() })
}

#[cfg(test)]
mod tests;
