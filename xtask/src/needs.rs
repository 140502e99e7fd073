//! What must be on the machine, and how it gets there: by apt-get where we may, else by a sentence.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::Outcome;
use crate::run;

/// What compiles Scrim: a C compiler for PostgreSQL's parser, and libclang with its headers for its bindings.
pub fn compiler() -> Outcome {
    need("a C compiler", "gcc (or clang) and make", &["gcc", "libc6-dev", "make"], || {
        ["cc", "gcc", "clang"].iter().any(|cc| run::works(cc, &["--version"]))
            && run::works("make", &["--version"])
    })?;
    need("libclang", "libclang with its headers (clang-devel, llvm)", &["libclang-dev"], || {
        libclang().is_some() && clang_headers()
    })?;
    // INVARIANT: single-threaded here; children inherit what `cargo` finds by itself or what `LIBCLANG_PATH` says.
    Ok(())
}

/// A C++ compiler, for libFuzzer itself.
pub fn cxx() -> Outcome {
    need("a C++ compiler", "g++ (or clang++)", &["g++"], || {
        ["c++", "g++", "clang++"].iter().any(|cxx| run::works(cxx, &["--version"]))
    })
}

/// A PostgreSQL server and psql, which may be of different versions.
pub fn postgres() -> Outcome {
    need("a PostgreSQL server", "a PostgreSQL server, 13 or newer", &["postgresql"], || {
        postgres_folder().is_some()
    })?;
    need("psql", "PostgreSQL's client programs", &["postgresql-client"], || {
        clients_folder().is_some()
    })?;
    if is_root() && !run::works("setpriv", &["--version"]) && !run::works("runuser", &["--version"])
    {
        return install("setpriv", "util-linux", &["util-linux"]);
    }
    Ok(())
}

/// What is measured beside Scrim, and by what.
pub fn benches() -> Outcome {
    // Debian has pgbench with the server, Fedora in a package of its own.
    need("pgbench", "pgbench (postgresql-contrib)", &["postgresql"], || {
        clients_folder().is_some_and(|folder| has(&folder, &["pgbench"]))
    })?;
    need("PgBouncer", "PgBouncer", &["pgbouncer"], || {
        run::works("pgbouncer", &["--version"]) || run::works("/usr/sbin/pgbouncer", &["--version"])
    })
}

/// The clients that the tests drive.
pub fn clients() -> Outcome {
    python()?;
    node()?;
    jdbc()?;
    odbc()?;
    gdal()
}

/// What the tests' Python can import: drivers, and DuckDB with its extension for PostgreSQL.
const PYTHON_IMPORTS: &str = "import psycopg, sqlalchemy.dialects.postgresql.psycopg, pyodbc, duckdb, \
                              duckdb_extension_postgres_scanner, pytz, asyncpg, \
                              django, psycopg2, pg8000; \
                              assert psycopg.pq.version() >= 180000";
/// The same as pip calls them; psycopg with a libpq that knows protocol 3.2. An extension is of one version of DuckDB.
const PYTHON_PACKAGES: [&str; 11] = [
    "psycopg[binary]>=3.3",
    "sqlalchemy>=2",
    "pyodbc>=5",
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-postgres-scanner==1.5.5",
    "pytz",
    "asyncpg",
    "django",
    "psycopg2-binary",
    "pg8000",
];

/// A Python with the clients: the system's, or one of our own below `target`.
fn python() -> Outcome {
    if python_with_clients().is_some() {
        return Ok(());
    }
    run::say("installing PostgreSQL's clients for Python");
    if may_install() {
        let _ = apt_install(&["python3", "python3-venv", "unixodbc"]);
    }
    let folder = run::target().join("python");
    run::succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .and_then(|()| {
            let mut pip = Command::new(folder.join("bin/python"));
            run::succeed(pip.args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES))
        })
        .map_err(|error| {
            format!(
                "{error}; please install Python 3 with `pip install '{}'`",
                PYTHON_PACKAGES.join("' '")
            )
        })?;
    match python_with_clients() {
        Some(_) => Ok(()),
        None => Err(format!("{} cannot do `{PYTHON_IMPORTS}`", folder.display())),
    }
}

/// Node.js, and below `target` the drivers for it.
fn node() -> Outcome {
    need("Node.js", "Node.js with npm", &["nodejs", "npm"], || {
        run::works("node", &["--version"]) && run::works("npm", &["--version"])
    })?;
    let folder = run::target().join("node");
    let modules = ["pg", "pg-cursor", "postgres"];
    if modules.iter().all(|name| folder.join("node_modules").join(name).is_dir()) {
        return Ok(());
    }
    run::say("installing node-postgres and postgres.js");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    run::succeed(npm.arg(&folder).args(["pg@8", "pg-cursor@2", "postgres@3"])).map_err(|error| {
        format!("{error}; npm must reach its registry, or have {} already", folder.display())
    })
}

/// ogr2ogr, as Debian's GDAL has it: with PostgreSQL.
fn gdal() -> Outcome {
    need("ogr2ogr", "GDAL with its PostgreSQL driver", &["gdal-bin"], || {
        run::works("ogr2ogr", &["--version"])
    })
}

/// psqlODBC under the name that it has in Debian.
fn odbc() -> Outcome {
    let packages = ["odbc-postgresql", "unixodbc"];
    need("psqlODBC", "psqlODBC, registered as `PostgreSQL Unicode`", &packages, || {
        let drivers = run::output("odbcinst", &["-q", "-d"]).unwrap_or_default();
        drivers.contains("PostgreSQL Unicode")
    })
}

/// A Java that runs a source file, and pgjdbc where Debian puts it.
fn jdbc() -> Outcome {
    let packages = ["default-jdk-headless", "libpostgresql-jdbc-java"];
    let elsewhere = "a JDK, and pgjdbc as /usr/share/java/postgresql.jar";
    need("Java with pgjdbc", elsewhere, &packages, || {
        Path::new("/usr/share/java/postgresql.jar").exists() && run::works("javac", &["-version"])
    })
}

/// The first Python that can import all. The tests look in the same places.
fn python_with_clients() -> Option<PathBuf> {
    let own = run::target().join("python/bin/python");
    let places = [own, PathBuf::from("python3"), PathBuf::from("/usr/bin/python3")];
    places.into_iter().find(|python| run::works(python, &["-c", PYTHON_IMPORTS]))
}

/// npm, which fetches servers of other versions.
pub fn npm() -> Outcome {
    need("npm", "npm, which comes with Node.js", &["npm"], || run::works("npm", &["--version"]))
}

/// tar and gzip, which unpack them.
pub fn tar() -> Outcome {
    need("tar", "tar and gzip", &["tar", "gzip"], || {
        run::works("tar", &["--version"]) && run::works("gzip", &["--version"])
    })
}

const SERVER: &[&str] = &["initdb", "postgres"];
const CLIENTS: &[&str] = &["psql"];

/// The folder with `initdb` and `postgres`, as `scrim::demo` finds it.
pub fn postgres_folder() -> Option<PathBuf> {
    if let Some(folder) = named("SCRIM_POSTGRES_BIN") {
        return Some(folder).filter(|folder| has(folder, SERVER));
    }
    let installed = installed();
    let whole = installed.iter().find(|folder| has(folder, SERVER) && has(folder, CLIENTS));
    whole.or_else(|| installed.iter().find(|folder| has(folder, SERVER))).cloned()
}

/// The folder with `psql`, as `scrim::demo` finds it.
fn clients_folder() -> Option<PathBuf> {
    if let Some(folder) = named("SCRIM_POSTGRES_CLIENT_BIN") {
        return Some(folder).filter(|folder| has(folder, CLIENTS));
    }
    postgres_folder().into_iter().chain(installed()).find(|folder| has(folder, CLIENTS))
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

fn has(folder: &Path, programs: &[&str]) -> bool {
    programs.iter().all(|name| folder.join(name).is_file())
}

/// Folders in which programs of PostgreSQL are found: PATH, then those of each version.
fn installed() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fedora = children("/usr").into_iter().filter(|folder| {
        folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgsql-"))
    });
    let versions = children("/usr/lib/postgresql").into_iter().chain(fedora);
    std::env::split_paths(&path).chain(versions.map(|folder| folder.join("bin"))).collect()
}

fn libclang() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LIBCLANG_PATH") {
        return Some(PathBuf::from(folder));
    }
    let folders = children("/usr/lib")
        .into_iter()
        .filter(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("llvm") || name.ends_with("-linux-gnu")
        })
        .flat_map(|folder| [folder.join("lib"), folder])
        .chain(["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(PathBuf::from))
        .chain(children("/Library/Developer/CommandLineTools/usr"));
    folders.into_iter().find(|folder| {
        children(folder).iter().any(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("libclang.so")
                || name.starts_with("libclang-")
                || name == "libclang.dylib"
        })
    })
}

/// clang's own headers (stddef.h) come in a package of their own; libclang without them compiles nothing.
fn clang_headers() -> bool {
    std::env::var_os("BINDGEN_EXTRA_CLANG_ARGS").is_some()
        || cfg!(target_os = "macos")
        || children("/usr/lib")
            .into_iter()
            .flat_map(|folder| [folder.join("lib/clang"), folder])
            .chain([PathBuf::from("/usr/lib/clang"), PathBuf::from("/usr/lib64/clang")])
            .filter(|folder| folder.ends_with("clang"))
            .flat_map(children)
            .any(|version| version.join("include/stddef.h").is_file())
}

/// The entries of a folder, newest version (highest name) first; none if it cannot be read.
fn children(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0)
    };
    paths.sort_by_key(|path| std::cmp::Reverse(number(path)));
    paths
}

/// Asks, installs, asks again.
fn need(what: &str, elsewhere: &str, packages: &[&str], there: impl Fn() -> bool) -> Outcome {
    if there() {
        return Ok(());
    }
    install(what, elsewhere, packages)?;
    match there() {
        true => Ok(()),
        false => Err(format!("{what} is still not found after installing {}", packages.join(" "))),
    }
}

fn install(what: &str, elsewhere: &str, packages: &[&str]) -> Outcome {
    run::say(&format!("installing {what}"));
    if !may_install() {
        return Err(format!(
            "{what} is missing and this user may not install it; please install it \
             (Debian, Ubuntu: `sudo apt-get install {}`; elsewhere: {elsewhere})",
            packages.join(" ")
        ));
    }
    apt_install(packages)
}

/// True for root, or with a sudo that asks nothing, where there is apt-get.
fn may_install() -> bool {
    run::works("apt-get", &["--version"]) && (is_root() || run::works("sudo", &["-n", "true"]))
}

/// True for root, as whom PostgreSQL does not run.
pub fn is_root() -> bool {
    run::output("id", &["-u"]).as_deref() == Some("0")
}

fn apt_install(packages: &[&str]) -> Outcome {
    // Once for all packages; a machine image comes with lists that are old or absent.
    static UPDATED: OnceLock<Outcome> = OnceLock::new();
    UPDATED.get_or_init(|| apt_get(&["update", "-qq"])).clone()?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> Outcome {
    let mut command = match is_root() {
        true => Command::new("apt-get"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        }
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // Another apt (unattended upgrades on a machine just started) may hold the lock for a while.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    run::succeed(&mut command)
}
