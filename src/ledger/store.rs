//! The file: one table of grants, one of what has happened to them.
//!
//! Whoever changes a grant reads it, decides and writes in one transaction that nobody else can be in
//! (`BEGIN IMMEDIATE`), so two people cannot decide about one request.
//!
//! Changes of others are noticed by `PRAGMA data_version`, a counter in the head of the file that SQLite looks at under
//! its own lock: it says what has been committed, by whatever process, and needs no events of the file system, which miss
//! what happens on a network's. A file that was put in the place of the old one is noticed by its inode.
//! <https://www.sqlite.org/pragma.html#pragma_data_version>

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use super::{Fault, Happened, first_step, last_step};
use crate::grants::{Grant, State};

/// What is meant where something is wrong with it.
const FILE: &str = "file";
/// What the file holds; another number is another Scrim's.
const VERSION: i64 = 1;
/// How long somebody else may hold the file.
const PATIENCE: Duration = Duration::from_secs(2);

const TABLES: &str = "
CREATE TABLE grants (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  wish TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  break_glass INTEGER NOT NULL,
  state TEXT NOT NULL,
  decided_by TEXT, decided_at INTEGER, until INTEGER,
  ended_by TEXT, ended_at INTEGER
) STRICT;
CREATE TABLE happened (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  grant_number INTEGER NOT NULL REFERENCES grants (number),
  action TEXT NOT NULL,
  who TEXT,
  at INTEGER NOT NULL,
  is_told INTEGER NOT NULL DEFAULT 0
) STRICT;
PRAGMA user_version = 1;
";

const COLUMNS: &str = "number, wish, asked_by, asked_at, break_glass, state, decided_by, decided_at, \
                       until, ended_by, ended_at";

/// The file, open.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    inode: (u64, u64),
    seen: Option<i64>,
}

impl Store {
    /// Opens the file; where there is none, an empty one is made that its owner alone can read.
    ///
    /// # Errors
    /// It cannot be opened, or is something else.
    pub fn open(path: &Path) -> Result<Store, Fault> {
        // By us, and not by SQLite, for the permissions.
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let making = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = making.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let is_new = making
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?
            == 0;
        match (version, is_new) {
            (VERSION, _) => {}
            (0, true) => making.execute_batch(TABLES)?,
            _ => return Err(Fault::Unknown(FILE)),
        }
        making.commit()?;
        let inode = inode(path)?;
        Ok(Store { connection, path: path.to_owned(), inode, seen: None })
    }

    /// True when another process has changed something since this was asked last, and at the first time.
    ///
    /// # Errors
    /// The file is not what it was, or cannot be read.
    pub fn has_changed(&mut self) -> Result<bool, Fault> {
        if inode(&self.path)? != self.inode {
            return Err(Fault::Unknown(FILE));
        }
        let now: i64 = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        let has_changed = self.seen != Some(now);
        self.seen = Some(now);
        Ok(has_changed)
    }

    /// Those that are asked for or in force; with `all`, the others too, the latest last.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn grants(&self, all: bool) -> Result<Vec<Grant>, Fault> {
        let which = if all { "" } else { "WHERE state IN ('asked', 'in force')" };
        let text = format!("SELECT {COLUMNS} FROM grants {which} ORDER BY number");
        let mut statement = self.connection.prepare(&text)?;
        let rows = statement.query_map([], |row| Ok(grant(row)))?;
        rows.map(|row| row?).collect()
    }

    /// One more.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, grant: Grant) -> Result<Grant, Fault> {
        let wish = serde_json::to_string(&grant.wish).map_err(|_| Fault::Unknown(FILE))?;
        let adding = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        adding.execute(
            "INSERT INTO grants (wish, asked_by, asked_at, break_glass, state, decided_by, decided_at, until) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                wish,
                grant.asked_by,
                grant.asked_at,
                grant.break_glass,
                grant.state.word(),
                grant.decided_by,
                grant.decided_at,
                grant.until
            ],
        )?;
        let number = adding.last_insert_rowid();
        note(&adding, number, first_step(&grant), Some(&grant.asked_by), grant.asked_at)?;
        adding.commit()?;
        Ok(Grant { number: u64::try_from(number).map_err(|_| Fault::Unknown(FILE))?, ..grant })
    }

    /// Changes one, by what is decided about it as it stands.
    ///
    /// # Errors
    /// There is none, or what was decided is that it may not be; the file cannot be written.
    pub fn change(
        &mut self,
        number: u64,
        action: &str,
        decide: impl FnOnce(Grant) -> Result<Grant, String>,
    ) -> Result<Grant, Fault> {
        let row = i64::try_from(number).map_err(|_| Fault::NoSuch(number))?;
        let changing = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let text = format!("SELECT {COLUMNS} FROM grants WHERE number = ?1");
        let found = changing.query_row(&text, [row], |row| Ok(grant(row))).optional()?;
        let found = found.ok_or(Fault::NoSuch(number))??;
        let changed = decide(found).map_err(Fault::Refused)?;
        write(&changing, row, &changed)?;
        let (who, at) = last_step(&changed);
        note(&changing, row, action, who, at)?;
        changing.commit()?;
        Ok(changed)
    }

    /// Writes down that those are over whose time is up. True: there were some.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn expire(&mut self, now: i64) -> Result<bool, Fault> {
        let over = self.grants(false)?;
        let over =
            over.iter().filter(|grant| grant.state == State::InForce && !grant.is_in_force(now));
        let numbers: Vec<u64> = over.map(|grant| grant.number).collect();
        let has_expired = !numbers.is_empty();
        for number in numbers {
            self.change(number, "expired", |grant| match grant.state {
                State::InForce if !grant.is_in_force(now) => {
                    let ended_at = grant.until;
                    Ok(Grant { state: State::Expired, ended_at, ..grant })
                }
                // Somebody was quicker.
                state => Err(state.word().to_owned()),
            })
            .map(drop)
            .or_else(|fault| match fault {
                Fault::Refused(_) => Ok(()),
                fault => Err(fault),
            })?;
        }
        Ok(has_expired)
    }

    /// What has happened and has not been told to the audit.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn untold(&self) -> Result<Vec<Happened>, Fault> {
        let of_grants = COLUMNS.split(", ").map(|name| format!("g.{name}"));
        let text = format!(
            "SELECT {}, h.number, h.action, h.who, h.at FROM happened h JOIN grants g \
             ON g.number = h.grant_number WHERE h.is_told = 0 ORDER BY h.number",
            of_grants.collect::<Vec<_>>().join(", ")
        );
        let mut statement = self.connection.prepare(&text)?;
        let rows = statement.query_map([], |row| {
            Ok((grant(row), row.get(11)?, row.get(12)?, row.get(13)?, row.get(14)?))
        })?;
        rows.map(|row| {
            let (grant, number, action, who, at) = row?;
            Ok(Happened { number, action, who, at, grant: grant? })
        })
        .collect()
    }

    /// It stands in the audit.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn told(&mut self, number: i64) -> Result<(), Fault> {
        self.connection.execute("UPDATE happened SET is_told = 1 WHERE number = ?1", [number])?;
        Ok(())
    }
}

fn inode(path: &Path) -> Result<(u64, u64), Fault> {
    let about = std::fs::metadata(path)?;
    Ok((about.dev(), about.ino()))
}

fn write(connection: &Connection, number: i64, grant: &Grant) -> Result<(), Fault> {
    connection.execute(
        "UPDATE grants SET state = ?2, decided_by = ?3, decided_at = ?4, until = ?5, ended_by = ?6, \
         ended_at = ?7 WHERE number = ?1",
        params![
            number,
            grant.state.word(),
            grant.decided_by,
            grant.decided_at,
            grant.until,
            grant.ended_by,
            grant.ended_at
        ],
    )?;
    Ok(())
}

fn note(
    connection: &Connection,
    number: i64,
    action: &str,
    who: Option<&str>,
    at: i64,
) -> Result<(), Fault> {
    connection.execute(
        "INSERT INTO happened (grant_number, action, who, at) VALUES (?1, ?2, ?3, ?4)",
        params![number, action, who, at],
    )?;
    Ok(())
}

/// What cannot be read makes all of the file unread: one that is left out might be the one that was revoked.
fn grant(row: &Row<'_>) -> Result<Grant, Fault> {
    let number: i64 = row.get(0)?;
    let (wish, state): (String, String) = (row.get(1)?, row.get(5)?);
    Ok(Grant {
        number: u64::try_from(number).map_err(|_| Fault::Unknown(FILE))?,
        wish: serde_json::from_str(&wish).map_err(|_| Fault::Unknown(FILE))?,
        asked_by: row.get(2)?,
        asked_at: row.get(3)?,
        break_glass: row.get(4)?,
        state: State::of(&state).ok_or(Fault::Unknown(FILE))?,
        decided_by: row.get(6)?,
        decided_at: row.get(7)?,
        until: row.get(8)?,
        ended_by: row.get(9)?,
        ended_at: row.get(10)?,
    })
}

#[cfg(test)]
mod tests;
