//! The tables of a shared store: made by hand or by `scrim grant init`, and looked at before they are used.
//!
//! The account that Scrim uses need not own them. What it may do is what it does: a wish is never changed, what has happened
//! is only added to, and nothing is deleted.

use super::{Connected, SharedPlace};
use crate::ledger::Fault;
use crate::upstream::QueryError;

/// What this Scrim knows.
const VERSION: &str = "1";

const TABLES: &str = "\
CREATE SCHEMA scrim_grants;
CREATE TABLE scrim_grants.store (
  is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
  version integer NOT NULL,
  id text NOT NULL,
  steps bigint NOT NULL DEFAULT 0
);
CREATE TABLE scrim_grants.grants (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  wish text NOT NULL,
  asked_by text NOT NULL,
  asked_at bigint NOT NULL,
  break_glass boolean NOT NULL,
  state text NOT NULL CHECK (state IN ('asked', 'in force', 'rejected', 'revoked', 'expired')),
  decided_by text, decided_at bigint, until bigint,
  ended_by text, ended_at bigint
);
CREATE INDEX grants_live ON scrim_grants.grants (state, number) WHERE state IN ('asked', 'in force');
CREATE TABLE scrim_grants.happened (
  step bigint PRIMARY KEY,
  grant_number bigint NOT NULL REFERENCES scrim_grants.grants (number),
  action text NOT NULL,
  who text,
  at bigint NOT NULL
);
CREATE INDEX happened_of ON scrim_grants.happened (grant_number);
INSERT INTO scrim_grants.store (version, id) VALUES (1, gen_random_uuid());
";

/// What the account needs: SQL, and how PostgreSQL asks whether it is so.
const NEEDED: [(&str, &str); 9] = [
    ("USAGE ON SCHEMA scrim_grants", "has_schema_privilege(n.oid, 'USAGE')"),
    ("SELECT ON scrim_grants.store", "has_table_privilege(s.oid, 'SELECT')"),
    ("UPDATE (steps) ON scrim_grants.store", "has_column_privilege(s.oid, 'steps', 'UPDATE')"),
    ("SELECT ON scrim_grants.grants", "has_table_privilege(g.oid, 'SELECT')"),
    ("INSERT ON scrim_grants.grants", "has_table_privilege(g.oid, 'INSERT')"),
    (
        "UPDATE (state, decided_by, decided_at, until, ended_by, ended_at) ON scrim_grants.grants",
        "has_column_privilege(g.oid, 'state', 'UPDATE') AND has_column_privilege(g.oid, 'decided_by', 'UPDATE') \
         AND has_column_privilege(g.oid, 'decided_at', 'UPDATE') AND has_column_privilege(g.oid, 'until', 'UPDATE') \
         AND has_column_privilege(g.oid, 'ended_by', 'UPDATE') AND has_column_privilege(g.oid, 'ended_at', 'UPDATE')",
    ),
    ("SELECT ON scrim_grants.happened", "has_table_privilege(h.oid, 'SELECT')"),
    ("INSERT ON scrim_grants.happened", "has_table_privilege(h.oid, 'INSERT')"),
    ("CONNECT ON DATABASE", "has_database_privilege(current_database(), 'CONNECT')"),
];

/// What an owner of the database runs, for an account that owns nothing.
pub fn made_by_hand(place: &SharedPlace) -> String {
    let account = quoted(&place.endpoint.user);
    // A comment ends with its line.
    let told = |name: &str| quoted(name).replace(char::is_control, " ");
    let grants: String = NEEDED.iter().map(|(what, _)| granted(what, place, &account)).collect();
    format!(
        "-- In database {}, as its owner; the account has to be there: CREATE ROLE {} LOGIN PASSWORD '…'\n\
         BEGIN;\n{TABLES}{grants}COMMIT;",
        told(&place.database),
        told(&place.endpoint.user)
    )
}

fn granted(what: &str, place: &SharedPlace, account: &str) -> String {
    match what.ends_with("DATABASE") {
        true => format!("GRANT {what} {} TO {account};\n", quoted(&place.database)),
        false => format!("GRANT {what} TO {account};\n"),
    }
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Connected {
    /// Makes the tables, by the account itself.
    pub(super) async fn make(&mut self, place: &SharedPlace) -> Result<(), Fault> {
        let is_there = "SELECT 1 FROM pg_namespace WHERE nspname = 'scrim_grants'";
        if !self.ask(is_there, &[]).await?.is_empty() {
            return Err(Fault::IsThere(place.database.clone()));
        }
        let made = self.run(&format!("BEGIN; {TABLES} COMMIT")).await;
        made.map(drop).map_err(|fault| match fault {
            Fault::Query(QueryError::Server { code, message }) => {
                match code.as_str() {
                    "42501" => Fault::MayNotMake(place.endpoint.user.clone(), message),
                    // Somebody else was quicker.
                    "42P06" | "23505" => Fault::IsThere(place.database.clone()),
                    _ => Fault::Query(QueryError::Server { code, message }),
                }
            }
            fault => fault,
        })
    }

    /// Whether all is there, and may be used as it has to be. Gives the store's name.
    pub(super) async fn judge(&mut self, place: &SharedPlace) -> Result<String, Fault> {
        let privileges: Vec<String> =
            NEEDED.iter().map(|(_, asked)| format!("coalesce({asked}, false)")).collect();
        // Tables, and not views or whatever else somebody has put there.
        let tables = format!(
            "SELECT s.oid IS NOT NULL AND g.oid IS NOT NULL AND h.oid IS NOT NULL, {} FROM pg_namespace n \
             LEFT JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = 'store' AND s.relkind = 'r' \
             LEFT JOIN pg_class g ON g.relnamespace = n.oid AND g.relname = 'grants' AND g.relkind = 'r' \
             LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = 'happened' AND h.relkind = 'r' \
             WHERE n.nspname = 'scrim_grants'",
            privileges.join(", ")
        );
        let there = self.ask(&tables, &[]).await.map_err(other_columns)?;
        let Some([are_there, privileges @ ..]) = there.first().map(Vec::as_slice) else {
            return Err(Fault::Missing(place.database.clone()));
        };
        let is_true = |value: &Option<String>| value.as_deref() == Some("t");
        if !is_true(are_there) {
            return Err(Fault::Missing(place.database.clone()));
        }
        let account = quoted(&place.endpoint.user);
        let missing = NEEDED.iter().zip(privileges).filter(|(_, has)| !is_true(has));
        let missing: String =
            missing.map(|((what, _), _)| granted(what, place, &account)).collect();
        if !missing.is_empty() {
            let missing = missing.trim_end().replace('\n', " ");
            return Err(Fault::Privileges { account: place.endpoint.user.clone(), missing });
        }
        let store = self.ask("SELECT version, id FROM scrim_grants.store", &[]).await;
        let store = store.map_err(other_columns)?;
        match store.as_slice() {
            [row] => match row.as_slice() {
                [Some(version), Some(id)] if version == VERSION => Ok(id.clone()),
                [Some(version), _] => Err(Fault::Version(version.clone())),
                _ => Err(Fault::Unknown(super::STORE)),
            },
            _ => Err(Fault::Unknown(super::STORE)),
        }
    }
}

/// Tables by these names that are others.
fn other_columns(fault: Fault) -> Fault {
    match fault {
        Fault::Query(QueryError::Server { code, .. }) if code == "42703" => {
            Fault::Unknown(super::STORE)
        }
        fault => fault,
    }
}
