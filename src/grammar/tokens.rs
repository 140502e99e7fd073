//! The tokens of PostgreSQL's own scanner, comments among them.

use pg_query::protobuf::ScanToken;

/// White space to the scanner.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace() || byte == 0x0b)
}

/// The tokens of a text, with their places in bytes; `None` where the scanner finds an error.
pub fn tokens(text: &str) -> Option<Vec<ScanToken>> {
    // Where there are none, pg_query would make a slice of a null pointer.
    match is_blank(text) {
        true => Some(Vec::new()),
        false => pg_query::scan_tokens(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn blank_texts_have_none() {
        for text in ["", " ", " \t\r\n\u{b}\u{c} "] {
            assert_eq!(tokens(text).map(|tokens| tokens.len()), Some(0), "{text:?}");
        }
        for text in [";", "--", "/**/", "\u{feff}", "\u{1}", "é"] {
            assert_eq!(tokens(text).map(|tokens| tokens.len()), Some(1), "{text:?}");
        }
        for text in ["'", "/*", "\0", "\" "] {
            assert_eq!(tokens(text), None, "{text:?}");
        }
    }
}
