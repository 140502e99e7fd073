//! Proposals as rules: a new file, for people to read.

use super::facts::{Table, sql_identifier};
use super::judge::{Finding, Verdict};

/// What stands before the tag of a proposal. Roles have no line for it: the column is seen through their `"*"`.
pub const REVIEW: &str = "review.";

/// How the first line of a file begins that scan wrote.
pub(super) const HEADER: &str = "# Written by `scrim scan`";

/// How a comment begins that scan wrote, and takes away when it writes the file again.
pub(super) const OWN_COMMENT: &str = "# scan:";

/// Long lines of columns are parted.
const LINE_CHARS: usize = 110;

/// What the rules say of a column already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing, or what scan itself proposed before.
    Nothing,
    /// A tag.
    Tag,
    /// That it is clear for everybody, at this place.
    Open(String),
}

/// What is proposed for a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableProposal {
    /// As SQL writes it.
    pub relation: String,
    /// Where the rules name its columns in another file: it cannot be named in this one too.
    pub elsewhere: Option<String>,
    /// Columns that should have a line.
    pub columns: Vec<Proposal>,
    /// Columns that the rules say are open, and that do not look so.
    pub doubts: Vec<(Proposal, String)>,
    /// Columns that nothing is known of.
    pub unknown: Vec<String>,
    /// Columns that the rules know.
    pub classified: usize,
    /// Rows that were read; `None`: nobody looked.
    pub rows: Option<usize>,
    /// Why no sample was read.
    pub failed: Option<String>,
}

/// What is proposed for a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The column's name.
    pub column: String,
    /// Its type as SQL.
    pub type_sql: String,
    /// The tag without [`REVIEW`]; `open` for what is harmless.
    pub tag: &'static str,
    /// `None` for what is harmless: it is on a list or it is not.
    pub confidence: Option<f32>,
    /// Why.
    pub evidence: Vec<String>,
    /// Lines about places of documents.
    pub places: Vec<(String, &'static str)>,
}

impl TableProposal {
    /// Puts together what was judged and what is known.
    pub fn new(
        table: &Table,
        verdicts: &[Verdict],
        elsewhere: Option<String>,
        known: impl Fn(&str) -> Known,
    ) -> TableProposal {
        let mut proposal = TableProposal {
            relation: table.sql_name(),
            elsewhere,
            columns: Vec::new(),
            doubts: Vec::new(),
            unknown: Vec::new(),
            classified: 0,
            rows: None,
            failed: None,
        };
        for (column, verdict) in table.columns.iter().zip(verdicts) {
            let found = match verdict {
                Verdict::Personal(finding) => {
                    Some(of_finding(&column.name, &column.type_sql, finding))
                }
                Verdict::Harmless(why) => Some(Proposal {
                    column: column.name.clone(),
                    type_sql: column.type_sql.clone(),
                    tag: "open",
                    confidence: None,
                    evidence: vec![(*why).to_owned()],
                    places: Vec::new(),
                }),
                Verdict::Unknown => None,
            };
            match (known(&column.name), found) {
                (Known::Nothing, Some(found)) => proposal.columns.push(found),
                (Known::Nothing, None) => proposal.unknown.push(column.name.clone()),
                (Known::Open(place), found) => {
                    proposal.classified = proposal.classified.saturating_add(1);
                    let sure = found.filter(|found| found.confidence >= Some(DOUBT_MIN));
                    proposal.doubts.extend(sure.map(|found| (found, place)));
                }
                (Known::Tag, _) => proposal.classified = proposal.classified.saturating_add(1),
            }
        }
        proposal
    }
}

/// Who has opened a column has thought about it: it takes more to doubt that than to propose a tag.
const DOUBT_MIN: f32 = 0.85;

fn of_finding(column: &str, type_sql: &str, finding: &Finding) -> Proposal {
    let places = finding.places.iter().map(|place| (place.path.clone(), place.kind.tag()));
    Proposal {
        column: column.to_owned(),
        type_sql: type_sql.to_owned(),
        tag: finding.kind.tag(),
        confidence: Some(finding.confidence),
        evidence: finding.evidence.clone(),
        places: places.collect(),
    }
}

/// A name as a key or text of YAML: in quotes unless both readers take it for a plain word.
pub(super) fn yaml_name(name: &str) -> String {
    let plain = name.chars().enumerate().all(|(index, c)| {
        c == '_'
            || c.is_ascii_alphabetic()
            || ('가'..='힣').contains(&c)
            || (index > 0 && c.is_ascii_digit())
    });
    let folded = name.to_ascii_lowercase();
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", ""];
    if plain && !special.contains(&folded.as_str()) { name.to_owned() } else { quoted(name) }
}

/// In double quotes; whatever is not printed plainly is escaped, so that no name can end its line.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// A relation as a key: `public.customers`, or in quotes where a part of it is.
pub(super) fn yaml_relation(relation: &str) -> String {
    let plain = |c: char| c == '.' || c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    if relation.chars().all(plain) { relation.to_owned() } else { quoted(relation) }
}

/// The lines of one column, each with the indentation.
pub(super) fn column_lines(proposal: &Proposal, indent: &str) -> Vec<String> {
    let evidence = evidence(proposal);
    let line = format!("{indent}{}: {REVIEW}{}", yaml_name(&proposal.column), proposal.tag);
    let mut lines = vec![format!("{line:<44} # review: {evidence}")];
    lines.extend(
        proposal
            .places
            .iter()
            .map(|(path, tag)| format!("{indent}  {OWN_COMMENT} {path} looks like {tag}")),
    );
    lines
}

fn evidence(proposal: &Proposal) -> String {
    let confidence = proposal.confidence.map(|sure| format!("{sure:.2}; ")).unwrap_or_default();
    let why = if proposal.evidence.is_empty() {
        "its name".to_owned()
    } else {
        proposal.evidence.join("; ")
    };
    format!("{confidence}{why}")
}

/// Comments about a table: columns nobody knows, and what went wrong.
pub(super) fn table_comments(table: &TableProposal, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = &table.failed {
        lines.push(format!("{indent}{OWN_COMMENT} not sampled: {why}"));
    }
    let mut names = table.unknown.iter().map(|name| yaml_name(name)).peekable();
    while names.peek().is_some() {
        let mut line = format!("{indent}{OWN_COMMENT} left unclassified:");
        while let Some(name) =
            names.next_if(|name| line.len() + name.len() < LINE_CHARS || line.ends_with(':'))
        {
            let comma = if line.ends_with(':') { "" } else { "," };
            line.push_str(&format!("{comma} {name}"));
        }
        lines.push(line);
    }
    lines
}

/// Lines for people to put where the table stands already, and doubts about what is open.
pub(super) fn elsewhere_lines(tables: &[TableProposal]) -> Vec<String> {
    let mut lines = Vec::new();
    for table in tables {
        if let Some(place) = table.elsewhere.as_ref().filter(|_| !table.columns.is_empty()) {
            lines.push(format!(
                "{OWN_COMMENT} {} stands in {place}; lines to put there:",
                yaml_relation(&table.relation)
            ));
            for proposal in &table.columns {
                let line = format!("{}: {REVIEW}{}", yaml_name(&proposal.column), proposal.tag);
                lines.push(format!("{OWN_COMMENT}   {line:<40} # review: {}", evidence(proposal)));
            }
        }
        for (proposal, place) in &table.doubts {
            lines.push(format!(
                "{OWN_COMMENT} {} is open by {place}, but its column {} looks like {}: {}",
                yaml_relation(&table.relation),
                yaml_name(&proposal.column),
                proposal.tag,
                evidence(proposal)
            ));
        }
        if table.elsewhere.is_some()
            && let Some(why) = &table.failed
        {
            lines.push(format!(
                "{OWN_COMMENT} {} was not sampled: {why}",
                yaml_relation(&table.relation)
            ));
        }
    }
    lines
}

/// A table with its columns, indented below `tables:`.
pub(super) fn table_lines(table: &TableProposal) -> Vec<String> {
    let mut lines =
        vec![format!("  {}:", yaml_relation(&table.relation)), "    columns:".to_owned()];
    lines.extend(table.columns.iter().flat_map(|column| column_lines(column, "      ")));
    lines.extend(table_comments(table, "      "));
    lines
}

/// True for a table that this file can name.
pub(super) fn is_new(table: &TableProposal) -> bool {
    table.elsewhere.is_none() && !table.columns.is_empty()
}

const PREFACE: &str = "\
#
# Each line is a proposal until somebody takes `review.` away from its tag:
#     email: review.contact.email    →    email: contact.email
# Nothing is opened by a proposal: no role has a line for `review.…`, so the column is masked as if it were not
# named here. `open` makes a column clear for everybody; look twice. A line without `review.` is yours, and so is
# every other line that you add: `scrim scan --write` on this file keeps them and replaces its own.
";

/// A whole file, which loads beside the rules that exist.
pub fn new_file(tables: &[TableProposal]) -> String {
    let mut text = format!("{HEADER}: what the columns of this database seem to hold.\n{PREFACE}");
    let mut lines = Vec::new();
    if tables.iter().any(is_new) {
        lines.push("\ntables:".to_owned());
    }
    for table in tables.iter().filter(|table| is_new(table)) {
        lines.extend(table_lines(table));
        lines.push(String::new());
    }
    lines.extend(rest_lines(tables));
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What stands behind the tables.
pub(super) fn rest_lines(tables: &[TableProposal]) -> Vec<String> {
    let mut lines = elsewhere_lines(tables);
    for table in tables.iter().filter(|table| table.columns.is_empty() && table.elsewhere.is_none())
    {
        let name = yaml_relation(&table.relation);
        if let Some(why) = &table.failed {
            lines.push(format!("{OWN_COMMENT} {name} was not sampled: {why}"));
        }
        if !table.unknown.is_empty() && table.classified == 0 {
            lines.push(format!("{OWN_COMMENT} {name}: nothing was found; it stays unclassified"));
        }
    }
    lines
}

/// The name of a relation as [`TableProposal::relation`] has it.
pub(super) fn sql_name(schema: &str, name: &str) -> String {
    format!("{}.{}", sql_identifier(schema), sql_identifier(name))
}
