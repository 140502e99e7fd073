//! `SHOW scrim.…` for roles that are passed through: what PostgreSQL cannot know. Pure.
//!
//! Answered by PostgreSQL, as a SELECT of constants, so that transaction state and the order of replies are its own. For
//! masked roles the plan does the same.

use super::settings::literal;
use crate::pool::Figures;

/// What an untouched session can say of itself.
pub struct Told<'a> {
    /// The Scrim user.
    pub user: &'a str,
    /// Its role.
    pub role: &'a str,
}

/// The setting that a text asks for, where it is one of Scrim's: `SHOW scrim.pools`, in any case and spacing.
pub fn asked(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches(';');
    let words: Vec<&str> = text.split_whitespace().collect();
    let [show, name] = words.as_slice() else { return None };
    let known = ["scrim.pools", "scrim.role", "scrim.user"];
    let name = name.replace('"', "");
    known
        .into_iter()
        .find(|known| show.eq_ignore_ascii_case("show") && name.eq_ignore_ascii_case(known))
}

/// The text that answers it.
pub fn answer(setting: &str, told: &Told<'_>, pools: impl FnOnce() -> Vec<Figures>) -> String {
    match setting {
        "scrim.pools" => self::pools(&pools()),
        "scrim.role" => constant(setting, told.role),
        _ => constant(setting, told.user),
    }
}

fn constant(name: &str, value: &str) -> String {
    format!("SELECT CAST({} AS pg_catalog.text) AS \"{name}\"", literal(value))
}

fn pools(figures: &[Figures]) -> String {
    let columns = "database, login, roles, size, in_use, idle, waiting, waits, waited_ms";
    let row = |place: &Figures| {
        format!(
            "({}, {}, {}, {}, {}, {}, {}, {}, {})",
            literal(&place.database),
            literal(&place.user),
            literal(if place.is_untouched { "untouched" } else { "masked" }),
            place.size,
            place.in_use,
            place.idle,
            place.waiting,
            place.waits,
            place.waited_ms
        )
    };
    let rows: Vec<String> = figures.iter().map(row).collect();
    // The session that asks has a connection, so there is a row.
    format!("SELECT {columns} FROM (VALUES {}) AS pools({columns})", rows.join(", "))
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn any_case_and_spacing_and_nothing_else() {
        for text in ["SHOW scrim.pools", " show\n SCRIM.Pools ; ", "SHOW scrim.\"pools\""] {
            assert_eq!(asked(text), Some("scrim.pools"), "{text}");
        }
        for text in ["SHOW scrim.pools; SELECT 1", "SHOW pools", "SELECT 1", "SHOW scrim.masks"] {
            assert_eq!(asked(text), None, "{text}");
        }
    }
}
