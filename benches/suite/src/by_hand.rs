//! The masks by hand are the masks: nothing is compared that gives other rows.

use crate::client::Client;
use crate::stand::{Door, Mode, Stand};
use crate::statements::{BULK, BULK_BY_HAND, SELECT, SELECT_BY_HAND};

/// Rows of the long statement that are compared.
const ROWS: u32 = 2_000;

/// Fails if Scrim's rows and those by hand differ, or if they are the true ones.
pub fn check(stand: &Stand) -> Result<(), String> {
    let connect = |door| Client::connect(&stand.target(door)?);
    let mut direct = connect(Door::Direct)?;
    let mut scrim = connect(Door::Masked(Mode::Transaction))?;
    let first = |sql: &str| format!("{sql} AND id <= {} ORDER BY id", 1000 + ROWS);
    // The last line of a script of pgbench's is the statement.
    let one = |script: &str| {
        script.trim().lines().last().unwrap_or_default().replace(":id", "1007").replace(';', "")
    };
    for (plain, by_hand) in [(first(BULK), first(BULK_BY_HAND)), (one(SELECT), one(SELECT_BY_HAND))]
    {
        let masked = scrim.rows(&plain)?;
        if masked.is_empty() || masked != direct.rows(&by_hand)? {
            return Err(format!("Scrim's rows of `{plain}` are not those of `{by_hand}`"));
        }
        if masked == direct.rows(&plain)? {
            return Err(format!("nothing is masked in `{plain}`"));
        }
    }
    Ok(())
}
