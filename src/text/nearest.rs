//! "Did you mean".

/// The candidate nearest to `word` by edit distance, if any is near enough to be meant.
pub fn nearest<'a>(_word: &str, _candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    todo!()
}
