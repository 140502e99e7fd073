//! The rewriter: every relation of a query is replaced by a hole, or by its full name where it is open.
//!
//! It works on sqlparser's tree of the *canonical* text, and says [`NotUnderstood`](super::Reason) whenever the
//! tree holds something that PostgreSQL does not have. It is not trusted: what it prints is proven afterwards by
//! PostgreSQL's own grammar. Every `match` here is without a wildcard, every struct is taken apart in full, so a
//! new version of sqlparser with new syntax does not compile until somebody has judged it.

mod expression;
mod from;
mod group_by;
mod lookup;
mod names;
mod object_names;
mod query;
mod scope;
mod signatures;
mod system_columns;
mod tree;

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserOptions};

use super::Speaker;
use super::hole::Hole;
use super::refusal::Refusal;
pub use object_names::is_judged;
pub(super) use object_names::may_mention;
use scope::{Item, Mention};
pub(super) use tree::rewrite_tree;

/// How deep sqlparser may go; libpg_query's own limit is reached before.
const DEPTH_MAX: usize = 200;

/// A query whose relations are holes, and what stands behind them.
#[derive(Debug, Clone)]
pub(super) struct Rewritten {
    /// The text with holes.
    pub(super) text: String,
    /// The holes; the name of a hole is its index here.
    pub(super) holes: Vec<Hole>,
    /// Open relations that were named in full.
    pub(super) open: Vec<(String, String)>,
}

/// Reads a canonical text with sqlparser, as PostgreSQL would.
pub(super) fn read(canonical: &str) -> Result<Statement, Refusal> {
    let dialect = PostgreSqlDialect {};
    let options = ParserOptions::new().with_unescape(false);
    let mut statements = Parser::new(&dialect)
        .with_options(options)
        .with_recursion_limit(DEPTH_MAX)
        .try_with_sql(canonical)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|_| Refusal::not_understood("sqlparser cannot read it"))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(Refusal::not_understood("sqlparser reads more than one statement")),
    }
}

/// Puts holes into a query that [`read`] gave.
pub(super) fn rewrite(statement: Statement, speaker: Speaker<'_>) -> Result<Rewritten, Refusal> {
    let Statement::Query(mut query) = statement else {
        return Err(Refusal::not_understood("sqlparser does not see a query"));
    };
    let mut rewriter = Rewriter::new(speaker);
    rewriter.query(&mut query)?;
    Ok(Rewritten { text: query.to_string(), holes: rewriter.holes, open: rewriter.open })
}

pub(super) struct Rewriter<'a> {
    speaker: Speaker<'a>,
    /// Names of common table expressions in scope, the innermost last.
    ctes: Vec<String>,
    /// FROM clauses in scope, the innermost last.
    scopes: Vec<Vec<Item>>,
    /// Columns mentioned so far.
    mentions: Vec<Mention>,
    holes: Vec<Hole>,
    open: Vec<(String, String)>,
}

type Done = Result<(), Refusal>;

impl<'a> Rewriter<'a> {
    fn new(speaker: Speaker<'a>) -> Self {
        Rewriter {
            speaker,
            ctes: Vec::new(),
            scopes: Vec::new(),
            mentions: Vec::new(),
            holes: Vec::new(),
            open: Vec::new(),
        }
    }

    /// The schema a function's unqualified name must be given, if it must: a built-in name that somebody
    /// overloaded is pinned to `pg_catalog`, a user's own function to the schema where it is found.
    fn function_schema(&self, name: &str) -> Option<String> {
        let snapshot = self.speaker.view.snapshot();
        let schemas = snapshot.user_functions.get(name)?;
        if snapshot.builtin_functions.contains(name) {
            return Some("pg_catalog".into());
        }
        let path = self.speaker.search_path.schemas(snapshot);
        path.into_iter().find(|schema| schemas.contains(*schema)).map(str::to_owned)
    }

    /// True when an operator's name is overloaded outside `pg_catalog`, so that it must be pinned.
    fn operator_is_overloaded(&self, operator: &str) -> bool {
        self.speaker.view.snapshot().user_operators.contains_key(operator)
    }
}

/// A tree that PostgreSQL's grammar cannot have given.
fn foreign(what: &str) -> Refusal {
    Refusal::not_understood(&format!("sqlparser sees {what}"))
}

/// Refuses what must be absent.
fn absent(is_absent: bool, what: &str) -> Done {
    if is_absent { Ok(()) } else { Err(foreign(what)) }
}
