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
    /// Reads the left side of a mask line: `"*"` or a tag.
    pub(super) fn parse(text: &str) -> Result<TagPattern, String> {
        match text {
            "*" => Ok(TagPattern::Rest),
            "open" => Err("`open` is clear for every role; it takes no mask".into()),
            _ => words(text.strip_suffix(".*").unwrap_or(text)).map(TagPattern::Prefix),
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
