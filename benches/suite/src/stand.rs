//! The processes that are measured: PostgreSQL with the sample desk, PgBouncer and Scrim in front of it, each in both
//! modes. All of them are this process's own and end with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use scrim::demo::{
    DATABASE, Desk, PostgresOptions, PrivatePostgres, RunningScrim, SERVICE_LOGIN, SUPERUSER,
    sample_password,
};

use crate::pgbouncer::PgBouncer;
use crate::scenarios::{masks, tpch};

/// What a proxy lets in at most.
pub const CLIENTS_MAX: u32 = 12_000;

/// Server connections of a pool that sessions share, Scrim's own default and PgBouncer's.
const POOL_SIZE: u32 = 20;
/// Where each session has one of its own.
const SESSION_POOL_SIZE: u32 = 220;

/// pgbench's scale: ten branches, a million accounts.
pub const SCALE: u32 = 10;

/// Orders of TPC-H.
const ORDERS: u32 = 20_000;

/// Whose a server connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A session's during a transaction.
    Transaction,
    /// A session's as long as it lives.
    Session,
}

impl Mode {
    /// As both proxies call it.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Transaction => "transaction",
            Mode::Session => "session",
        }
    }

    /// Server connections of a pool.
    pub fn pool_size(self) -> u32 {
        match self {
            Mode::Transaction => POOL_SIZE,
            Mode::Session => SESSION_POOL_SIZE,
        }
    }
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// PostgreSQL itself.
    Direct,
    /// PgBouncer, which looks into nothing.
    PgBouncer(Mode),
    /// Scrim as `alice`, role support: names, addresses, numbers are masked.
    Masked(Mode),
    /// Scrim as `aria`, role agent: as support, and may write.
    Writer(Mode),
    /// Scrim as `dba`, role admin: nothing is masked and bytes pass.
    Untouched(Mode),
}

/// Where a client goes, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub user: &'static str,
    pub password: String,
    /// Startup options, as `PGOPTIONS` has them; empty where there are none.
    pub options: String,
    /// The proxy's process; none where there is no proxy.
    pub proxy: Option<u32>,
}

/// All processes. Dropping it ends them; proxies first.
pub struct Stand {
    scrim: [RunningScrim; 2],
    pgbouncer: [PgBouncer; 2],
    binary: PathBuf,
    certificate: (String, String),
    customers: u32,
    /// Scripts and logs of pgbench.
    folder: PathBuf,
    desk: Desk,
}

impl Stand {
    /// Starts everything and loads `customers` customers and pgbench's tables. `binary` is Scrim's.
    pub fn start(binary: &Path, customers: u32) -> Result<Stand, String> {
        let certificate = certificate()?;
        let settings = [
            ("shared_buffers", "1GB"),
            ("max_connections", "1200"),
            ("max_wal_size", "8GB"),
            ("checkpoint_timeout", "1h"),
        ];
        let options = PostgresOptions {
            tls: Some(certificate.clone()),
            settings: settings.map(|(name, value)| (name.into(), value.into())).into(),
        };
        let desk = Desk::open_with("127.0.0.1:0", &options).map_err(|error| error.to_string())?;
        load(desk.server(), customers)?;
        let folder = desk.server().make_folder("load").map_err(|error| error.to_string())?;
        let scrim = |mode| scrim(&desk, binary, mode);
        let scrim = [scrim(Mode::Transaction)?, scrim(Mode::Session)?];
        let certificate_and_key = (certificate.0.as_str(), certificate.1.as_str());
        let pgbouncer = |mode: Mode| {
            let folder = format!("pgbouncer-{}", mode.word());
            PgBouncer::start(desk.server(), &folder, mode, certificate_and_key)
        };
        let pgbouncer = [pgbouncer(Mode::Transaction)?, pgbouncer(Mode::Session)?];
        let binary = binary.to_owned();
        Ok(Stand { scrim, pgbouncer, binary, certificate, customers, folder, desk })
    }

    /// Where a door leads to.
    pub fn target(&self, door: Door) -> Result<Target, String> {
        let server = SocketAddr::from(([127, 0, 0, 1], self.server().port()));
        let [shared, own] = &self.scrim;
        let [shared_bouncer, own_bouncer] = &self.pgbouncer;
        Ok(match door {
            Door::Direct => target(server, SERVICE_LOGIN, None),
            Door::PgBouncer(Mode::Transaction) => of_pgbouncer(shared_bouncer)?,
            Door::PgBouncer(Mode::Session) => of_pgbouncer(own_bouncer)?,
            Door::Masked(Mode::Transaction) => of_scrim(shared, "alice")?,
            Door::Masked(Mode::Session) => of_scrim(own, "alice")?,
            Door::Writer(Mode::Transaction) => of_scrim(shared, "aria")?,
            Door::Writer(Mode::Session) => of_scrim(own, "aria")?,
            Door::Untouched(Mode::Transaction) => of_scrim(shared, "dba")?,
            Door::Untouched(Mode::Session) => of_scrim(own, "dba")?,
        })
    }

    /// Scrim, as somebody in a role of `scenarios`.
    pub fn in_role(&self, role: &str, search_path: Option<&str>) -> Result<Target, String> {
        let [shared, _] = &self.scrim;
        let path = search_path.map_or_else(String::new, |path| format!(" -c search_path={path}"));
        Ok(Target { options: format!("-c scrim.role={role}{path}"), ..of_scrim(shared, "bench")? })
    }

    /// A proxy that has just been started, for what is only seen on a fresh one; it ends with what is returned.
    pub fn fresh(&self, door: Door) -> Result<(Fresh, Target), String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fresh-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        match door {
            Door::Direct => Ok((Fresh::Nothing, self.target(door)?)),
            Door::PgBouncer(mode) => {
                let certificate = (self.certificate.0.as_str(), self.certificate.1.as_str());
                let started = PgBouncer::start(self.server(), &name, mode, certificate)?;
                let target = of_pgbouncer(&started)?;
                Ok((Fresh::PgBouncer { _ended_with_us: started }, target))
            }
            Door::Masked(mode) => self.fresh_scrim(&name, mode, "alice"),
            Door::Writer(mode) => self.fresh_scrim(&name, mode, "aria"),
            Door::Untouched(mode) => self.fresh_scrim(&name, mode, "dba"),
        }
    }

    fn fresh_scrim(
        &self,
        name: &str,
        mode: Mode,
        user: &'static str,
    ) -> Result<(Fresh, Target), String> {
        let started = scrim_in(&self.desk, name, &self.binary, mode)?;
        let target = of_scrim(&started, user)?;
        Ok((Fresh::Scrim { _ended_with_us: started }, target))
    }

    /// What Scrim sends for a statement of a role where all masks are in SQL.
    pub fn sent(&self, role: &str, sql: &str) -> Result<String, String> {
        let folder = self.server().socket_folder().join("scrim-transaction");
        let configuration = folder.join("in-sql.yaml");
        write(&configuration, &(read(&folder.join("scrim.yaml"))? + "masks: in_sql\n"))?;
        let mut explain = Command::new(&self.binary);
        explain.args(["explain", "--format", "json", "--role", role, "--database", DATABASE]);
        explain.arg("--config");
        let text = crate::run::quietly(explain.arg(configuration).arg(sql))?;
        let explained: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| format!("`scrim explain`: {error}"))?;
        let sent = explained.pointer("/statements/0/sql").and_then(|sql| sql.as_str());
        sent.map(str::to_owned).ok_or_else(|| format!("`scrim explain` gives no SQL: {text}"))
    }

    /// The private server.
    pub fn server(&self) -> &PrivatePostgres {
        self.desk.server()
    }

    /// The postmaster's process.
    pub fn postmaster(&self) -> Result<u32, String> {
        let file = self.server().socket_folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let first = text.lines().next().and_then(|line| line.trim().parse().ok());
        first.ok_or_else(|| format!("{} begins with no number", file.display()))
    }

    /// How many customers were added; their numbers begin at 1001.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// A folder for scripts and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the proxies have said, for who must find out why something failed.
    pub fn said(&self) -> String {
        let mut said = BTreeMap::new();
        for (mode, scrim) in ["transaction", "session"].into_iter().zip(&self.scrim) {
            said.insert(format!("scrim, {mode}"), scrim.said());
        }
        for (mode, bouncer) in ["transaction", "session"].into_iter().zip(&self.pgbouncer) {
            said.insert(format!("pgbouncer, {mode}"), bouncer.said());
        }
        let end = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("\n  ")
        };
        said.iter().map(|(name, text)| format!("{name}:\n  {}\n", end(text))).collect()
    }

    /// Empties what Scrim has written: the trail of a few hours of measuring would fill a disk.
    pub fn empty_audit(&self) -> Result<(), String> {
        let trails = ["scrim-transaction", "scrim-session"]
            .map(|name| self.server().socket_folder().join(name).join("audit.jsonl"));
        for trail in trails.iter().filter(|trail| trail.exists()) {
            std::fs::OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(trail)
                .map_err(|error| format!("{}: {error}", trail.display()))?;
        }
        Ok(())
    }
}

/// A proxy that is there for one measurement.
pub enum Fresh {
    Nothing,
    PgBouncer { _ended_with_us: PgBouncer },
    Scrim { _ended_with_us: RunningScrim },
}

fn target(address: SocketAddr, user: &'static str, proxy: Option<u32>) -> Target {
    Target { address, user, password: sample_password(user), options: String::new(), proxy }
}

fn of_scrim(scrim: &RunningScrim, user: &'static str) -> Result<Target, String> {
    let pid = scrim.pid().ok_or("Scrim has no process")?;
    Ok(target(scrim.address(), user, Some(pid)))
}

fn of_pgbouncer(bouncer: &PgBouncer) -> Result<Target, String> {
    let pid = bouncer.pid().ok_or("PgBouncer has no process")?;
    Ok(target(bouncer.address, SERVICE_LOGIN, Some(pid)))
}

fn scrim(desk: &Desk, binary: &Path, mode: Mode) -> Result<RunningScrim, String> {
    scrim_in(desk, &format!("scrim-{}", mode.word()), binary, mode)
}

/// `scrim run` with the desk's rules and those for pgbench's tables, in a folder of its own.
fn scrim_in(desk: &Desk, name: &str, binary: &Path, mode: Mode) -> Result<RunningScrim, String> {
    let folder = desk.server().make_folder(name).map_err(|error| error.to_string())?;
    let mut roles = masks::roles();
    roles.push(tpch::ROLE.to_owned());
    let user = include_str!("../load/bench-user.yaml").replacen(
        "[ROLES]",
        &format!("[{}]", roles.join(", ")),
        1,
    );
    for (file, rules) in [
        ("60-pgbench", include_str!("../load/rules.yaml")),
        ("61-tpch", tpch::RULES),
        ("62-masks", &masks::rules()),
        ("63-bench-user", &user),
    ] {
        write(&desk.folder().join(format!("masking-rules/{file}.yaml")), rules)?;
    }
    let file = desk.configuration();
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let above = desk.folder().display();
    let text = text
        .replace("rules: masking-rules", &format!("rules: {above}/masking-rules"))
        .replace("certs/", &format!("{above}/certs/"))
        .replace("pseudonym.key", &format!("{above}/pseudonym.key"));
    let pool = format!("pool:\n  mode: {}\n  size: {}\n", mode.word(), mode.pool_size());
    let configuration = folder.join("scrim.yaml");
    write(&configuration, &(text + &pool))?;
    RunningScrim::start_with(binary, &configuration).map_err(|error| error.to_string())
}

fn load(server: &PrivatePostgres, customers: u32) -> Result<(), String> {
    let mut pgbench = Command::new(server.clients().join("pgbench"));
    pgbench
        .args(["--initialize", "--init-steps=dtGp", "--quiet", "--scale", &SCALE.to_string()])
        .args(["-U", SUPERUSER, "-p", &server.port().to_string(), "-h"])
        .arg(server.socket_folder())
        .arg(DATABASE);
    crate::run::quietly(&mut pgbench)?;
    let script = format!("\\set customers {customers}\n{}", include_str!("../load/customers.sql"));
    // Fewer customers, where it is only to be seen that it works: fewer orders.
    for script in [script, tpch::tables(ORDERS.min(customers))] {
        server.run(DATABASE, &script).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One for PostgreSQL and PgBouncer, made as Scrim's is.
fn certificate() -> Result<(String, String), String> {
    let folder = std::env::temp_dir().join(format!("scrim-bench-{}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let made = scrim::wire::certificates::make_certificates(&folder)
        .map_err(|error| error.to_string())
        .and_then(|()| Ok((read(&folder.join("server.crt"))?, read(&folder.join("server.key"))?)));
    let _ = std::fs::remove_dir_all(&folder);
    made
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
