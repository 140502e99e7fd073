//! The statement cases: Markdown pages below `tests/cases` and `tests/attacks`.

mod page;
