//! Where PostgreSQL's programs are: those of the server, and those of clients, which need not be of the same version.
//!
//! Servers of other versions come without psql and pg_dump; both speak to servers that are older or newer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::postgres::PostgresError;

/// The folder with `initdb` and `postgres`; a user may name it.
const SERVER_VARIABLE: &str = "SCRIM_POSTGRES_BIN";
/// The folder with `psql`, `pg_dump` and `pgbench`; a user may name it.
const CLIENTS_VARIABLE: &str = "SCRIM_POSTGRES_CLIENT_BIN";

const SERVER: &[&str] = &["initdb", "postgres"];
const CLIENTS: &[&str] = &["psql"];
/// A whole installation.
const BOTH: &[&str] = &["initdb", "postgres", "psql"];

/// Folders of programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    /// With `initdb` and `postgres`.
    pub(super) server: PathBuf,
    /// With `psql`, and where they are installed `pg_dump` and `pgbench`.
    pub(super) clients: PathBuf,
}

impl Programs {
    /// Finds both.
    pub(super) fn find() -> Result<Programs, PostgresError> {
        let variable = |name: &str| std::env::var_os(name);
        Programs::find_in(variable, &installed())
    }

    /// The folders that variables name, else the first that has the programs. Those of one folder belong together.
    fn find_in(
        variable: impl Fn(&str) -> Option<OsString>,
        installed: &[PathBuf],
    ) -> Result<Programs, PostgresError> {
        let named = |name: &str| variable(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let first = |programs| installed.iter().find(|folder| has(folder, programs)).cloned();
        let server = match named(SERVER_VARIABLE) {
            Some(folder) if has(&folder, SERVER) => folder,
            Some(folder) => {
                return Err(PostgresError::NotInstalled { looked: folder.display().to_string() });
            }
            None => first(BOTH).or_else(|| first(SERVER)).ok_or_else(|| {
                PostgresError::NotInstalled {
                    looked: "PATH, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin".into(),
                }
            })?,
        };
        let clients = match named(CLIENTS_VARIABLE) {
            Some(folder) if has(&folder, CLIENTS) => Some(folder),
            Some(folder) => {
                return Err(PostgresError::NoClients { looked: folder.display().to_string() });
            }
            None if has(&server, CLIENTS) => Some(server.clone()),
            None => first(CLIENTS),
        };
        match clients {
            Some(clients) => Ok(Programs { server, clients }),
            None => Err(PostgresError::NoClients {
                looked: format!(
                    "{}, PATH, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin",
                    server.display()
                ),
            }),
        }
    }
}

fn has(folder: &Path, programs: &[&str]) -> bool {
    programs.iter().all(|name| folder.join(name).is_file())
}

/// Folders in which programs of PostgreSQL are found: PATH, then those of each version, the newest first.
/// Debian and Fedora keep the server programs of each version in a folder of their own, away from PATH.
fn installed() -> Vec<PathBuf> {
    let mut versions = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
            if let Some(version) = version {
                versions.push((version, entry.path().join("bin")));
            }
        }
    }
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = versions.into_iter().rev().map(|(_, folder)| folder);
    std::env::split_paths(&path).chain(versions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files of these names.
    fn folder(root: &Path, name: &str, programs: &[&str]) -> PathBuf {
        let folder = root.join(name);
        std::fs::create_dir(&folder).expect("a folder");
        for program in programs {
            std::fs::write(folder.join(program), "").expect("a file");
        }
        folder
    }

    #[test]
    fn the_server_and_the_clients_may_be_apart() {
        let root = tempfile::tempdir().expect("a folder");
        let bare = folder(root.path(), "bare", SERVER);
        let whole = folder(root.path(), "whole", &["initdb", "postgres", "psql"]);
        let wrapper = folder(root.path(), "wrapper", CLIENTS);
        let empty = folder(root.path(), "empty", &[]);
        let find = |server: Option<&Path>, clients: Option<&Path>, installed: &[&PathBuf]| {
            let variable = |name: &str| {
                let named = if name == SERVER_VARIABLE { server } else { clients };
                named.map(|path| path.as_os_str().to_owned())
            };
            let installed: Vec<PathBuf> = installed.iter().map(|path| (*path).clone()).collect();
            Programs::find_in(variable, &installed).map_err(|error| error.to_string())
        };
        let both = |server: &PathBuf, clients: &PathBuf| {
            Ok(Programs { server: server.clone(), clients: clients.clone() })
        };
        // What is installed whole comes before a wrapper on PATH, as Debian has one.
        assert_eq!(find(None, None, &[&wrapper, &whole]), both(&whole, &whole));
        assert_eq!(find(None, None, &[&bare, &wrapper]), both(&bare, &wrapper));
        assert_eq!(find(Some(&bare), None, &[&wrapper, &whole]), both(&bare, &wrapper));
        assert_eq!(find(Some(&bare), Some(&whole), &[&wrapper]), both(&bare, &whole));
        assert_eq!(find(Some(Path::new("")), None, &[&whole]), both(&whole, &whole));
        for (found, expected) in [
            (find(Some(&empty), None, &[&whole]), "SCRIM_POSTGRES_BIN"),
            (find(None, None, &[&wrapper]), "no PostgreSQL server"),
            (find(Some(&bare), None, &[&empty]), "no psql"),
            (find(Some(&bare), Some(&empty), &[&whole]), "SCRIM_POSTGRES_CLIENT_BIN"),
        ] {
            let error = found.expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
