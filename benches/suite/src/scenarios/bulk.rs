//! All customers at once.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Instant;

use super::{Case, Effort, Scenario, Way, ways};
use crate::client::Client;
use crate::figures::{Figures, Quantity};
use crate::processor;
use crate::stand::{Door, Mode, Stand};
use crate::statements::{BULK, BULK_BY_HAND};

/// Which text goes through a door.
#[derive(Debug, Clone, Copy)]
enum Text {
    Plain,
    ByHand,
    /// What Scrim makes of the plain one where all masks are in SQL.
    Scrims,
}

pub fn scenario(_: Effort) -> Scenario {
    Scenario {
        name: "bulk",
        title: "All customers",
        about: "Four masked columns of text and the key, of every customer. `masks by hand` is the same answer by SQL that \
                somebody has written for it, `Scrim's SQL` is what Scrim sends where it leaves all masks to PostgreSQL, without Scrim; the others send the plain \
                statement, which Scrim masks as the rows pass, and in COPY by SQL. The client counts rows and throws them away.",
        unit: "row",
        cases: vec![case("SELECT"), case("COPY")],
        is_once: false,
    }
}

/// `kind` names the case, and the targets look for it.
fn case(kind: &'static str) -> Case {
    let shared = Mode::Transaction;
    let ways = [
        (ways::DIRECT, Door::Direct, Text::Plain),
        (ways::DIRECT_BY_HAND, Door::Direct, Text::ByHand),
        (ways::DIRECT_SCRIMS_SQL, Door::Direct, Text::Scrims),
        (ways::PGBOUNCER, Door::PgBouncer(shared), Text::Plain),
        (ways::PGBOUNCER_BY_HAND, Door::PgBouncer(shared), Text::ByHand),
        (ways::SCRIM, Door::Masked(shared), Text::Plain),
        (ways::SCRIM_UNTOUCHED, Door::Untouched(shared), Text::Plain),
    ];
    let made = Rc::new(OnceCell::new());
    let ways = ways.into_iter().map(|(name, door, text)| {
        let made = Rc::clone(&made);
        Way::new(name, move |stand| {
            let sql = match text {
                Text::Plain => BULK.to_owned(),
                Text::ByHand => BULK_BY_HAND.to_owned(),
                Text::Scrims => match made.get() {
                    Some(sql) => String::clone(sql),
                    None => {
                        let sent = stand.sent("support", BULK)?;
                        made.get_or_init(|| sent).clone()
                    }
                },
            };
            let sql = match kind {
                "COPY" => format!("COPY ({sql}) TO STDOUT"),
                _ => sql,
            };
            read(stand, door, &sql)
        })
    });
    let bases = vec![ways::DIRECT, ways::DIRECT_BY_HAND, ways::DIRECT_SCRIMS_SQL, ways::PGBOUNCER];
    Case { name: kind.into(), ways: ways.collect(), bases }
}

/// Reads it once: rows a second, processor time of the proxy and of PostgreSQL a row.
fn read(stand: &Stand, door: Door, sql: &str) -> Result<Figures, String> {
    let target = stand.target(door)?;
    let postmaster = stand.postmaster()?;
    let mut client = Client::connect(&target)?;
    let proxy_time = || target.proxy.map(processor::of_process).transpose();
    let (proxy, server) = (proxy_time()?, processor::of_family(postmaster)?);
    let began = Instant::now();
    let rows = client.count_rows(sql)?;
    let seconds = began.elapsed().as_secs_f64();
    let (proxy_after, server_after) = (proxy_time()?, processor::of_family(postmaster)?);
    if rows != u64::from(stand.customers()) {
        return Err(format!("{rows} rows, and there are {} customers", stand.customers()));
    }
    let rows = f64::from(stand.customers());
    let each = |spent: std::time::Duration| spent.as_secs_f64() * 1e6 / rows;
    let mut figures = Figures::from([
        (Quantity::Rate, rows / seconds),
        (Quantity::ServerMicroseconds, each(server_after.saturating_sub(server))),
    ]);
    if let (Some(before), Some(after)) = (proxy, proxy_after) {
        figures.insert(Quantity::ProxyMicroseconds, each(after.saturating_sub(before)));
    }
    Ok(figures)
}
