//! Names that somebody else has chosen, made fit to be shown: a terminal obeys control characters, and marks of writing
//! direction put the letters of a line into another order.

use std::borrow::Cow;

/// The text with what is not seen, or changes how the rest is seen, written as `\u{1b}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(16));
    for character in text.chars() {
        match is_unseen(character) {
            true => out.extend(character.escape_unicode()),
            false => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// Control characters; separators of lines; marks of direction, isolates and overrides; what has no width; tags.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(shown("kim O'Hara <k@example.com> 김"), "kim O'Hara <k@example.com> 김");
        assert_eq!(shown("\u{1b}[2Jroot"), "\\u{1b}[2Jroot");
        assert_eq!(shown("a\nb\r\t\u{9b}1m"), "a\\u{a}b\\u{d}\\u{9}\\u{9b}1m");
        assert_eq!(shown("nimda\u{202e}"), "nimda\\u{202e}");
        assert_eq!(shown("ki\u{200b}m"), "ki\\u{200b}m");
    }
}
