//! The table: made by hand or by `scrim audit init`, and looked at before it is written.
//!
//! The account that Scrim uses need not own it. What it may do is what it does: add rows, and look which it has added.

use super::fault::Why;
use super::row::COLUMNS;
use super::{Connected, TablePlace};
use crate::upstream::QueryError;

/// By which a row is known: sent twice it is there once. With the time, an owner may part the table by it.
pub(super) const KEY: &str = "scrim, sequence, hash, time";

/// What has a value in every row.
const ALWAYS: [&str; 5] = ["sequence", "hash", "time", "event", "line"];

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Schema and table as SQL has them.
pub(super) fn full_name(place: &TablePlace) -> String {
    format!("{}.{}", quoted(&place.schema), quoted(&place.table))
}

fn create(place: &TablePlace) -> String {
    let table = full_name(place);
    let columns = COLUMNS.iter().map(|(name, of)| match ALWAYS.contains(name) {
        true => format!("  {name} {of} NOT NULL,\n"),
        false => format!("  {name} {of},\n"),
    });
    // The hash of a line that is another one would keep the right one out.
    format!(
        "CREATE TABLE {table} (\n  scrim text NOT NULL,\n{}  received timestamptz NOT NULL DEFAULT clock_timestamp(),\n  \
         PRIMARY KEY ({KEY}),\n  CHECK (hash = encode(sha256(convert_to(line, 'UTF8')), 'hex'))\n);\n\
         CREATE INDEX ON {table} (time);\n",
        columns.collect::<String>()
    )
}

/// What the account needs, as SQL.
fn granted(place: &TablePlace) -> [String; 4] {
    let (table, account) = (full_name(place), quoted(&place.endpoint.user));
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    [
        format!("GRANT CONNECT ON DATABASE {} TO {account};", quoted(&place.database)),
        format!("GRANT USAGE ON SCHEMA {} TO {account};", quoted(&place.schema)),
        format!("GRANT INSERT (scrim, {}) ON {table} TO {account};", names.join(", ")),
        format!("GRANT SELECT ({KEY}) ON {table} TO {account};"),
    ]
}

/// What an owner of the database runs, for an account that owns nothing.
pub fn table_by_hand(place: &TablePlace) -> String {
    // A comment ends with its line.
    let told = |name: &str| quoted(name).replace(char::is_control, " ");
    format!(
        "-- In database {}, as its owner; the account has to be there: CREATE ROLE {} LOGIN PASSWORD '…'\n\
         BEGIN;\nCREATE SCHEMA IF NOT EXISTS {};\n{}{}\nCOMMIT;",
        told(&place.database),
        told(&place.endpoint.user),
        quoted(&place.schema),
        create(place),
        granted(place).join("\n")
    )
}

impl Connected {
    /// Makes the table, by the account itself.
    pub(super) async fn make(&mut self, place: &TablePlace) -> Result<(), Why> {
        let schema = "SELECT oid FROM pg_namespace WHERE nspname = $1";
        let schema = match self.ask(schema, &[Some(&place.schema)]).await?.is_empty() {
            // Asked to make one that is there, it would ask for the right to make one.
            true => format!("CREATE SCHEMA {};", quoted(&place.schema)),
            false => String::new(),
        };
        let made = self.run(&format!("BEGIN; {schema} {} COMMIT", create(place))).await;
        made.map_err(|why| match why {
            Why::Query(QueryError::Server { code, message }) => match code.as_str() {
                "42501" => Why::MayNotMake {
                    account: place.endpoint.user.clone(),
                    table: place.named(),
                    message,
                },
                // Of two who make it at once one is told so by an index of the catalog.
                "42P07" | "42P06" | "23505" => Why::IsThere(place.named()),
                _ => Why::Query(QueryError::Server { code, message }),
            },
            why => why,
        })
    }

    /// Whether all is there, and may be used as it has to be: by adding no row, and looking for the last one.
    pub(super) async fn judge(&mut self, place: &TablePlace) -> Result<(), Why> {
        match self.connection.parameters.iter().find(|(name, _)| name == "server_encoding") {
            Some((_, encoding)) if encoding != "UTF8" => {
                return Err(Why::Encoding(encoding.clone()));
            }
            Some(_) | None => {}
        }
        self.add(place, []).await?;
        self.last(place).await.map(drop)
    }
}

/// What the server has said of the table, as somebody who looks after it wants to know it.
pub(super) fn explained(why: Why, place: &TablePlace) -> Why {
    match why {
        Why::Query(QueryError::Server { code, message }) => match code.as_str() {
            "3F000" | "42P01" => Why::Missing(place.named()),
            // No such column, another type, no such key, another kind of thing by that name.
            "42703" | "42804" | "42P10" | "42883" | "42809" | "55000" | "0A000" => {
                Why::Other { table: place.named(), message }
            }
            "42501" => Why::Privileges {
                account: place.endpoint.user.clone(),
                message,
                missing: granted(place).join(" "),
            },
            "25006" => Why::ReadOnly,
            _ => Why::Query(QueryError::Server { code, message }),
        },
        why => why,
    }
}
