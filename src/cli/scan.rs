//! `scrim scan`: what the columns of a database seem to hold, as rules for people to review.

mod file;
mod reading;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::catalog::Snapshot;
use crate::config::{Config, ProcessEnvironment, is_without_rules, load_rules};
use crate::policy::Classification;
use crate::rules::{self, RelationName, RelationPattern, RuleSet, Tag};
use crate::scan::{self, Known, REVIEW, SampleLimits, Table, TableProposal};
use crate::text::{Sources, Span, nearest};
use file::File;

/// Looks at the names, the types and a sample of the values of every column that the rules do not know yet, and proposes
/// what each holds, with the evidence, as YAML for the rules. No value is printed. A proposal changes nothing that
/// anybody sees: each is a tag below `review.` until a person takes that away.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim scan                                          proposals on standard output, a summary on standard error
  scrim scan --write masking-rules/90-found.yaml      into a file; again later, lines that you approved are kept
  scrim scan --schema public --rows 50 --names-only
  scrim scan --table public.customers --format json

The service account reads at most --rows rows of a table, in read-only transactions, one table at a time. A table that it
cannot read is named, and judged by its names. Exit status: 0 when the scan came to its end, 1 when it did not.")]
pub struct ScanArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The database; otherwise the one `check` looks at.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only this schema; may be given several times.
    #[arg(long = "schema", value_name = "SCHEMA")]
    schemas: Vec<String>,
    /// Only this relation, as SQL writes it; may be given several times.
    #[arg(long = "table", value_name = "SCHEMA.TABLE")]
    tables: Vec<String>,
    /// Rows of a table that are read at most.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    rows: u16,
    /// Seconds that the server may take for a table.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
    /// Read no values: judge by names, types, keys and comments alone.
    #[arg(long, conflicts_with = "rows")]
    names_only: bool,
    /// Write the proposals into this file: a new one, or one that scan wrote before.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A value is cut to so many characters, a document or an array to so many.
const CHARS: usize = 400;
const DOCUMENT_CHARS: usize = 16_384;

impl ScanArgs {
    /// Exit code 0 when the scan came to its end.
    pub async fn run(self) -> ExitCode {
        match self.scan().await {
            Ok((found, told)) => {
                if !found.is_empty() {
                    super::print(found.trim_end_matches('\n'));
                }
                super::complain(&told);
                ExitCode::SUCCESS
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }

    /// What goes to standard output, and what to standard error.
    async fn scan(self) -> Result<(String, String), String> {
        let config = Config::load(&self.config, &ProcessEnvironment).map_err(|found| found.0)?;
        let rules = rules_or_none(&config)?;
        let file = self.write.as_deref().map(|path| File::open(path, &config.rules)).transpose()?;
        let database = self.database.as_deref().unwrap_or(&config.database);
        let timeout = Duration::from_secs(self.timeout.into());
        let mut source = reading::Source::open(&config, database, timeout).await?;
        let (snapshot, tables) = source.catalog().await?;
        let tables = self.chosen(tables)?;
        let limits =
            SampleLimits { rows: self.rows.into(), chars: CHARS, document_chars: DOCUMENT_CHARS };
        let looked = match self.names_only {
            true => tables.iter().map(reading::Looked::unseen).collect(),
            false => source.look(&tables, limits).await?,
        };
        let mut verdicts: Vec<_> = tables
            .iter()
            .zip(&looked)
            .map(|(table, looked)| scan::judge(table, &looked.samples))
            .collect();
        scan::follow_keys(&tables, &mut verdicts);
        let known = Knowledge::new(&rules, &snapshot, file.as_ref());
        let mut proposals = Vec::with_capacity(tables.len());
        for ((table, verdicts), looked) in tables.iter().zip(&verdicts).zip(looked) {
            let mut proposal =
                TableProposal::new(table, verdicts, known.elsewhere(table), |column| {
                    known.of(table, column)
                });
            (proposal.rows, proposal.failed) = (looked.rows, looked.failed);
            proposals.push(proposal);
        }
        let mut told = scan::summary(&proposals);
        let mut found = match self.format {
            Format::Json => format!("{:#}", scan::to_json(&snapshot.database, &proposals)),
            Format::Text => String::new(),
        };
        match file {
            Some(file) => told.push_str(&file.write(&proposals, &rules)?),
            None if self.format == Format::Text => found = scan::new_file(&proposals),
            None => {}
        }
        Ok((found, told))
    }

    /// The relations that were asked for.
    fn chosen(&self, tables: Vec<Table>) -> Result<Vec<Table>, String> {
        let mut wanted = Vec::new();
        for text in &self.tables {
            let name =
                rules::parse_relation(text).map_err(|why| format!("error: --table: {why}"))?;
            if !tables.iter().any(|table| is(table, &name)) {
                let names: Vec<String> = tables.iter().map(Table::sql_name).collect();
                return Err(missing(
                    "--table",
                    "relation with rows of its own called",
                    text,
                    &names,
                ));
            }
            wanted.push(name);
        }
        for schema in &self.schemas {
            if !tables.iter().any(|table| table.schema == *schema) {
                let mut names: Vec<String> =
                    tables.iter().map(|table| table.schema.clone()).collect();
                names.dedup();
                return Err(missing(
                    "--schema",
                    "table that Scrim can see in a schema",
                    schema,
                    &names,
                ));
            }
        }
        let all = wanted.is_empty() && self.schemas.is_empty();
        let is_chosen = |table: &Table| {
            all || self.schemas.contains(&table.schema) || wanted.iter().any(|name| is(table, name))
        };
        Ok(tables.into_iter().filter(is_chosen).collect())
    }
}

fn is(table: &Table, name: &RelationName) -> bool {
    table.schema == name.schema && table.name == name.name
}

fn missing(option: &str, what: &str, name: &str, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = nearest(name, known.iter().copied())
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    format!("error: {option}: there is no {what} `{name}`{near}")
}

/// The rules; on the first day there are none.
fn rules_or_none(config: &Config) -> Result<RuleSet, String> {
    if is_without_rules(&config.rules) {
        let none = rules::load(Sources::default(), &ProcessEnvironment);
        return none.map(|(rules, _)| rules).map_err(|_| "error: no rules cannot be loaded".into());
    }
    load_rules(&config.rules, &ProcessEnvironment).map(|(rules, _)| rules).map_err(|found| found.0)
}

/// What the rules, and the file that is written, say already.
struct Knowledge<'a> {
    rules: &'a RuleSet,
    snapshot: &'a Snapshot,
    classification: Classification,
    file: Option<&'a File>,
}

impl<'a> Knowledge<'a> {
    fn new(rules: &'a RuleSet, snapshot: &'a Snapshot, file: Option<&'a File>) -> Knowledge<'a> {
        let classification = Classification::new(rules, &snapshot.database);
        Knowledge { rules, snapshot, classification, file }
    }

    fn of(&self, table: &Table, column: &str) -> Known {
        if self.file.is_some_and(|file| file.has_approved(&table.sql_name(), column)) {
            return Known::Tag;
        }
        let Some(relation) = self.snapshot.relation_named(&table.schema, &table.name) else {
            return Known::Nothing;
        };
        match self.classification.tag(self.rules, self.snapshot, relation, column) {
            None => Known::Nothing,
            Some((Tag::Open, span)) => Known::Open(self.rules.sources.origin(span).to_string()),
            Some((Tag::Named(tag), span)) if tag.starts_with(REVIEW) && self.is_of_a_scan(span) => {
                Known::Nothing
            }
            Some((Tag::Named(_), _)) => Known::Tag,
        }
    }

    fn is_of_a_scan(&self, span: Span) -> bool {
        self.rules.sources.source(span.source).is_some_and(|source| scan::is_ours(&source.text))
    }

    /// Where the rules name a table in another file than the one that is written.
    fn elsewhere(&self, table: &Table) -> Option<String> {
        let tables = self.rules.tables.iter().filter(|rule| {
            rule.relation.schema == table.schema && rule.relation.name == table.name
        });
        let open = self.rules.open.iter().filter(|rule| match &rule.pattern {
            RelationPattern::Relation(name) => is(table, name),
            RelationPattern::Schema(_) => false,
        });
        let spans = tables.map(|rule| rule.span).chain(open.map(|rule| rule.span));
        let mut origins = spans.map(|span| self.rules.sources.origin(span));
        let origin =
            origins.find(|origin| self.file.is_none_or(|file| !file.is_rule_file(&origin.file)));
        origin.map(|origin| origin.to_string())
    }
}
