//! What each mask costs PostgreSQL, beside the raw column.

use std::time::Instant;

use super::{Case, Effort, Scenario, Way, ways};
use crate::client::Client;
use crate::figures::{Figures, Quantity};
use crate::processor;
use crate::stand::{Door, Stand, Target};

/// So many customers are read at most.
const ROWS: u32 = 200_000;

/// A mask as rules have it, on a column of `public.customers` and that column's tag.
struct Mask {
    name: &'static str,
    column: &'static str,
    tag: &'static str,
    rule: &'static str,
}

const fn mask(
    name: &'static str,
    column: &'static str,
    tag: &'static str,
    rule: &'static str,
) -> Mask {
    Mask { name, column, tag, rule }
}

const MASKS: [Mask; 21] = [
    mask("redact", "email", "contact.email", "redact"),
    mask("constant", "email", "contact.email", "{constant: none}"),
    mask("keep_first", "rrn", "identity.national_id", "{keep_first: 2}"),
    mask("keep_last", "rrn", "identity.national_id", "{keep_last: 4}"),
    mask("email", "email", "contact.email", "email"),
    mask("phone", "phone", "contact.phone", "phone"),
    mask("card", "card_number", "payment.card", "card"),
    mask("name", "name", "person.name", "name"),
    mask("round", "balance", "finance.balance", "{round: 1000}"),
    mask("cap", "balance", "finance.balance", "{cap: [0, 50000]}"),
    mask("noise", "balance", "finance.balance", "{noise: 0.1}"),
    mask("truncate", "birth_date", "person.birth_date", "{truncate: year}"),
    mask("shift", "birth_date", "person.birth_date", "{shift: 60, by: id}"),
    mask("when", "email", "contact.email", "{when: consented, then: email, else: redact}"),
    mask("replace", "notes", "text.free", "{replace: '[0-9]+', with: '#'}"),
    mask("scrub", "notes", "text.free", "{scrub: [email]}"),
    mask(
        "scrub_all",
        "notes",
        "text.free",
        "{scrub: [url, email, password, iban, ip, rrn, ssn, card, phone]}",
    ),
    mask("token", "name", "person.name", "{pseudonym: token, domain: people}"),
    mask("pseudonym_email", "email", "contact.email", "{pseudonym: email, domain: people}"),
    mask("digits", "phone", "contact.phone", "{pseudonym: digits}"),
    mask("json", "profile", "person.profile", "{json: {keep: [$.prefs.lang]}}"),
];

impl Mask {
    fn role(&self) -> String {
        format!("mask_{}", self.name)
    }

    fn case(&'static self) -> Case {
        let direct = |stand: &Stand| count(stand, stand.target(Door::Direct)?, self.column);
        let masked = |stand: &Stand| count(stand, stand.in_role(&self.role(), None)?, self.column);
        Case {
            name: self.name.into(),
            ways: vec![Way::new(ways::DIRECT, direct), Way::new(ways::SCRIM, masked)],
            bases: vec![ways::DIRECT],
        }
    }
}

pub fn scenario(_: Effort) -> Scenario {
    Scenario {
        name: "masks",
        title: "Masks in SQL",
        about: "`SELECT count(column)` over up to 200,000 customers: PostgreSQL computes the mask of each value and sends \
                one number. *direct* counts the raw column. The processor time by that of the raw column is the mask's \
                price and that of the sub-select.",
        unit: "row",
        cases: MASKS.iter().map(Mask::case).collect(),
        is_once: false,
    }
}

/// A role for each mask.
pub fn roles() -> Vec<String> {
    MASKS.iter().map(Mask::role).collect()
}

/// The rules of those roles.
pub fn rules() -> String {
    let role = |mask: &Mask| {
        format!(
            "  {}:\n    may: [read]\n    masks:\n      \"*\": redact\n      {}: {}\n",
            mask.role(),
            mask.tag,
            mask.rule
        )
    };
    format!("roles:\n{}", MASKS.iter().map(role).collect::<String>())
}

/// Rows a second, and processor time of PostgreSQL a row.
fn count(stand: &Stand, target: Target, column: &str) -> Result<Figures, String> {
    let rows = stand.customers().min(ROWS);
    let sql = format!(
        "SELECT count({column}) FROM public.customers WHERE id > 1000 AND id <= {}",
        1000_u32.saturating_add(rows)
    );
    let mut client = Client::connect(&target)?;
    let postmaster = stand.postmaster()?;
    let before = processor::of_family(postmaster)?;
    let began = Instant::now();
    client.count_rows(&sql)?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = processor::of_family(postmaster)?.saturating_sub(before);
    let rows = f64::from(rows);
    Ok(Figures::from([
        (Quantity::Rate, rows / seconds),
        (Quantity::ServerMicroseconds, spent.as_secs_f64() * 1e6 / rows),
    ]))
}
