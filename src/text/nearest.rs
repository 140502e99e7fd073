//! "Did you mean".

/// The candidate nearest to `word` by edit distance, if any is near enough to be meant: at most a third of the
/// word wrong, at least one character right.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let most = (length / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most && *distance < length)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_offered() {
        let masks = ["clear", "hide", "redact", "email"];
        assert_eq!(nearest("redakt", masks), Some("redact"));
        assert_eq!(nearest("emial", masks), Some("email"));
        assert_eq!(nearest("pseudonym", masks), None);
        assert_eq!(nearest("x", masks), None);
    }
}
