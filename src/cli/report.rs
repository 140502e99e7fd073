//! `scrim report`: what the audit trail says, and whether it is whole.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::audit::{Beginning, NotRead, TrailFiles, Wanted};
use crate::catalog::Snapshot;
use crate::changes::Picture;
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::report::{
    Entry, Kinds, Language, NoRow, Question, Report, Rules, Sightings, Subject, Tally, TrailTold,
    beginning, end, relation_and_key, shown,
};
use crate::rules::RuleSet;

/// The chain is broken.
const BROKEN: u8 = 1;
/// There is nothing to report, or it cannot be told.
const NOT_TOLD: u8 = 2;

/// Who saw which kinds of data, how much, for which purpose; what was refused, looked up or unusual; which permissions
/// nobody used, and which columns nobody has classified.
///
/// Reads the audit trail that the configuration names, with its closed files, or the files that are given, and checks that
/// the chain of its records is whole. Kinds of data and permissions are told by the rules as they are now.
#[derive(Debug, Args)]
#[command(after_help = "\
Times: 2026-11-28 (a whole day), 2026-11-28T18:00, 2026-11-28T09:00:00Z, or 7d and 12h (so long ago).

A row is RELATION:KEY with the values of its primary key: public.customers:42, public.order_items:1,7. Which rows a statement
showed is on record of roles with `audit_rows: true`; all other readings of the relation are told as possible ones.

Unusual volume is a day of more than 3.5 deviations over the median of a user's own active days (1.4826 times the median
absolute deviation); the whole trail up to --until says what is usual. docs/operating.md has it in full.

Examples:
  scrim report
  scrim report --since 7d --role support
  scrim report --since 2026-11-01 --until 2026-11-30 --timezone Asia/Seoul --format html > november.html
  scrim report --format html --language ko > report.html
  scrim report --subject public.customers:42 --since 2026-01-01
  scrim report --verify
  scrim report --no-rules --partial /backup/audit.jsonl.20261101-*

Exit status: 0, 1 when the chain is broken, 2 when nothing can be told: wrong use, no trail, broken rules, no database.")]
pub struct ReportArgs {
    /// The files of the trail, in any order; otherwise those of the configuration.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// For a terminal, for programs, or as one page with charts that needs nothing beside it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// In which language it is told; JSON has one for all.
    #[arg(long, value_enum)]
    language: Option<Tongue>,
    /// From this time on.
    #[arg(long, value_name = "TIME", value_parser = filled)]
    since: Option<String>,
    /// Up to this time; a day is in it as a whole.
    #[arg(long, value_name = "TIME", value_parser = filled)]
    until: Option<String>,
    /// What this user did.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What was done in this role.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Who saw what of this one row, and nothing else: RELATION:KEY.
    #[arg(long, value_name = "ROW", conflicts_with_all = ["offline", "no_rules", "verify"])]
    subject: Option<String>,
    /// Whose days and hours.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// The database whose catalog says what columns hold; otherwise the one that `check` looks at.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["offline", "no_rules"])]
    database: Option<String>,
    /// Do not ask the database: go by the rules alone.
    #[arg(long)]
    offline: bool,
    /// Without rules and database, so without kinds of data and permissions.
    #[arg(long)]
    no_rules: bool,
    /// Check the chain, and report nothing else.
    #[arg(long, conflicts_with_all = ["unverified", "format", "language", "since", "until", "user", "role"])]
    verify: bool,
    /// A hash that --verify has printed before, and that was kept elsewhere: fail unless it is that of a record.
    #[arg(long, value_name = "HASH", requires = "verify")]
    kept: Option<String>,
    /// The files begin in the middle of the trail: older ones are elsewhere.
    #[arg(long)]
    partial: bool,
    /// Report what can be read though the chain is broken. The report says so.
    #[arg(long)]
    unverified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
}

/// A language, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// English
    En,
    /// Korean
    Ko,
}

fn filled(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("there is no time") } else { Ok(text.to_owned()) }
}

/// Why there is no report.
enum NoReport {
    Broken(String),
    NotTold(String),
}

impl From<String> for NoReport {
    fn from(text: String) -> NoReport {
        NoReport::NotTold(text)
    }
}

/// The rules with what comes of them.
struct Against {
    rules: Arc<RuleSet>,
    picture: Picture,
    database: Option<String>,
    snapshot: Option<Arc<Snapshot>>,
}

impl ReportArgs {
    /// Exit code 0, 1 when the chain is broken, 2 when nothing can be told.
    pub async fn run(self) -> ExitCode {
        let (text, code) = match self.report().await {
            Ok(text) => {
                super::print(&text);
                return ExitCode::SUCCESS;
            }
            Err(NoReport::Broken(text)) => (text, BROKEN),
            Err(NoReport::NotTold(text)) => (text, NOT_TOLD),
        };
        super::complain(&text);
        ExitCode::from(code)
    }

    async fn report(&self) -> Result<String, NoReport> {
        // What is wrong with the question is said before anything is read.
        let question = self.question()?;
        let language = match self.language {
            None | Some(Tongue::En) => Language::English,
            Some(Tongue::Ko) => Language::Korean,
        };
        if self.language.is_some() && self.format == Format::Json {
            let text = "error: `--language` is for text and HTML\n  JSON is for programs, and has the same words in any language";
            return Err(text.to_owned().into());
        }
        let needs_config = self.files.is_empty() || !(self.no_rules || self.verify);
        let config = match needs_config {
            false => None,
            true => Some(Config::load(&self.config, &ProcessEnvironment).map_err(|found| {
                let help = "`scrim report --no-rules FILE…` needs no configuration";
                format!("{found}\n  {help}")
            })?),
        };
        let trail = match (&config, self.files.as_slice()) {
            (_, [_, ..]) => TrailFiles::given(&self.files).map_err(named)?,
            (Some(config), []) => TrailFiles::of(&config.audit.file).map_err(named)?,
            (None, []) => return Err("error: no file is given".to_owned().into()),
        };
        if self.verify {
            return self.verify(trail);
        }
        let against = match &config {
            Some(config) if !self.no_rules => Some(self.against(config).await?),
            Some(_) | None => None,
        };
        let mut kinds = Kinds::default();
        if let Some(Against { rules, picture, database, .. }) = &against {
            kinds = Kinds::new(rules);
            if let Some(database) = database {
                kinds = kinds.with_catalog(database, picture);
            }
        }
        let files = trail.names();
        let mut tally = Tally::new(question, kinds);
        if let Some(text) = &self.subject {
            let sources =
                against.as_ref().and_then(|all| Some((all.snapshot.as_ref()?, &all.rules)));
            let (snapshot, rules) = sources.ok_or_else(|| {
                "error: `--subject` needs the database, whose catalog says what the primary key is".to_owned()
            })?;
            tally = tally.about(Sightings::new(subject(text, snapshot, rules)?));
        }
        let read = trail
            .read(&self.wanted(), |line| Entry::read(line).map(|entry| tally.add(entry)).is_some());
        let read = read.map_err(|fault| {
            let help = "`--unverified` reports what can be read, and says that it was not verified";
            not_whole(&fault, help)
        })?;
        tally.end();
        let told = TrailTold {
            files: files.iter().map(|name| shown(name).into_owned()).collect(),
            records: read.checked.records,
            first: read.checked.first,
            last: read.checked.last,
            broken: read.broken,
            is_partial: self.partial,
        };
        let rules = against.as_ref().map(|against| Rules {
            set: &against.rules,
            picture: &against.picture,
            database: against.database.as_deref(),
        });
        let report = Report::new(Timestamp::now(), told, &tally, rules.as_ref());
        Ok(match self.format {
            Format::Text => report.to_text(language),
            Format::Json => report.to_json(),
            Format::Html => report.to_html(language),
        })
    }

    fn wanted(&self) -> Wanted {
        let beginning = if self.partial { Beginning::Anywhere } else { Beginning::First };
        let kept = self.kept.as_ref().map(|hash| hash.to_ascii_lowercase());
        Wanted { beginning, is_unverified: self.unverified, kept }
    }

    fn verify(&self, trail: TrailFiles) -> Result<String, NoReport> {
        let count = trail.names().len();
        let (mut first, mut last) = (None, None);
        let read = trail.read(&self.wanted(), |line| {
            let time = Entry::read(line).map(|entry| entry.time);
            first = first.or(time);
            last = time.or(last);
            time.is_some()
        });
        let read = read.map_err(|fault| {
            let help = "what stands after that line cannot be trusted, nor can the line itself";
            not_whole(&fault, help)
        })?;
        if let Some(kept) = self.kept.as_ref().filter(|_| !read.has_kept) {
            let text = format!(
                "error: no record has the hash {}\n  the trail was written anew, or does not reach \
                 back to that record",
                shown(kept)
            );
            return Err(NoReport::Broken(text));
        }
        let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        let checked = read.checked;
        let Some((first, last)) = first.zip(last) else {
            return Ok(format!("the chain is whole: no record, {files}"));
        };
        let mut text = format!(
            "the chain is whole: {} records, number {} to {}, {first} to {last}, {files}",
            checked.records, checked.first, checked.last
        );
        if checked.first > 1 {
            let why = match self.partial {
                true => "what was before is not looked at",
                false => "what was before has been removed by `rotate`, and a record says so",
            };
            text.push_str(&format!("\n{why}"));
        }
        if let Some(hash) = read.last_hash {
            text.push_str(&format!("\nhash of the last record: {hash}"));
        }
        Ok(text)
    }

    fn question(&self) -> Result<Question, String> {
        let zone = TimeZone::get(&self.timezone).map_err(|_| {
            format!(
                "error: there is no time zone `{}`\n  such as `Asia/Seoul`; zones are those that this machine knows (Debian: tzdata)",
                shown(&self.timezone)
            )
        })?;
        let now = Timestamp::now();
        let since = self.since.as_deref().map(|text| beginning(text, &zone, now));
        let until = self.until.as_deref().map(|text| end(text, &zone, now));
        let (since, until) = (since.transpose()?, until.transpose()?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(format!("error: `--until` ({until}) is not after `--since` ({since})"));
        }
        Ok(Question { since, until, user: self.user.clone(), role: self.role.clone(), zone })
    }

    async fn against(&self, config: &Config) -> Result<Against, String> {
        let help = "`--no-rules` reports without rules, `--offline` without the database";
        let (rules, _) = load_rules(&config.rules, &ProcessEnvironment)
            .map_err(|found| format!("{found}\n  {help}"))?;
        if self.offline {
            let picture = Picture::offline(&rules, &rules);
            return Ok(Against { rules: Arc::new(rules), picture, database: None, snapshot: None });
        }
        let database = self.database.as_ref().unwrap_or(&config.database).clone();
        let snapshot = super::live::snapshot(config, Some(&database))
            .await
            .map_err(|found| format!("{found}\n  {help}"))?;
        let rules = Arc::new(rules);
        let snapshot = Arc::new(snapshot);
        let picture = Picture::live(&rules, &snapshot);
        Ok(Against { rules, picture, database: Some(database), snapshot: Some(snapshot) })
    }
}

/// How a row is written.
const ROW: &str = "write the relation with its schema and the key behind a colon: public.customers:42; where the key has \
    several columns, in their order: public.order_items:1,7";

fn subject(text: &str, snapshot: &Snapshot, rules: &RuleSet) -> Result<Subject, String> {
    let named = relation_and_key(text);
    named.and_then(|(name, key)| Subject::of(name, key, snapshot, rules)).map_err(|wrong| {
        let help = match &wrong {
            NoRow::Named(_) | NoRow::RelationName(..) => Some(ROW.to_owned()),
            NoRow::Parts(..) => Some(format!("{ROW}; a value with a comma in double quotes")),
            NoRow::Relation(..) | NoRow::Key(..) | NoRow::Value(..) => {
                wrong.help(Language::English)
            }
        };
        let help = help.map(|help| format!("\n  {help}")).unwrap_or_default();
        format!("error: {wrong}{help}")
    })
}

/// What is wrong with a file whose name may be anything.
fn named(text: String) -> String {
    shown(&text).into_owned()
}

fn not_whole(fault: &NotRead, help: &str) -> NoReport {
    match fault {
        NotRead::Broken(fault) => {
            let fault = shown(fault);
            NoReport::Broken(format!("error: the audit trail is broken: {fault}\n  {help}"))
        }
        NotRead::File(text) => NoReport::NotTold(format!("error: {}", shown(text))),
    }
}
