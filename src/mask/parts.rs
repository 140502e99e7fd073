//! Deep masks, in parts.
//!
//! A document's mask is as deep as its paths, and the parser by which a template is proven reads some fifty nodes deep
//! only. So a mask is cut: a part is an expression of its own, and where it stands there is a name. Each part is proven
//! like the rest, and stands in the whole in parentheses, so that it is read as it was proven.
//!
//! INVARIANT: no text of the rules or of the database holds such a name; whoever puts one into a mask asks first.

use std::cell::RefCell;

use super::Expression;

/// How the names of parts begin.
const NAME: &str = "scrim$part";

/// The parts of one mask.
#[derive(Debug, Default)]
pub(super) struct Parts(RefCell<Vec<String>>);

impl Parts {
    /// True for a text that could not be told from a name.
    pub(super) fn are_named_in(text: &str) -> bool {
        text.contains(NAME)
    }

    /// Puts an expression away; gives the name that stands for it.
    pub(super) fn name(&self, part: String) -> String {
        let mut parts = self.0.borrow_mut();
        parts.push(part);
        name(parts.len().saturating_sub(1))
    }

    /// The same for what has sub-selects of its own; what has none may stay where it is.
    pub(super) fn cut(&self, sql: String) -> String {
        if sql.contains("(SELECT ") { self.name(sql) } else { sql }
    }

    /// The mask with every part in its place.
    pub(super) fn whole(self, outline: String) -> Expression {
        let parts = self.0.into_inner();
        // A part only holds the names of those before it.
        let mut wholes: Vec<String> = Vec::with_capacity(parts.len());
        for part in &parts {
            let whole = filled(part, &wholes);
            wholes.push(whole);
        }
        Expression { sql: filled(&outline, &wholes), outline, parts }
    }
}

/// Ends with what does not belong to the number.
fn name(index: usize) -> String {
    format!("{NAME}{index}$")
}

fn filled(text: &str, wholes: &[String]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(NAME) {
        filled.push_str(before);
        rest = tail;
        let found = tail.split_once('$').and_then(|(index, behind)| {
            let index: usize = index.parse().ok()?;
            Some((wholes.get(index)?, behind))
        });
        if let Some((whole, behind)) = found {
            filled.push('(');
            filled.push_str(whole);
            filled.push(')');
            rest = behind;
        } else {
            // No column has such a name: what is left of it cannot be run.
            filled.push_str(NAME);
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn parts_come_back_in_parentheses() {
        let parts = Parts::default();
        let inner = parts.name("1 + 1".into());
        let outer = parts.name(format!("2 * {inner}"));
        let expression = parts.whole(format!("f({outer}, {inner})"));
        assert_eq!(expression.sql, "f((2 * (1 + 1)), (1 + 1))");
        assert_eq!(expression.outline, "f(scrim$part1$, scrim$part0$)");
        assert_eq!(expression.parts, ["1 + 1", "2 * scrim$part0$"]);
        assert!(Parts::are_named_in("a scrim$part1$"));
    }
}
