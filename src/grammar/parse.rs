//! Text ↔ PostgreSQL's raw parse tree.
//!
//! libpg_query is PostgreSQL's own scanner, grammar and node printer. What it is given here is bounded first
//! (length, and the one kind of text on which its scanner is quadratic), what it gives back is bounded by
//! prost's limit of 100 nested messages: no tree is deeper than about 50 nodes (92 for a chain of UNION), so
//! whatever walks one may recurse. Canonical text is only given out when it reads as the same tree again.
//! It may not judge what a statement does.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::same_tokens::are_same_tokens;
use super::same_tree::is_same_tree;
use super::tokens::tokens;

/// The longest text that is looked at, in bytes.
pub const LENGTH_BYTES_MAX: usize = 1024 * 1024;

/// The scanner takes a run of operator characters (`/*/*/*`, `+-+-+-`) in one piece, keeps one character of it
/// and reads the rest again, so a run costs the square of its length. This bounds the sum of the squares: one
/// run of 8,000 characters, or any number of rulers (`-- =====`) that people draw.
const OPERATOR_RUN_WORK_MAX: usize = 64 * 1024 * 1024;

/// The most tokens that are read. A token costs up to 1.5 kB while it is parsed (a list of stars does), so a
/// longer text could take gigabytes. This is a list of 50,000 numbers.
const TOKENS_MAX: usize = 100_000;

/// PostgreSQL's grammar (or our own limits) would not take the text. The message may quote the client's text: it
/// is for the client alone, not for logs or the audit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// PostgreSQL's own words: `syntax error at or near "FORM"`.
    pub message: String,
    /// Characters from the start of the text, from 1; for the position field of an error.
    pub position: Option<u32>,
    /// What kind of error.
    pub fault: SyntaxFault,
}

/// Kinds of [`SyntaxError`], each with its SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxFault {
    /// 42601
    Syntax,
    /// 54000: longer than [`LENGTH_BYTES_MAX`]
    TooLong,
    /// 54001: nested or chained too deeply for libpg_query's limits
    TooDeep,
}

impl SyntaxError {
    fn new(fault: SyntaxFault, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), position: None, fault }
    }

    fn too_deep() -> SyntaxError {
        let message = "statement is nested or chained too deeply: at most about 45 operators in one \
                       chain, or 15 sub-selects in each other, can be read";
        SyntaxError::new(SyntaxFault::TooDeep, message)
    }
}

/// The statements of a text, in order; empty for an empty text. A NUL byte is a syntax error.
///
/// Locations in the trees are byte offsets in the whole text.
pub fn parse(text: &str) -> Result<Vec<protobuf::RawStmt>, SyntaxError> {
    check_size(text)?;
    match on_enough_stack(|| pg_query::parse(text, 0)) {
        Ok(result) => Ok(result.protobuf.stmts),
        Err(error) => Err(syntax_error(text, &error)),
    }
}

/// One statement as canonical text: no comments, PostgreSQL's own quoting, no trailing semicolon.
/// The text parses to the same tree again (checked here, locations apart), or this is an error.
/// Kinds of statements that no caller sends on are an error too.
///
/// A query is to be proven first: built with assertions, libpg_query ends the process on some trees that its own
/// grammar makes, and [`super::prove`] refuses those that are known.
pub fn deparse(statement: &protobuf::RawStmt) -> Result<String, SyntaxError> {
    printed(statement).map(|(text, _)| text)
}

/// The same, and the statement as that text reads.
pub fn printed(statement: &protobuf::RawStmt) -> Result<(String, protobuf::RawStmt), SyntaxError> {
    on_enough_stack(|| {
        let (text, tree) = print(statement, pg_query::DeparseOptions::default())?;
        let statement = read_again(&text, &tree)?;
        Ok((text, statement))
    })
}

/// The same as [`deparse`] of a statement that is as it was read from `text`: where the two texts have the same tokens they
/// are the same tree, and the second is not read.
pub fn canonical(statement: &protobuf::RawStmt, text: &str) -> Result<String, SyntaxError> {
    on_enough_stack(|| {
        let (printed, tree) = print(statement, pg_query::DeparseOptions::default())?;
        if !source(statement, text).is_some_and(|source| are_same_tokens(source, &printed)) {
            read_again(&printed, &tree)?;
        }
        Ok(printed)
    })
}

/// What a statement was read from.
fn source<'t>(statement: &protobuf::RawStmt, text: &'t str) -> Option<&'t str> {
    let start = usize::try_from(statement.stmt_location).ok()?;
    match usize::try_from(statement.stmt_len).ok()? {
        0 => text.get(start..),
        length => text.get(start..start.checked_add(length)?),
    }
}

/// The text of one or more statements laid out over lines, for people to read; `None` when it cannot be.
pub fn pretty(text: &str) -> Option<String> {
    let options = || pg_query::DeparseOptions { pretty_print: true, ..Default::default() };
    let statements = parse(text).ok()?;
    let texts: Result<Vec<_>, _> = statements
        .iter()
        .map(|statement| {
            on_enough_stack(|| {
                let (text, tree) = print(statement, options())?;
                read_again(&text, &tree)?;
                Ok::<_, SyntaxError>(text)
            })
        })
        .collect();
    Some(texts.ok()?.join(";\n"))
}

/// Runs `work` where the stack is deep enough for the deepest tree there is.
///
/// libpg_query measures its own stack, prost does not: for 100 nested messages its decoder takes up to 200 KiB
/// where it is optimised, and 1.6 MiB where it is not. A worker of tokio has 2 MiB, of which others have used
/// some.
fn on_enough_stack<T>(work: impl FnOnce() -> T) -> T {
    const NEEDED_BYTES: usize = if cfg!(debug_assertions) { 3 << 20 } else { 1 << 20 };
    const SEGMENT_BYTES: usize = 8 << 20;
    stacker::maybe_grow(NEEDED_BYTES, SEGMENT_BYTES, work)
}

/// What PostgreSQL's printer makes of a statement, and what it was given. Not yet to be trusted: see [`read_again`].
fn print(
    statement: &protobuf::RawStmt,
    options: pg_query::DeparseOptions,
) -> Result<(String, protobuf::ParseResult), SyntaxError> {
    if !is_printed(statement) {
        return Err(not_printed("its kind is not known here"));
    }
    let statement =
        protobuf::RawStmt { stmt: statement.stmt.clone(), stmt_location: 0, stmt_len: 0 };
    let tree = protobuf::ParseResult { version: 0, stmts: vec![statement] };
    let text =
        pg_query::deparse(&tree, options).map_err(|_| not_printed("PostgreSQL's printer fails"))?;
    Ok((text, tree))
}

/// The statement that a printed text reads as, if that is the one that was printed.
fn read_again(text: &str, tree: &protobuf::ParseResult) -> Result<protobuf::RawStmt, SyntaxError> {
    let unlike = || not_printed("its canonical text does not read as the same statement");
    let again = parse(text).map_err(|error| match error.fault {
        // Not the client's error, nor the client's text.
        SyntaxFault::Syntax => unlike(),
        SyntaxFault::TooLong | SyntaxFault::TooDeep => error,
    })?;
    if !is_same_tree(&tree.stmts, &again) {
        return Err(unlike());
    }
    let [statement] = <[_; 1]>::try_from(again).map_err(|_| unlike())?;
    Ok(statement)
}

fn not_printed(why: &str) -> SyntaxError {
    SyntaxError::new(SyntaxFault::Syntax, format!("statement cannot be printed: {why}"))
}

/// Kinds of statements that are printed again. The C printer refuses kinds it does not know by an error, but it
/// is tried only on those whose output is used.
fn is_printed(statement: &protobuf::RawStmt) -> bool {
    let node = statement.stmt.as_ref().and_then(|node| node.node.as_ref());
    matches!(
        node,
        Some(
            Node::SelectStmt(_)
                | Node::InsertStmt(_)
                | Node::UpdateStmt(_)
                | Node::DeleteStmt(_)
                | Node::MergeStmt(_)
                | Node::TransactionStmt(_)
                | Node::VariableSetStmt(_)
                | Node::VariableShowStmt(_)
                | Node::DeallocateStmt(_)
                | Node::DiscardStmt(_)
                | Node::ClosePortalStmt(_)
                | Node::DeclareCursorStmt(_)
                | Node::FetchStmt(_)
                | Node::CopyStmt(_)
                | Node::PrepareStmt(_)
                | Node::ExecuteStmt(_)
                | Node::ExplainStmt(_)
                | Node::CreateTableAsStmt(_)
                | Node::CreateStmt(_)
                | Node::ListenStmt(_)
                | Node::NotifyStmt(_)
                | Node::UnlistenStmt(_)
        )
    )
}

/// Bounds what libpg_query is given.
pub(super) fn check_size(text: &str) -> Result<(), SyntaxError> {
    if text.len() > LENGTH_BYTES_MAX {
        let message =
            format!("statement is {} bytes long; at most {LENGTH_BYTES_MAX} are read", text.len());
        return Err(SyntaxError::new(SyntaxFault::TooLong, message));
    }
    if text.contains('\0') {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(SyntaxError::new(SyntaxFault::Syntax, message));
    }
    if operator_run_work(text) > OPERATOR_RUN_WORK_MAX {
        let message = "statement holds too long a run of operator characters";
        return Err(SyntaxError::new(SyntaxFault::TooLong, message));
    }
    if tokens_at_most(text) > TOKENS_MAX {
        // Most of them may stand in strings and comments, which are for the scanner to find.
        let tokens = tokens(text).map_or(0, |tokens| tokens.len());
        if tokens > TOKENS_MAX {
            let message =
                format!("statement has {tokens} words and signs; at most {TOKENS_MAX} are read");
            return Err(SyntaxError::new(SyntaxFault::TooLong, message));
        }
    }
    Ok(())
}

/// As many tokens as the text could have: a run of letters, digits and `_` is one, every other byte too, but for
/// white space.
fn tokens_at_most(text: &str) -> usize {
    let mut tokens = 0;
    let mut in_word = false;
    for byte in text.bytes() {
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        if !(byte.is_ascii_whitespace() || byte == 0x0b || (is_word && in_word)) {
            tokens += 1;
        }
        in_word = is_word;
    }
    tokens
}

/// The sum of the squares of the lengths of all runs of operator characters, strings and comments included:
/// where those begin is for the scanner to say.
fn operator_run_work(text: &str) -> usize {
    let mut work = 0_usize;
    let mut run = 0_usize;
    for byte in text.bytes() {
        if b"~!@#^&|`?+-*/%<>=".contains(&byte) {
            run += 1;
            // The square grows by two of the old length and one.
            work = work.saturating_add(2 * run - 1);
        } else {
            run = 0;
        }
    }
    work
}

fn syntax_error(text: &str, error: &pg_query::Error) -> SyntaxError {
    let message = match error {
        pg_query::Error::Parse(message) => message.as_str(),
        pg_query::Error::Decode(error) if error.to_string().contains("recursion limit") => {
            return SyntaxError::too_deep();
        }
        _ => return SyntaxError::new(SyntaxFault::Syntax, "statement cannot be read"),
    };
    let is_too_deep = message == "stack depth limit exceeded"
        || message == "parse tree is nested too deeply to serialize to protobuf"
        // The grammar's own stack of 10,000 entries.
        || message.starts_with("memory exhausted");
    if is_too_deep {
        return SyntaxError::too_deep();
    }
    SyntaxError {
        message: message.to_owned(),
        position: position(text, message),
        fault: SyntaxFault::Syntax,
    }
}

/// Where the error is. pg_query gives PostgreSQL's words without its position, so this is known only where the
/// words leave no doubt: at the end, or at a text that occurs once.
fn position(text: &str, message: &str) -> Option<u32> {
    let offset = match message.split_once(" at or near \"") {
        Some((prefix, quoted)) if !prefix.contains('"') => {
            offset_of(text, quoted.strip_suffix('"')?)?
        }
        Some(_) => return None,
        None if message.ends_with(" at end of input") => text.len(),
        None => return None,
    };
    let before = text.get(..offset)?;
    u32::try_from(before.chars().count()).ok()?.checked_add(1)
}

fn offset_of(text: &str, quoted: &str) -> Option<usize> {
    if quoted.is_empty() {
        return None;
    }
    let mut places = text.match_indices(quoted);
    if let (Some((offset, _)), None) = (places.next(), places.next()) {
        return Some(offset);
    }
    let tokens = tokens(text)?;
    let mut offsets = tokens.iter().filter_map(|token| {
        let start = usize::try_from(token.start).ok()?;
        let end = usize::try_from(token.end).ok()?;
        (text.get(start..end)? == quoted).then_some(start)
    });
    match (offsets.next(), offsets.next()) {
        (Some(offset), None) => Some(offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
