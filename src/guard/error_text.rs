//! Errors and notices of the server, without what could quote a row.
//! <https://www.postgresql.org/docs/current/protocol-error-fields.html>

use crate::wire::reader;

/// Classes of SQLSTATE whose DETAIL speaks of the statement, the session or the server, and not of data.
const DETAIL_CLASSES: [&str; 12] =
    ["08", "0A", "25", "26", "34", "3D", "3F", "42", "53", "54", "55", "57"];

/// The body of an ErrorResponse or NoticeResponse, rebuilt from an allow-list of fields: severity, SQLSTATE,
/// message, hint, names of schema, table, column, type and constraint always; detail only where the class of
/// the SQLSTATE speaks of the statement and not of data. Position (it points into text the client never
/// wrote), internal query, context, source file and line are left out. `None` if the body is malformed.
pub fn clean_error_fields(body: &[u8]) -> Option<Vec<u8>> {
    let fields: Vec<(u8, &str)> = reader::error_fields(body).ok()?.collect();
    let code = fields.iter().find(|(kind, _)| *kind == b'C').map(|(_, text)| *text)?;
    let has_detail = DETAIL_CLASSES.iter().any(|class| code.starts_with(class));
    let mut clean = Vec::with_capacity(body.len());
    for (kind, text) in fields {
        let is_kept = match kind {
            b'S' | b'V' | b'C' | b'M' | b'H' | b's' | b't' | b'c' | b'd' | b'n' => true,
            b'D' => has_detail,
            _ => false,
        };
        if is_kept {
            clean.push(kind);
            clean.extend_from_slice(text.as_bytes());
            clean.push(0);
        }
    }
    clean.push(0);
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::clean_error_fields;

    fn body(fields: &[(u8, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, text) in fields {
            body.push(*kind);
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        body
    }

    #[test]
    fn only_what_is_on_the_list_passes() {
        let all = [
            (b'S', "ERROR"),
            (b'V', "ERROR"),
            (b'C', "23505"),
            (b'M', "duplicate key"),
            (b'D', "Key (email)=(minqzxsu) already exists."),
            (b'H', "a hint"),
            (b'P', "17"),
            (b'p', "3"),
            (b'q', "SELECT qzx"),
            (b'W', "qzx"),
            (b'F', "x.c"),
            (b'L', "1"),
            (b'R', "f"),
            (b'n', "customers_email_key"),
            (b'?', "a field of a later PostgreSQL: qzx"),
        ];
        let clean = clean_error_fields(&body(&all)).expect("well formed");
        let expected = body(&[
            (b'S', "ERROR"),
            (b'V', "ERROR"),
            (b'C', "23505"),
            (b'M', "duplicate key"),
            (b'H', "a hint"),
            (b'n', "customers_email_key"),
        ]);
        assert_eq!(clean, expected);
    }

    #[test]
    fn detail_of_a_statement_passes() {
        let fields = [(b'S', "ERROR"), (b'C', "42803"), (b'M', "m"), (b'D', "about the statement")];
        assert_eq!(clean_error_fields(&body(&fields)), Some(body(&fields)));
    }

    #[test]
    fn malformed_is_nothing() {
        assert_eq!(clean_error_fields(b""), None);
        assert_eq!(clean_error_fields(b"SERROR"), None);
        assert_eq!(clean_error_fields(b"SERROR\0\0"), None);
    }
}
