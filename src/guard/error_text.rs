//! Errors and notices of the server, without what could quote a row.
//! <https://www.postgresql.org/docs/current/protocol-error-fields.html>
//!
//! The message itself passes: by the law an expression only ever sees masked values, so what PostgreSQL quotes
//! in `invalid input syntax for type integer: "k***"` is a mask. DETAIL is where it quotes what no expression
//! of the client's has seen: the failing row, the key that exists already, the parameters of the statement.

use crate::policy::{KEPT_MARK, MISSING_MARK, UNSEEN_MARK};
use crate::wire::reader;

/// Classes of SQLSTATE whose DETAIL speaks of the statement, the session, the schema or the server, not of data.
const DETAIL_CLASSES: [&str; 12] =
    ["08", "0A", "25", "26", "34", "3D", "3F", "42", "53", "54", "55", "57"];

/// How names begin that are Scrim's own; among them that of the row that a statement writes.
const OWN: &str = "scrim$";

/// Scrim's own refusal, where its SQL has failed as it should: the message is PostgreSQL's about a boolean that is
/// none, in whatever language.
fn own_refusal(code: &str, message: &str) -> Option<Vec<u8>> {
    if code != "22P02" {
        return None;
    }
    let (message, hint) = match (message.split_once(KEPT_MARK), message.contains(UNSEEN_MARK)) {
        (Some((_, rest)), _) => {
            let column = rest.rsplit_once('"').map_or(rest, |(column, _)| column);
            (
                format!("scrim: column `{column}` cannot be written by this role"),
                "it may only be assigned the value it shows, and keeps its own then; leave it out of the statement",
            )
        }
        (None, true) => (
            "scrim: a row with this key exists, which this role may not see".to_owned(),
            "nothing was written",
        ),
        (None, false) => return None,
    };
    let mut body = Vec::new();
    for (kind, text) in
        [(b'S', "ERROR"), (b'V', "ERROR"), (b'C', "42501"), (b'M', message.as_str()), (b'H', hint)]
    {
        body.push(kind);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    Some(body)
}

/// The body of an ErrorResponse or NoticeResponse, rebuilt from an allow-list of fields: severity, SQLSTATE,
/// message, hint, names of schema, table, column, type and constraint always; detail only where the class of
/// the SQLSTATE speaks of the statement and not of data. Position (it points into text the client never
/// wrote), internal query, context, source file and line are left out. `None` if the body is malformed.
pub fn clean_error_fields(body: &[u8]) -> Option<Vec<u8>> {
    let fields: Vec<(u8, &str)> = reader::error_fields(body).ok()?.collect();
    let code = fields.iter().find(|(kind, _)| *kind == b'C').map(|(_, text)| *text)?;
    let said = fields.iter().find(|(kind, _)| *kind == b'M').map_or("", |(_, text)| *text);
    if let Some(own) = own_refusal(code, said) {
        return Some(own);
    }
    let has_detail = DETAIL_CLASSES.iter().any(|class| code.starts_with(class));
    let mut clean = Vec::with_capacity(body.len());
    for (kind, text) in fields {
        let is_kept = match kind {
            // Where a name is not found, PostgreSQL names columns that are like it: of the row that is written those
            // that are hidden too.
            b'H' if text.contains(OWN) => false,
            // Severity (also not translated), code, message, hint.
            b'S' | b'V' | b'C' | b'M' | b'H' => true,
            // Names of schema, table, column, type, constraint.
            b's' | b't' | b'c' | b'd' | b'n' => true,
            b'D' => has_detail,
            _ => false,
        };
        if is_kept {
            clean.push(kind);
            // Names that nobody finds are told as the client wrote them, without the schema they were pinned to or
            // the mark by which they were not found.
            let text = match (kind, code) {
                (b'M', "42883") => text.replace("pg_catalog.", ""),
                (b'M', "42P01" | "42704" | "3F000") => text.replace(MISSING_MARK, ""),
                _ => text.to_owned(),
            };
            clean.extend_from_slice(text.as_bytes());
            clean.push(0);
        }
    }
    clean.push(0);
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(fields: &[(char, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in fields {
            body.push(*kind as u8);
            body.extend(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        body
    }

    const ALL: &str = "SVCMDHPpqWstcdnFLRXYZ09";

    fn cleaned(code: &str) -> String {
        let fields: Vec<(char, &str)> =
            ALL.chars().map(|kind| (kind, if kind == 'C' { code } else { "qzx" })).collect();
        let clean = clean_error_fields(&body(&fields)).unwrap();
        reader::error_fields(&clean).unwrap().map(|(kind, _)| kind as char).collect()
    }

    #[test]
    fn a_hint_names_no_column_of_the_row_that_is_written() {
        for (hint, expected) in [
            (
                "There is a column named \"ssn\" in table \"scrim$row\", but it cannot be referenced from this part of the query.",
                "SCM",
            ),
            ("Perhaps you meant to reference the column \"scrim$row.ssn\".", "SCM"),
            ("Perhaps you meant to reference the column \"c.email\".", "SCMH"),
        ] {
            let fields = [
                ('S', "ERROR"),
                ('C', "42703"),
                ('M', "column \"ss\" does not exist"),
                ('H', hint),
            ];
            let clean = clean_error_fields(&body(&fields)).unwrap();
            let kinds: String =
                reader::error_fields(&clean).unwrap().map(|(kind, _)| kind as char).collect();
            assert_eq!(kinds, expected, "{hint}");
        }
    }

    #[test]
    fn only_known_fields_pass() {
        // Unique violation, not null, check, raise, bad input, no data found, plpgsql, internal, nonsense.
        for code in [
            "23505", "23502", "23514", "P0001", "22P02", "22012", "P0002", "XX000", "40001",
            "21000", "", "4", "é",
        ] {
            assert_eq!(cleaned(code), "SVCMHstcdn", "{code}");
        }
        for code in [
            "42601", "42P01", "08006", "0A000", "25P02", "26000", "34000", "3D000", "3F000",
            "53300", "54001", "55P03", "57014",
        ] {
            assert_eq!(cleaned(code), "SVCMDHstcdn", "{code}");
        }
    }

    #[test]
    fn the_failing_row_is_gone() {
        let body = body(&[
            ('S', "ERROR"),
            ('V', "ERROR"),
            ('C', "23502"),
            (
                'M',
                "null value in column \"email\" of relation \"customers\" violates not-null constraint",
            ),
            ('D', "Failing row contains (1, kim qzx, null)."),
            ('q', "SELECT email FROM public.customers"),
            ('W', "SQL function \"reveal_email\" statement 1"),
            ('P', "120"),
            ('t', "customers"),
            ('c', "email"),
        ]);
        let clean = String::from_utf8(clean_error_fields(&body).unwrap()).unwrap();
        assert!(clean.starts_with("SERROR\0VERROR\0C23502\0Mnull value"));
        assert!(clean.ends_with("tcustomers\0cemail\0\0"));
        assert!(!clean.contains("qzx") && !clean.contains("SELECT") && !clean.contains("120"));
    }

    /// The code that is judged is the first one; a second one changes nothing.
    #[test]
    fn the_class_is_that_of_the_first_code() {
        let two = body(&[('C', "23505"), ('D', "qzx"), ('C', "42601")]);
        assert_eq!(clean_error_fields(&two).unwrap(), body(&[('C', "23505"), ('C', "42601")]));
        let none = body(&[('D', "qzx"), ('M', "m")]);
        assert_eq!(clean_error_fields(&none), None);
    }

    #[test]
    fn a_malformed_body_is_none() {
        let whole = body(&[('S', "ERROR"), ('C', "42601")]);
        for end in 0..whole.len() {
            assert_eq!(clean_error_fields(&whole[..end]), None, "{end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(clean_error_fields(&longer), None);
        assert_eq!(clean_error_fields(b"\0"), None);
        assert_eq!(clean_error_fields(b"\0Mqzx\0\0"), None);
    }
}
