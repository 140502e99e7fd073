//! What Scrim says no to, and how.

use pg_query::protobuf::RawStmt;

use super::reading::{Reader, Reading, construct};
use crate::grammar::{SyntaxError, SyntaxFault, Violation, quote_identifier};
use crate::text::Origin;

/// A statement that is not sent. Drawn once, at the edge: as an ErrorResponse, in the audit, by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// SQLSTATE.
    pub code: &'static str,
    /// Starts with `scrim: ` unless it is PostgreSQL's own error (42601, 42P01, 42703).
    pub message: String,
    /// What to do, or which rule decided.
    pub hint: Option<String>,
    /// Characters from the start of the client's text, from 1.
    pub position: Option<u32>,
    /// For the audit and statistics.
    pub reason: Reason,
    /// The rule that decided, if one did.
    pub rule: Option<Origin>,
    /// The reader that did not understand the statement, where it is that.
    pub reading: Option<Reading>,
}

impl Refusal {
    fn new(code: &'static str, reason: Reason, message: String, hint: Option<String>) -> Refusal {
        Refusal { code, message, hint, position: None, reason, rule: None, reading: None }
    }

    /// PostgreSQL's grammar, or our limits, would not take the text.
    pub(super) fn syntax(error: &SyntaxError) -> Refusal {
        let (code, reason, message) = match error.fault {
            SyntaxFault::Syntax => ("42601", Reason::Syntax, error.message.clone()),
            SyntaxFault::TooLong => {
                ("54000", Reason::TooLarge, format!("scrim: {}", error.message))
            }
            SyntaxFault::TooDeep => {
                ("54001", Reason::TooLarge, format!("scrim: {}", error.message))
            }
        };
        Refusal { position: error.position, ..Refusal::new(code, reason, message, None) }
    }

    /// PostgreSQL's own words for a relation that does not exist.
    pub(super) fn no_such_relation(name: &str) -> Refusal {
        let message = format!("relation \"{name}\" does not exist");
        Refusal::new("42P01", Reason::NoSuchRelation, message, None)
    }

    /// A relation of another database, in PostgreSQL's own words.
    pub(super) fn cross_database(name: &str) -> Refusal {
        let message = format!("cross-database references are not implemented: \"{name}\"");
        Refusal::new("0A000", Reason::NoSuchRelation, message, None)
    }

    /// A relation that exists and must not be read.
    pub(super) fn closed_relation(name: &str, why: &str) -> Refusal {
        let message = format!("scrim: relation `{name}` is closed to this role");
        Refusal::new("42501", Reason::ClosedRelation, message, Some(why.to_owned()))
    }

    /// PostgreSQL's own words for TABLESAMPLE of a view.
    pub(super) fn not_sampled() -> Refusal {
        let message = "TABLESAMPLE clause can only be applied to tables and materialized views";
        Refusal::new("0A000", Reason::NoSuchRelation, message.to_owned(), None)
    }

    /// PostgreSQL's own words for COPY of what is no plain table.
    pub(super) fn not_copied(kind: &str, name: &str) -> Refusal {
        let message = format!("cannot copy from {kind} \"{name}\"");
        let hint = (kind != "sequence").then(|| "Try the COPY (SELECT ...) TO variant.".to_owned());
        Refusal::new("42809", Reason::NoSuchRelation, message, hint)
    }

    /// PostgreSQL's own words for a name in a list of columns.
    pub(super) fn no_such_column_of(name: &str, relation: &str) -> Refusal {
        let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
        Refusal::new("42703", Reason::NoSuchColumn, message, None)
    }

    /// PostgreSQL's own words for a column that a list names twice.
    pub(super) fn column_twice(name: &str) -> Refusal {
        let message = format!("column \"{name}\" specified more than once");
        Refusal::new("42701", Reason::NoSuchColumn, message, None)
    }

    /// PostgreSQL's own words for a generated column in the list of a COPY.
    pub(super) fn generated_column(name: &str) -> Refusal {
        let message = format!("column \"{name}\" is a generated column");
        Refusal::new("42P10", Reason::NoSuchColumn, message, None)
    }

    /// An option of COPY that is not known, or a value of it.
    pub(super) fn copy_option(name: &str) -> Refusal {
        let message = format!("scrim: COPY option `{name}` is not allowed, or not with this value");
        let hint =
            "format, delimiter, null, header, quote, escape, force_quote, and encoding UTF8 are";
        Refusal::new("42501", Reason::StatementKind, message, Some(hint.to_owned()))
    }

    /// The same of COPY from the client.
    pub(super) fn copy_in_option(name: &str) -> Refusal {
        let hint = "format, delimiter, null, default, header, quote, escape, force_null, force_not_null, and encoding \
                    UTF8 are";
        Refusal { hint: Some(hint.to_owned()), ..Refusal::copy_option(name) }
    }

    /// What a temporary table of a masked role cannot be.
    pub(super) fn temporary(why: &str) -> Refusal {
        let message = format!("scrim: a temporary table {why}");
        Refusal::new("42501", Reason::StatementKind, message, None)
    }

    /// PostgreSQL's own words for DROP TABLE of what does not exist.
    pub(super) fn no_such_table(name: &str) -> Refusal {
        let message = format!("table \"{name}\" does not exist");
        Refusal::new("42P01", Reason::NoSuchRelation, message, None)
    }

    /// PostgreSQL's own words for a type that does not exist.
    pub(super) fn no_such_type(name: &str) -> Refusal {
        let message = format!("type \"{name}\" does not exist");
        Refusal::new("42704", Reason::Type, message, None)
    }

    /// There is no type of that number, as far as may be said.
    pub(super) fn no_such_parameter_type(number: u32) -> Refusal {
        let message = format!("scrim: a parameter cannot be of the type with number {number}");
        let hint = "there is none that the role may name; leave the type to the database, or cast the parameter";
        Refusal::new("42704", Reason::Type, message, Some(hint.to_owned()))
    }

    /// True when it says that a type does not exist.
    pub(super) fn is_missing_type(&self) -> bool {
        self.code == "42704" && self.reason == Reason::Type
    }

    /// True when it says that a relation does not exist.
    pub(super) fn is_absence(&self) -> bool {
        self.reason == Reason::NoSuchRelation
    }

    /// An option of EXPLAIN that is not known, or a value of it.
    pub(super) fn explain_option(name: &str) -> Refusal {
        let message =
            format!("scrim: EXPLAIN option `{name}` is not allowed, or not with this value");
        let hint = "format text and json, costs and generic_plan are; costs are not shown";
        Refusal::new("42501", Reason::StatementKind, message, Some(hint.to_owned()))
    }

    /// A kind of statement.
    pub(super) fn statement_kind(kind: &str, role: &str) -> Refusal {
        let message = format!("scrim: statement kind `{kind}` is not allowed for role `{role}`");
        let hint = "this role may read: SELECT, VALUES, TABLE, COPY TO STDOUT, cursors, PREPARE, transaction \
                    control, SET and SHOW";
        Refusal::new("42501", Reason::StatementKind, message, Some(hint.to_owned()))
    }

    /// A channel that LISTEN or NOTIFY names. `word` is which, as the rules have it.
    pub(super) fn channel(word: &str, channel: &str, role: &str) -> Refusal {
        let statement = word.to_ascii_uppercase();
        let message =
            format!("scrim: {statement} of channel `{channel}` is not allowed for role `{role}`");
        // Quoted as SQL has it, and as YAML needs it then.
        let name = match quote_identifier(channel) {
            quoted if quoted.starts_with('"') => format!("'{}'", quoted.replace('\'', "''")),
            plain => plain,
        };
        let why = match word {
            "listen" => "what is sent to a channel is not masked, so the rules must name it",
            _ => "the rules must name the channels",
        };
        let hint = format!("{why}: `{word}: [{name}]` in the role");
        Refusal::new("42501", Reason::Channel, message, Some(hint))
    }

    /// A relation that must not be written.
    pub(super) fn not_written(name: &str, why: &str) -> Refusal {
        let message = format!("scrim: relation `{name}` cannot be written by this role");
        Refusal::new("42501", Reason::ClosedRelation, message, Some(why.to_owned()))
    }

    /// A column that must not be assigned.
    pub(super) fn not_assigned(column: &str, relation: &str, why: &str, hint: &str) -> Refusal {
        let message = format!("scrim: column `{column}` of `{relation}` cannot be written: {why}");
        Refusal::new("42501", Reason::MaskedColumn, message, Some(hint.to_owned()))
    }

    /// WHERE CURRENT OF, where a row filter would have to stand beside it.
    pub(super) fn current_of(relation: &str) -> Refusal {
        let message = format!(
            "scrim: `WHERE CURRENT OF` is not allowed for `{relation}`, of which this role sees some rows only"
        );
        let hint = "a row may have changed since the cursor saw it; find it by its key";
        Refusal::new("42501", Reason::StatementKind, message, Some(hint.to_owned()))
    }

    /// PostgreSQL's own words for a column that no relation in sight has.
    pub(super) fn no_such_column(name: &str) -> Refusal {
        let message = format!("column {name} does not exist");
        Refusal::new("42703", Reason::NoSuchColumn, message, None)
    }

    /// PostgreSQL's own words for a bare name that two relations have.
    pub(super) fn ambiguous_column(name: &str) -> Refusal {
        let message = format!("column reference \"{name}\" is ambiguous");
        Refusal::new("42702", Reason::NoSuchColumn, message, None)
    }

    /// PostgreSQL's own words for a name that FROM gives twice.
    pub(super) fn name_twice(name: &str) -> Refusal {
        let message = format!("table name \"{name}\" specified more than once");
        Refusal::new("42712", Reason::NoSuchColumn, message, None)
    }

    /// A setting, or a value of it.
    pub(super) fn setting(name: &str, why: &str) -> Refusal {
        let message = format!("scrim: setting `{name}` {why}");
        Refusal::new("42501", Reason::Setting, message, None)
    }

    /// `SHOW scrim.something`.
    pub(super) fn no_such_setting(name: &str) -> Refusal {
        let message = format!("unrecognized configuration parameter \"{name}\"");
        Refusal::new("42704", Reason::Setting, message, None)
    }

    /// PREPARE, EXECUTE or DEALLOCATE of a name that is Scrim's own.
    pub(super) fn reserved_statement_name(name: &str) -> Refusal {
        let message = format!("scrim: statement name `{name}` is reserved");
        Refusal::new("42939", Reason::Protocol, message, None)
    }

    /// sqlparser and PostgreSQL do not read the same.
    pub(super) fn not_understood(what: &str) -> Refusal {
        let message = "scrim: this form of statement is not understood well enough to be masked";
        Refusal::new("42501", Reason::NotUnderstood, message.to_owned(), Some(what.to_owned()))
    }

    /// What the gate or the verifier found.
    pub(super) fn violation(violation: &Violation, role: &str) -> Refusal {
        let (reason, what) = match violation {
            Violation::Node(_) => (Reason::NotProven, violation.to_string()),
            Violation::Relation(_) => (Reason::NotProven, violation.to_string()),
            Violation::Function(_) | Violation::Arguments(..) => {
                (Reason::Function, violation.to_string())
            }
            Violation::Operator(_) => (Reason::Operator, violation.to_string()),
            Violation::Type(_) | Violation::NoSuchType(_) | Violation::Collation(_) => {
                (Reason::Type, violation.to_string())
            }
            Violation::Field(_) => (Reason::Function, violation.to_string()),
            Violation::Login(word) => (Reason::Function, format!("`{word}`")),
        };
        let (message, hint) = match violation {
            Violation::NoSuchType(_) => return Refusal::new("42704", reason, what, None),
            Violation::Node(node) => (
                format!("scrim: `{node}` is not allowed for role `{role}`"),
                "only what can be proven to show masked values is sent".to_owned(),
            ),
            Violation::Arguments(..) => {
                (format!("scrim: {what}"), "write the arguments as plain literals".to_owned())
            }
            Violation::Function(_) => (
                format!("scrim: {what} is not allowed for role `{role}`"),
                "built-in functions that only compute are allowed; a function of your own needs a \
                 line under `functions` of the role"
                    .to_owned(),
            ),
            Violation::Field(name) => (
                format!(
                    "scrim: {what} may also be a function or a type, which role `{role}` may not use"
                ),
                format!("if `{name}` is a column, select it without a qualifier"),
            ),
            Violation::Login(_) => (
                format!("scrim: {what} cannot be said in this place"),
                "SHOW scrim.user tells who the session's user is".to_owned(),
            ),
            Violation::Relation(_)
            | Violation::Operator(_)
            | Violation::Type(_)
            | Violation::Collation(_) => (
                format!("scrim: {what} is not allowed for role `{role}`"),
                "only PostgreSQL's own, and what the rules allow".to_owned(),
            ),
        };
        Refusal::new("42501", reason, message, Some(hint))
    }

    /// True where the statement was not understood, or is too large to be; else something in it is refused.
    pub fn is_for_reading(&self) -> bool {
        self.reading.is_some() || self.reason == Reason::TooLarge
    }

    /// Says which reader did not understand the statement, if that is why it is refused.
    pub(super) fn by(self, reader: Reader, statement: &RawStmt) -> Refusal {
        match self.reason {
            Reason::NotUnderstood | Reason::NotProven if self.reading.is_none() => {
                let reading = Reading { reader, construct: construct(statement) };
                Refusal { reading: Some(reading), ..self }
            }
            _ => self,
        }
    }

    /// Points into the client's text: a byte offset, turned into characters from 1.
    pub(super) fn at(self, text: &str, byte: usize) -> Refusal {
        let before = text.get(..byte).map(|before| before.chars().count());
        let position = before.and_then(|count| u32::try_from(count.saturating_add(1)).ok());
        Refusal { position, ..self }
    }
}

/// Why, as one word for audit and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// PostgreSQL's grammar does not take it.
    Syntax,
    /// Too long or too deep.
    TooLarge,
    /// A kind of statement the role may not use.
    StatementKind,
    /// A relation that does not exist, for this role at least.
    NoSuchRelation,
    /// A relation that is closed.
    ClosedRelation,
    /// A column that does not exist, for this role at least.
    NoSuchColumn,
    /// A column that is masked, or decides what is, and was to be written.
    MaskedColumn,
    /// A function.
    Function,
    /// An operator.
    Operator,
    /// A type.
    Type,
    /// A setting, or a value for it.
    Setting,
    /// A channel.
    Channel,
    /// sqlparser did not read the canonical text as PostgreSQL does.
    NotUnderstood,
    /// The verifier found something; the rewriter is wrong, or the statement uses a corner nobody judged yet.
    NotProven,
    /// The role needs a purpose and the session stated none.
    Purpose,
    /// The role's budget of lookups is used up.
    Lookups,
    /// More statements within a second than the role may run.
    TooOften,
    /// What a grant opens was to be put where it would outlast the grant.
    Grant,
    /// What was prepared or opened under older rules.
    Rules,
    /// A protocol feature the role may not use.
    Protocol,
}

impl Reason {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Syntax => "syntax",
            Reason::TooLarge => "too_large",
            Reason::StatementKind => "statement_kind",
            Reason::NoSuchRelation => "no_such_relation",
            Reason::ClosedRelation => "closed_relation",
            Reason::NoSuchColumn => "no_such_column",
            Reason::MaskedColumn => "masked_column",
            Reason::Function => "function",
            Reason::Operator => "operator",
            Reason::Type => "type",
            Reason::Setting => "setting",
            Reason::Channel => "channel",
            Reason::NotUnderstood => "not_understood",
            Reason::NotProven => "not_proven",
            Reason::Purpose => "purpose",
            Reason::Lookups => "lookups",
            Reason::TooOften => "too_often",
            Reason::Grant => "grant",
            Reason::Rules => "rules",
            Reason::Protocol => "protocol",
        }
    }
}
