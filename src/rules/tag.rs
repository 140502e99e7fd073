//! Tags: what a column holds, and the patterns by which roles speak of it.

/// What a column holds. A column without a rule is unclassified, which is the absence of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag {
    /// Built in: clear for every role.
    Open,
    /// A dotted name, free to choose: `contact.email`.
    Named(String),
}

/// The left side of a role's mask line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagPattern {
    /// `"*"`: the rest, unclassified columns too.
    Rest,
    /// `contact` covers `contact` and `contact.*`; the longest match wins.
    Prefix(String),
}

impl Tag {
    /// Reads a tag: dotted words of lower-case letters, digits, `_` and `-`.
    pub(super) fn parse(text: &str) -> Result<Tag, String> {
        match text {
            "open" => Ok(Tag::Open),
            "unclassified" => Err("`unclassified` is what a column without a line is".into()),
            _ => words(text).map(Tag::Named),
        }
    }
}

impl TagPattern {
    /// Reads the left side of a mask line: `"*"`, a tag, or a tag with `.*`, which means the same.
    pub(super) fn parse(text: &str) -> Result<TagPattern, String> {
        if text == "*" {
            return Ok(TagPattern::Rest);
        }
        match text.strip_suffix(".*").unwrap_or(text) {
            "open" => Err("`open` is clear for every role; it takes no mask".into()),
            "unclassified" => Err("unclassified columns take the mask of the rest, `*`".into()),
            tag => words(tag).map(TagPattern::Prefix),
        }
    }
}

fn words(text: &str) -> Result<String, String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    if text.split('.').all(is_word) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is no tag: dotted words of a-z, 0-9, _ and -, such as `contact.email`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_built_in() {
        assert_eq!(Tag::parse("open"), Ok(Tag::Open));
        assert_eq!(TagPattern::parse("*"), Ok(TagPattern::Rest));
        for bad in ["open", "open.*", "unclassified", "*.*", ".*", "a.*.*", "*a"] {
            assert!(TagPattern::parse(bad).is_err(), "{bad}");
        }
        for bad in ["unclassified", "*", "", "a.*"] {
            assert!(Tag::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(TagPattern::parse("contact.*"), TagPattern::parse("contact"));
    }

    proptest! {
        #[test]
        fn dotted_words_are_tags(text in "[a-z0-9_-]{1,8}(\\.[a-z0-9_-]{1,8}){1,3}") {
            prop_assert_eq!(Tag::parse(&text), Ok(Tag::Named(text.clone())));
            prop_assert_eq!(TagPattern::parse(&text), Ok(TagPattern::Prefix(text)));
        }

        #[test]
        fn everything_else_is_none(text in ".{0,12}") {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'))
            };
            prop_assume!(text != "unclassified");
            prop_assert_eq!(Tag::parse(&text).is_ok(), text.split('.').all(is_word));
        }
    }
}
