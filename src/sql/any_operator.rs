//! `a OPERATOR(pg_catalog.=) ANY (…)`, as psql and pg_dump write it, said so that sqlparser can read it: `a = ANY (…)`.
//!
//! They mean the same where the session's search_path finds no other operator of that name; where it does, the text stays.
//! The proof asks the same again.

use pg_query::protobuf::{ScanToken, Token};

use super::Speaker;
use crate::grammar;

/// The canonical text with plain operators before ANY and ALL.
pub(super) fn plain(canonical: &str, speaker: Speaker<'_>) -> Option<String> {
    if !canonical.contains("OPERATOR(") {
        return None;
    }
    let tokens = grammar::tokens(canonical)?;
    let mut text = String::with_capacity(canonical.len());
    let mut rest = 0;
    for window in tokens.windows(7) {
        let [operator, open, schema, dot, name, close, any] = window else { continue };
        let is_this = operator.token() == Token::Operator
            && open.token() == Token::Ascii40
            && written(canonical, schema) == Some("pg_catalog")
            && dot.token() == Token::Ascii46
            && close.token() == Token::Ascii41
            && matches!(any.token(), Token::Any | Token::All | Token::Some);
        let (Some(name), true) = (written(canonical, name), is_this) else { continue };
        if is_overloaded(name, speaker) {
            return None;
        }
        let start = usize::try_from(operator.start).ok()?;
        text.push_str(canonical.get(rest..start)?);
        text.push_str(name);
        rest = usize::try_from(close.end).ok()?;
    }
    text.push_str(canonical.get(rest..)?);
    (rest > 0).then_some(text)
}

fn is_overloaded(name: &str, speaker: Speaker<'_>) -> bool {
    let snapshot = speaker.view.snapshot();
    let path = speaker.search_path.schemas(snapshot);
    // A view's definition is planned once for all sessions.
    let any_path = speaker.views > 0;
    snapshot
        .user_operators
        .get(name)
        .is_some_and(|schemas| any_path || path.iter().any(|schema| schemas.contains(*schema)))
}

fn written<'t>(text: &'t str, token: &ScanToken) -> Option<&'t str> {
    text.get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?)
}
