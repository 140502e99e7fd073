//! A PgBouncer of our own: configured as like Scrim as it can be, on a port of its own, ended with us.
//!
//! pgbouncer(5).

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scrim::demo::{DATABASE, KeptProgram, PrivatePostgres, SERVICE_LOGIN};

use crate::stand::{CLIENTS_MAX, Mode};

/// Somebody else may take a free port between our look and the start.
const START_ATTEMPTS_MAX: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(20);

/// A PgBouncer that runs.
pub struct PgBouncer {
    program: KeptProgram,
    pub address: SocketAddr,
    folder: PathBuf,
}

impl PgBouncer {
    /// Starts one in front of the server. `folder` is made, below the server's own.
    pub fn start(
        server: &PrivatePostgres,
        folder: &str,
        mode: Mode,
        (certificate, key): (&str, &str),
    ) -> Result<PgBouncer, String> {
        let program =
            find().ok_or("there is no `pgbouncer` (Debian: `apt-get install pgbouncer`)")?;
        let folder = server.make_folder(folder).map_err(|error| error.to_string())?;
        let write = |name: &str, text: &str| {
            // Others than its owner cannot enter the folder, and as root PgBouncer becomes that owner.
            let file = folder.join(name);
            std::fs::write(&file, text)
                .and_then(|()| std::fs::set_permissions(&file, Permissions::from_mode(0o644)))
                .map_err(|error| format!("{}: {error}", file.display()))
        };
        write("server.crt", certificate)?;
        write("server.key", key)?;
        write("users.txt", &verifier(server)?)?;
        let mut said = String::new();
        for _ in 0..START_ATTEMPTS_MAX {
            let port = TcpListener::bind(("127.0.0.1", 0))
                .and_then(|listener| listener.local_addr())
                .map_err(|error| format!("a free port: {error}"))?
                .port();
            let file = folder.join("pgbouncer.ini");
            write("pgbouncer.ini", &configuration(server, &folder, mode, port))?;
            let program = KeptProgram::start(&folder, "pgbouncer", &program, &[file.as_os_str()])
                .map_err(|error| format!("pgbouncer: {error}"))?;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let began = Instant::now();
            while began.elapsed() < START_TIMEOUT && !program.has_ended() {
                if TcpStream::connect(address).is_ok() && program.pid().is_some() {
                    return Ok(PgBouncer { program, address, folder });
                }
                std::thread::sleep(START_POLL);
            }
            said = program.said();
        }
        Err(format!("pgbouncer does not start: {said}"))
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.program.pid()
    }

    /// The end of what it has said, where something went wrong.
    pub fn said(&self) -> String {
        let said = self.program.said();
        let lines: Vec<&str> = said.lines().collect();
        let end = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default();
        format!("{}: {}", self.folder.display(), end.join("; "))
    }
}

/// Its program, which Debian keeps where only root looks.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
    places.map(|place| place.join("pgbouncer")).find(|program| program.is_file())
}

/// What it says of its version.
pub fn version() -> Option<String> {
    let output = std::process::Command::new(find()?).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next()?.trim().to_owned())
}

/// The service login with its verifier as the database has it. PgBouncer takes clients in by it as Scrim does by the one
/// in the rules, without the thousands of rounds of hashing that a plain password would cost it each time, and logs in
/// to PostgreSQL by what it learns of the client on the way.
fn verifier(server: &PrivatePostgres) -> Result<String, String> {
    let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{SERVICE_LOGIN}'");
    let verifier = server.run("postgres", &sql).map_err(|error| error.to_string())?;
    Ok(format!("\"{SERVICE_LOGIN}\" \"{}\"\n", verifier.trim()))
}

fn configuration(server: &PrivatePostgres, folder: &Path, mode: Mode, port: u16) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let user = match rustix::process::geteuid().is_root() {
        true => "user = postgres\n",
        false => "",
    };
    format!(
        "[databases]\n\
         {DATABASE} = host=127.0.0.1 port={}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         {user}\
         pool_mode = {}\n\
         default_pool_size = {}\n\
         max_client_conn = {CLIENTS_MAX}\n\
         auth_type = scram-sha-256\n\
         auth_file = {}\n\
         client_tls_sslmode = allow\n\
         client_tls_cert_file = {}\n\
         client_tls_key_file = {}\n\
         server_tls_sslmode = disable\n\
         log_connections = 0\n\
         log_disconnections = 0\n\
         ignore_startup_parameters = extra_float_digits\n",
        server.port(),
        mode.word(),
        mode.pool_size(),
        file("users.txt"),
        file("server.crt"),
        file("server.key"),
    )
}
