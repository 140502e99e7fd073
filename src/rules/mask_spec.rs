//! Masks as the rules name them, before any column type is known.

use super::json_mask::JsonMask;
use super::table::SqlText;
use crate::text::Span;

/// A mask of DESIGN's table, as written. What it means for a column type is `mask`'s business.
#[derive(Debug, Clone)]
pub enum MaskSpec {
    /// The value itself.
    Clear,
    /// The column does not exist.
    Hide,
    /// NULL.
    Null,
    /// By type: `***`, 0, false, 1970-01-01, ….
    Redact,
    /// A constant, cast to the type.
    Constant(Scalar),
    /// `keep_first` and `keep_last`, in characters; both may be set.
    Keep {
        /// Characters kept at the start.
        first: u32,
        /// Characters kept at the end.
        last: u32,
    },
    /// `k***@example.com`
    Email,
    /// Punctuation and the last four digits.
    Phone,
    /// As phone, from 12 digits.
    Card,
    /// First character of each word.
    Name,
    /// Numbers, down to a multiple; a positive decimal as it was written.
    Round(String),
    /// Dates and timestamps.
    Truncate(TruncateUnit),
    /// Numbers, dates and timestamps, cut to a range; `None`: no end on that side. One of them is there.
    Cap {
        /// The least.
        low: Option<Scalar>,
        /// The most.
        high: Option<Scalar>,
    },
    /// Addresses of the internet: the network of /24 or /48.
    Ip,
    /// Each match of a regular expression; it is one of those that the parser of `rules::regex` reads.
    Replace {
        /// The expression.
        pattern: String,
        /// What stands in its place; `\1` and `\&` are parts of the match, as in PostgreSQL.
        with: String,
    },
    /// Free text: each of what is found becomes its name in brackets. In order of [`ScrubKind`], each once.
    Scrub(Vec<ScrubKind>),
    /// Keyed, one-way, the same in every table of the domain.
    Pseudonym {
        /// What it looks like.
        kind: PseudonymKind,
        /// Empty: the one that has no name.
        domain: String,
    },
    /// Dates and timestamps, moved by a keyed number of days.
    Shift {
        /// At most so many, to either side.
        days: u32,
        /// The column by whose value the number is chosen.
        by: String,
    },
    /// Numbers, moved by a keyed share of themselves; the share, above 0 and up to 1, as it was written.
    Noise(String),
    /// Arrays, element by element.
    Each(Box<MaskSpec>),
    /// json and jsonb, by path.
    Json(JsonMask),
    /// By row. `condition` is the name of a condition of the table, or an SQL expression over its columns.
    When {
        /// Name or expression.
        condition: SqlText,
        /// The mask where it is true.
        then: Box<MaskSpec>,
        /// The mask where it is false or NULL.
        otherwise: Box<MaskSpec>,
        /// The whole mask.
        span: Span,
    },
    /// An expression over `{}` and the row's columns.
    Sql(SqlText),
}

/// SQL of the rules in a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskSql<'m> {
    /// Of `when`.
    Condition(&'m str),
    /// Of `sql`.
    Value(&'m str),
}

impl<'m> MaskSql<'m> {
    /// As it is written.
    pub fn text(self) -> &'m str {
        match self {
            MaskSql::Condition(text) | MaskSql::Value(text) => text,
        }
    }
}

/// A YAML scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string.
    String(String),
}

/// `truncate:` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncateUnit {
    /// year
    Year,
    /// quarter
    Quarter,
    /// month
    Month,
    /// ISO week
    Week,
    /// day
    Day,
    /// hour
    Hour,
}

/// What `scrub` looks for, in the order in which it looks: what is found first cannot be found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScrubKind {
    /// A URL, with everything in it.
    Url,
    /// An e-mail address.
    Email,
    /// What follows `password:` and its like.
    Password,
    /// An international bank account number.
    Iban,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A Korean resident registration number.
    Rrn,
    /// A social security number of the United States.
    Ssn,
    /// A card number: 13 digits or more.
    Card,
    /// A phone number: 8 digits or more.
    Phone,
}

/// What a pseudonym looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PseudonymKind {
    /// `p_` and 20 hexadecimal digits.
    Token,
    /// `u_…@example.invalid`
    Email,
    /// Each digit another, everything else as it was.
    Digits,
    /// A uuid.
    Uuid,
    /// An integer, another for every one.
    Integer,
}

impl PseudonymKind {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            PseudonymKind::Token => "token",
            PseudonymKind::Email => "email",
            PseudonymKind::Digits => "digits",
            PseudonymKind::Uuid => "uuid",
            PseudonymKind::Integer => "integer",
        }
    }
}

impl MaskSpec {
    /// True when different values stay different.
    pub fn keeps_unique(&self) -> bool {
        match self {
            MaskSpec::Clear => true,
            MaskSpec::Pseudonym { kind, .. } => match kind {
                PseudonymKind::Token
                | PseudonymKind::Email
                | PseudonymKind::Uuid
                | PseudonymKind::Integer => true,
                PseudonymKind::Digits => false,
            },
            MaskSpec::Hide
            | MaskSpec::Null
            | MaskSpec::Redact
            | MaskSpec::Constant(_)
            | MaskSpec::Keep { .. }
            | MaskSpec::Email
            | MaskSpec::Phone
            | MaskSpec::Card
            | MaskSpec::Name
            | MaskSpec::Round(_)
            | MaskSpec::Truncate(_)
            | MaskSpec::Cap { .. }
            | MaskSpec::Ip
            | MaskSpec::Replace { .. }
            | MaskSpec::Scrub(_)
            | MaskSpec::Shift { .. }
            | MaskSpec::Noise(_)
            | MaskSpec::Each(_)
            | MaskSpec::Json(_)
            | MaskSpec::When { .. }
            | MaskSpec::Sql(_) => false,
        }
    }

    /// True when the mask, or one within it, needs the key.
    pub fn is_keyed(&self) -> bool {
        match self {
            MaskSpec::Pseudonym { .. } | MaskSpec::Shift { .. } | MaskSpec::Noise(_) => true,
            MaskSpec::Each(inner) => inner.is_keyed(),
            MaskSpec::Json(mask) => mask.paths.iter().any(|(_, mask)| mask.is_keyed()),
            MaskSpec::When { then, otherwise, .. } => then.is_keyed() || otherwise.is_keyed(),
            MaskSpec::Clear
            | MaskSpec::Hide
            | MaskSpec::Null
            | MaskSpec::Redact
            | MaskSpec::Constant(_)
            | MaskSpec::Keep { .. }
            | MaskSpec::Email
            | MaskSpec::Phone
            | MaskSpec::Card
            | MaskSpec::Name
            | MaskSpec::Round(_)
            | MaskSpec::Truncate(_)
            | MaskSpec::Cap { .. }
            | MaskSpec::Ip
            | MaskSpec::Replace { .. }
            | MaskSpec::Scrub(_)
            | MaskSpec::Sql(_) => false,
        }
    }

    /// True when the mask, or one within it, goes by other columns of the row.
    pub fn goes_by_row(&self) -> bool {
        match self {
            MaskSpec::When { .. } | MaskSpec::Sql(_) | MaskSpec::Shift { .. } => true,
            MaskSpec::Each(inner) => inner.goes_by_row(),
            MaskSpec::Json(mask) => mask.paths.iter().any(|(_, mask)| mask.goes_by_row()),
            MaskSpec::Clear
            | MaskSpec::Hide
            | MaskSpec::Null
            | MaskSpec::Redact
            | MaskSpec::Constant(_)
            | MaskSpec::Keep { .. }
            | MaskSpec::Email
            | MaskSpec::Phone
            | MaskSpec::Card
            | MaskSpec::Name
            | MaskSpec::Round(_)
            | MaskSpec::Truncate(_)
            | MaskSpec::Cap { .. }
            | MaskSpec::Ip
            | MaskSpec::Replace { .. }
            | MaskSpec::Scrub(_)
            | MaskSpec::Pseudonym { .. }
            | MaskSpec::Noise(_) => false,
        }
    }

    /// The SQL in the mask, and in those within it.
    pub fn sql(&self) -> Vec<MaskSql<'_>> {
        let mut found = Vec::new();
        self.add_sql(&mut found);
        found
    }

    fn add_sql<'m>(&'m self, found: &mut Vec<MaskSql<'m>>) {
        match self {
            MaskSpec::When { condition, then, otherwise, .. } => {
                found.push(MaskSql::Condition(&condition.text));
                then.add_sql(found);
                otherwise.add_sql(found);
            }
            MaskSpec::Sql(sql) => found.push(MaskSql::Value(&sql.text)),
            MaskSpec::Each(inner) => inner.add_sql(found),
            MaskSpec::Json(mask) => mask.paths.iter().for_each(|(_, mask)| mask.add_sql(found)),
            MaskSpec::Clear
            | MaskSpec::Hide
            | MaskSpec::Null
            | MaskSpec::Redact
            | MaskSpec::Constant(_)
            | MaskSpec::Keep { .. }
            | MaskSpec::Email
            | MaskSpec::Phone
            | MaskSpec::Card
            | MaskSpec::Name
            | MaskSpec::Round(_)
            | MaskSpec::Truncate(_)
            | MaskSpec::Cap { .. }
            | MaskSpec::Ip
            | MaskSpec::Replace { .. }
            | MaskSpec::Scrub(_)
            | MaskSpec::Pseudonym { .. }
            | MaskSpec::Shift { .. }
            | MaskSpec::Noise(_) => {}
        }
    }

    /// The mask as one would write it in YAML's flow form, for people: `{keep_last: 4}`, `email`.
    pub fn label(&self) -> String {
        match self {
            MaskSpec::Clear => "clear".into(),
            MaskSpec::Hide => "hide".into(),
            MaskSpec::Null => "null".into(),
            MaskSpec::Redact => "redact".into(),
            MaskSpec::Constant(scalar) => format!("{{constant: {}}}", scalar.label()),
            MaskSpec::Keep { first, last: 0 } => format!("{{keep_first: {first}}}"),
            MaskSpec::Keep { first: 0, last } => format!("{{keep_last: {last}}}"),
            MaskSpec::Keep { first, last } => format!("{{keep_first: {first}, keep_last: {last}}}"),
            MaskSpec::Email => "email".into(),
            MaskSpec::Phone => "phone".into(),
            MaskSpec::Card => "card".into(),
            MaskSpec::Name => "name".into(),
            MaskSpec::Round(step) => format!("{{round: {step}}}"),
            MaskSpec::Truncate(unit) => format!("{{truncate: {}}}", unit.name()),
            MaskSpec::Cap { low, high } => {
                let end = |end: &Option<Scalar>| end.as_ref().unwrap_or(&Scalar::Null).label();
                format!("{{cap: [{}, {}]}}", end(low), end(high))
            }
            MaskSpec::Ip => "ip".into(),
            MaskSpec::Replace { pattern, with } => {
                format!("{{replace: {pattern:?}, with: {with:?}}}")
            }
            MaskSpec::Scrub(kinds) => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                format!("{{scrub: [{}]}}", kinds.join(", "))
            }
            MaskSpec::Pseudonym { kind, domain } if domain.is_empty() => {
                format!("{{pseudonym: {}}}", kind.name())
            }
            MaskSpec::Pseudonym { kind, domain } => {
                format!("{{pseudonym: {}, domain: {domain}}}", kind.name())
            }
            MaskSpec::Shift { days, by } => format!("{{shift: {days}, by: {by}}}"),
            MaskSpec::Noise(share) => format!("{{noise: {share}}}"),
            MaskSpec::Each(inner) => format!("{{each: {}}}", inner.label()),
            MaskSpec::Json(mask) => mask.label(),
            MaskSpec::When { condition, then, otherwise, .. } => {
                format!(
                    "{{when: {}, then: {}, else: {}}}",
                    condition.text,
                    then.label(),
                    otherwise.label()
                )
            }
            MaskSpec::Sql(sql) => format!("{{sql: {:?}}}", sql.text),
        }
    }
}

impl Scalar {
    /// As in YAML.
    pub fn label(&self) -> String {
        match self {
            Scalar::Null => "null".into(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(text) => text.clone(),
            Scalar::String(text) => format!("{text:?}"),
        }
    }
}

impl ScrubKind {
    /// All of them, in order.
    pub const ALL: [ScrubKind; 9] = [
        ScrubKind::Url,
        ScrubKind::Email,
        ScrubKind::Password,
        ScrubKind::Iban,
        ScrubKind::Ip,
        ScrubKind::Rrn,
        ScrubKind::Ssn,
        ScrubKind::Card,
        ScrubKind::Phone,
    ];

    /// The word, which is also what stands in the brackets.
    pub fn name(self) -> &'static str {
        match self {
            ScrubKind::Url => "url",
            ScrubKind::Email => "email",
            ScrubKind::Password => "password",
            ScrubKind::Iban => "iban",
            ScrubKind::Ip => "ip",
            ScrubKind::Rrn => "rrn",
            ScrubKind::Ssn => "ssn",
            ScrubKind::Card => "card",
            ScrubKind::Phone => "phone",
        }
    }
}

impl TruncateUnit {
    /// The word, which is also PostgreSQL's field name for `date_trunc`.
    pub fn name(self) -> &'static str {
        match self {
            TruncateUnit::Year => "year",
            TruncateUnit::Quarter => "quarter",
            TruncateUnit::Month => "month",
            TruncateUnit::Week => "week",
            TruncateUnit::Day => "day",
            TruncateUnit::Hour => "hour",
        }
    }
}
