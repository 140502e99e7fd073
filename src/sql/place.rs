//! Holes for statements that sqlparser cannot read: by the places that PostgreSQL's own parser gives.
//!
//! It does less than the rewriter: a name becomes a hole with an alias, an open relation gets its full name,
//! nothing is moved or pinned. Statements that would need more are refused. The verifier stands behind it all the
//! same.

use pg_query::protobuf::{ScanToken, Token};

use super::Speaker;
use super::hole::{HOLE_SCHEMA, Hole};
use super::refusal::Refusal;
use super::resolve::{Target, resolve};
use super::rewrite::{Rewritten, may_mention};
use super::system;
use super::verify::AsWritten;
use crate::grammar;

/// Puts holes into a canonical text.
pub(super) fn place(canonical: &str, speaker: Speaker<'_>) -> Result<Rewritten, Refusal> {
    let lost = || Refusal::not_understood("neither sqlparser nor the scanner can place it");
    if system::has_absent(speaker) && may_mention(canonical) {
        return Err(lost());
    }
    let statements = grammar::parse(canonical).map_err(|error| Refusal::syntax(&error))?;
    let [statement] = statements.as_slice() else { return Err(lost()) };
    let mut relations = grammar::prove(statement, &AsWritten(speaker))
        .map_err(|found| Refusal::violation(&found, &speaker.view.role().name))?
        .relations;
    relations.sort_by_key(|relation| relation.location);
    let tokens = grammar::tokens(canonical).ok_or_else(lost)?;
    if tokens.iter().any(|token| token.token() == Token::Tablesample) {
        return Err(lost());
    }
    // Groups by a primary key, and columns with a schema, mean less over a sub-select.
    let starts = |index: usize| {
        relations.iter().any(|r| {
            tokens.get(index).and_then(|t| usize::try_from(t.start).ok()) == Some(r.location)
        })
    };
    let dotted = |index: usize| tokens.get(index).is_some_and(|t| t.token() == Token::Ascii46);
    let three = |index: usize| {
        dotted(index.saturating_add(1)) && dotted(index.saturating_add(3)) && !starts(index)
    };
    // GROUP BY DISTINCT is of grouping sets, by which nothing depends on a key.
    let groups = tokens.windows(3).any(|three| {
        matches!(three, [group, by, next] if group.token() == Token::GroupP
            && by.token() == Token::By && next.token() != Token::Distinct)
    });
    if groups || (0..tokens.len()).any(three) {
        return Err(lost());
    }
    let mut placed = Rewritten { text: String::new(), holes: Vec::new(), open: Vec::new() };
    let mut rest = 0;
    for relation in &relations {
        let first = tokens
            .iter()
            .position(|token| usize::try_from(token.start) == Ok(relation.location))
            .ok_or_else(lost)?;
        let end = end_of_name(&tokens, first).ok_or_else(lost)?;
        if follows_only(&tokens, first) {
            return Err(lost());
        }
        placed.text.push_str(canonical.get(rest..relation.location).ok_or_else(lost)?);
        match resolve(speaker, relation.schema.as_deref(), &relation.name)? {
            Target::Open { schema, name } => {
                placed.text.push_str(&format!("{}.{}", quoted(&schema), quoted(&name)));
                placed.open.push((schema, name));
            }
            Target::Hole(content) => {
                let index = placed.holes.len();
                placed.text.push_str(&format!("\"{HOLE_SCHEMA}\".\"{index}\""));
                if relation.alias.is_none() {
                    placed.text.push_str(&format!(" AS {}", quoted(&relation.name)));
                }
                placed.holes.push(Hole {
                    content,
                    only: false,
                    sample: None,
                    lookups: Vec::new(),
                    system_columns: Vec::new(),
                });
            }
        }
        rest = end;
    }
    placed.text.push_str(canonical.get(rest..).ok_or_else(lost)?);
    Ok(placed)
}

/// Where `a.b.c` that starts at a token ends.
pub(super) fn end_of_name(tokens: &[ScanToken], first: usize) -> Option<usize> {
    let mut last = first;
    while tokens.get(last.checked_add(1)?).is_some_and(|token| token.token() == Token::Ascii46) {
        last = last.checked_add(2)?;
    }
    usize::try_from(tokens.get(last)?.end).ok()
}

/// ONLY, with or without a parenthesis, stands before the name.
pub(super) fn follows_only(tokens: &[ScanToken], first: usize) -> bool {
    let before = |by: usize| first.checked_sub(by).and_then(|index| tokens.get(index));
    let is = |by, kind| before(by).is_some_and(|token| token.token() == kind);
    is(1, Token::Only) || (is(1, Token::Ascii40) && is(2, Token::Only))
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
