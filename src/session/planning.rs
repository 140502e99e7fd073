//! From a client's text to what is sent: `sql::plan`, and what the session adds to it.
//!
//! The session knows what a plan cannot: the purpose, who acts for whom, limits of the role, and that an earlier
//! statement of the same text will have moved search_path when a later one runs. Pure but for [`plan`], which runs
//! long texts where they hold up nobody.

use std::sync::Arc;

use super::budgets::Exhausted;
use super::journal::read_by;
use super::on_record::{can_show, lookup, opened, relation, written};
use super::parameters::time_limits;
use super::plans::{Again, Asked, Plans};
use super::settings::Settings;
use super::statements::Prepared;
use super::stating::{stated, stated_too_late};
use crate::audit::{CellsOpened, StatementFacts};
use crate::grammar::shape;
use crate::guard::Discretion;
use crate::metrics::Metrics;
use crate::policy::{RoleView, WireMasks};
use crate::rules::{RelationName, Then};
use crate::sql::lifting::lift;
use crate::sql::{self, Effect, Names, PlannedStatement, Reason, Refusal, Speaker, StatementKind};
use crate::wire::writer::OTHER_COLUMNS;

/// Longer texts are planned on a thread of their own.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Whose session it is.
#[derive(Debug, Clone)]
pub struct Who {
    /// The Scrim user.
    pub user: Arc<str>,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
}

/// A text, ready to be sent: its statements.
pub struct Planned {
    /// In order.
    pub statements: Vec<PlannedPart>,
    /// The same as it has been met before, where server connections may keep it prepared.
    pub again: Option<Again>,
}

/// A statement of it.
#[derive(Clone)]
pub struct PlannedPart {
    /// What is sent.
    pub text: Arc<str>,
    /// For a COPY: what is sent to have its rows described.
    pub probe: Option<Arc<str>>,
    /// What of the plan an EXPLAIN may show.
    pub discretion: Option<Arc<Discretion>>,
    /// What its rows need before they may go to the client.
    pub masks: Option<Arc<WireMasks>>,
    /// What a PREPARE makes.
    pub makes: Option<Arc<Prepared>>,
    /// For the audit.
    pub facts: Arc<StatementFacts>,
    /// Its kind.
    pub kind: StatementKind,
    /// What its success means for the session.
    pub effect: Effect,
    /// What the client is told when it is complete, where the server says something else.
    pub tag: Option<&'static str>,
    /// It calls functions of the user, which may do anything to a server connection, or sets something.
    pub runs_code: bool,
    /// A star in it counts the columns of an open relation.
    pub(super) counts_columns: bool,
    /// The statement in lower case, where it may set something.
    pub(super) sets: Option<Box<str>>,
}

impl PlannedPart {
    /// True where the statement may set something.
    pub fn may_set(&self) -> bool {
        self.sets.is_some()
    }
}

/// How a text came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// In a Query.
    Query,
    /// In a Parse.
    Parse,
}

/// Plans a text for a session, or takes the plan that was made before.
pub async fn plan(
    text: &str,
    view: &Arc<RoleView>,
    settings: &Settings,
    who: &Who,
    plans: &Plans,
    metrics: &Metrics,
    message: Message,
) -> Result<Planned, Refusal> {
    let asked = Asked { view, who, values: settings.current(), text };
    let planned = match plans.get(asked) {
        // Server connections are not to keep a statement for each value.
        Some(planned) if message == Message::Query && planned.again.is_some() => {
            metrics.plans_kept.inc();
            let lifted = lift(text);
            let filled = lifted.as_ref().and_then(|lifted| plans.fill(asked, lifted));
            filled.filter(|filled| filled.again.is_some()).unwrap_or(planned)
        }
        Some(planned) => {
            metrics.plans_kept.inc();
            planned
        }
        None => {
            let lifted = lift(text);
            match lifted.as_ref().and_then(|lifted| plans.fill(asked, lifted)) {
                Some(planned) => {
                    metrics.plans_filled.inc();
                    planned
                }
                None => {
                    metrics.plans_made.inc();
                    let planned =
                        plan_anew(text, view, settings, who, plans.masks_on_the_wire()).await?;
                    plans.keep(asked, &planned);
                    if let Some(lifted) = &lifted {
                        let on_the_wire = plans.masks_on_the_wire();
                        let plan =
                            |text: &str| plan_now(text, view, settings, who, on_the_wire).ok();
                        plans.learn(asked, lifted, &planned, plan);
                    }
                    planned
                }
            }
        }
    };
    let mut later: Option<Settings> = None;
    let mut is_certain = true;
    for part in &planned.statements {
        let then = later.as_ref().unwrap_or(settings);
        judge(part, view, then)?;
        // All of a text is planned for what is stated when it comes.
        let is_for = |settings: &Settings| {
            view.needs().is_empty() || view.is_for(&stated(who, settings).opened(view.openings()))
        };
        if part.kind.reads() && !(is_certain && is_for(then)) {
            return Err(stated_too_late(view));
        }
        if part.effect != Effect::None {
            let settings = later.get_or_insert_with(|| settings.clone());
            if matches!(part.effect, Effect::Commit { .. }) {
                // Whether it commits is not known yet.
                let mut undone = settings.clone();
                undone.apply(&part.effect, "ROLLBACK");
                is_certain &= is_for(&undone);
            }
            settings.apply(&part.effect, tag_of(&part.effect));
        }
    }
    Ok(planned)
}

async fn plan_anew(
    text: &str,
    view: &Arc<RoleView>,
    settings: &Settings,
    who: &Who,
    on_the_wire: bool,
) -> Result<Planned, Refusal> {
    if text.len() <= INLINE_BYTES_MAX {
        return plan_now(text, view, settings, who, on_the_wire);
    }
    let (text, view) = (text.to_owned(), Arc::clone(view));
    let (settings, who) = (settings.clone(), who.clone());
    let planning =
        tokio::task::spawn_blocking(move || plan_now(&text, &view, &settings, &who, on_the_wire));
    planning.await.unwrap_or_else(|_| {
        // A panic in there is our fault; the statement is not sent.
        Err(refusal("XX000", Reason::NotUnderstood, "scrim: the statement could not be planned"))
    })
}

/// Plans a text, and looks at no more of a session than what is in the key of [`Plans`]. `on_the_wire`: masks may be put
/// on rows as they pass.
pub(super) fn plan_now(
    text: &str,
    view: &RoleView,
    settings: &Settings,
    who: &Who,
    on_the_wire: bool,
) -> Result<Planned, Refusal> {
    let now = settings.current();
    let speaker = Speaker::new(view, &now.search_path, &who.user, who.acts_for_others)
        .with_temp_tables(&now.temp_tables)
        .masking_on_the_wire(on_the_wire);
    // What the settings will be when a statement's turn comes.
    let mut later = settings.clone();
    let mut follow = |effect: &Effect| {
        later.apply(effect, tag_of(effect));
        let now = later.current();
        Some(Names { search_path: now.search_path.clone(), temp_tables: now.temp_tables.clone() })
    };
    let plan = sql::plan_following(text, speaker, &mut follow)?;
    let statements = plan.statements.into_iter().map(|statement| part(statement, view)).collect();
    Ok(Planned { statements, again: None })
}

/// What the server will say to a statement whose success means something else when it says ROLLBACK.
fn tag_of(effect: &Effect) -> &'static str {
    if matches!(effect, Effect::Commit { .. }) { "COMMIT" } else { "" }
}

/// What the session, rather than the plan, has against a statement.
fn judge(statement: &PlannedPart, view: &RoleView, settings: &Settings) -> Result<(), Refusal> {
    let role = view.role();
    if statement.kind.reads() {
        judge_purpose(view, settings)?;
    }
    if (role.limits.rows.is_some() || role.limits.bytes.is_some())
        && statement.kind == (StatementKind::Write { returning: true })
    {
        // The limit would stop the rows when everything is written.
        let message = "scrim: a role with a limit of rows or bytes may not use RETURNING";
        return Err(Refusal {
            hint: Some(format!("role `{}` has a limit; write first, then SELECT", role.name)),
            ..refusal("42501", Reason::StatementKind, message)
        });
    }
    if role.guard.as_ref().is_some_and(|guard| guard.then == Then::Refuse)
        && statement.kind == (StatementKind::Write { returning: true })
    {
        let message = "scrim: a role whose `guard` refuses results may not use RETURNING";
        let hint = format!("role `{}` has such a guard; write first, then SELECT", role.name);
        return Err(Refusal {
            hint: Some(hint),
            ..refusal("42501", Reason::StatementKind, message)
        });
    }
    // What is copied would be there when the grant has ended, and be seen uncounted.
    let copies = matches!(
        statement.kind,
        StatementKind::Write { .. } | StatementKind::TempTable | StatementKind::CopyIn
    ) || !statement.facts.writes.is_empty();
    if let Some(cells) = statement.facts.opened.first().filter(|_| copies) {
        return Err(opened_by_a_grant(cells));
    }
    for (setting, limit) in time_limits(role.limits) {
        let sets = statement.sets.as_ref().is_some_and(|text| text.contains(setting));
        if limit.is_some() && sets {
            let message = format!("scrim: setting `{setting}` may not be changed by this role");
            return Err(Refusal {
                hint: Some(format!("role `{}` has a limit of its own", role.name)),
                ..refusal("42501", Reason::Setting, &message)
            });
        }
    }
    Ok(())
}

/// A role with purposes reads nothing until the session has stated one.
pub fn judge_purpose(view: &RoleView, settings: &Settings) -> Result<(), Refusal> {
    let role = view.role();
    if role.purposes.is_empty() || settings.current().purpose.is_some() {
        return Ok(());
    }
    let message = format!("scrim: role `{}` must state a purpose before it reads", role.name);
    Err(Refusal {
        hint: Some(format!("SET scrim.purpose to one of: {}", role.purposes.join(", "))),
        ..refusal("42501", Reason::Purpose, &message)
    })
}

/// A statement that writes what a grant opens, or by it.
fn opened_by_a_grant(cells: &CellsOpened) -> Refusal {
    let CellsOpened { grant, relation, column, .. } = cells;
    let what = match column.as_str() {
        "*" => format!("rows of `{relation}`"),
        column => format!("`{relation}.{column}`"),
    };
    let message =
        format!("scrim: grant {grant} opens {what} to be read, not to be written or copied");
    Refusal {
        hint: Some(
            "leave it out of this statement: name the columns, and SELECT what is opened".into(),
        ),
        ..refusal("42501", Reason::Grant, &message)
    }
}

/// A text that is longer than any statement may be.
pub fn too_large() -> Refusal {
    let message =
        format!("scrim: the statement is longer than {} bytes", crate::grammar::LENGTH_BYTES_MAX);
    refusal("54000", Reason::TooLarge, &message)
}

/// The FunctionCall message.
pub fn no_function_calls() -> Refusal {
    Refusal {
        hint: Some("call the function in a SELECT".into()),
        ..refusal(
            "42501",
            Reason::Protocol,
            "scrim: the function-call message is not allowed for this role",
        )
    }
}

/// More than one statement in a Parse, in PostgreSQL's own words.
pub fn several_in_parse() -> Refusal {
    let message = "cannot insert multiple commands into a prepared statement";
    refusal("42601", Reason::Syntax, message)
}

/// More names than a session may hold.
pub fn too_many_names() -> Refusal {
    let message = format!(
        "scrim: the session has {} prepared statements or portals, which is the limit",
        super::statements::NAMES_MAX
    );
    Refusal {
        hint: Some("close those that are not needed".into()),
        ..refusal("54000", Reason::TooLarge, &message)
    }
}

/// A portal that nobody has made, in PostgreSQL's own words.
pub fn no_such_portal(name: &str) -> Refusal {
    refusal("34000", Reason::Protocol, &format!("portal \"{name}\" does not exist"))
}

/// EXECUTE of what a Parse has prepared and what is no query.
pub fn not_to_be_executed(name: &str) -> Refusal {
    let message = format!("scrim: EXECUTE of `{name}`, which is no query, is not allowed");
    Refusal {
        hint: Some("execute it by the protocol's messages, by which it was prepared".into()),
        ..refusal("42501", Reason::StatementKind, &message)
    }
}

/// A name that shared statements have on server connections.
pub fn reserved_name(name: &str) -> Refusal {
    let message = format!("scrim: statement name `{name}` is reserved");
    refusal("42939", Reason::Protocol, &message)
}

/// In PostgreSQL's own words.
pub fn name_taken(name: &str) -> Refusal {
    let message = format!("prepared statement \"{name}\" already exists");
    refusal("42P05", Reason::Protocol, &message)
}

/// EXECUTE of what a Parse has prepared, where that has another name on each server connection.
pub fn only_by_protocol(name: &str) -> Refusal {
    let message =
        format!("scrim: EXECUTE of `{name}`, which a Parse has prepared, is not available");
    Refusal {
        hint: Some(
            "execute it by the protocol's messages, or use PREPARE; `pool: {mode: session}` allows both"
                .into(),
        ),
        ..refusal("0A000", Reason::StatementKind, &message)
    }
}

/// FETCH or MOVE of a portal that a Bind has made.
pub fn not_to_be_fetched(name: &str) -> Refusal {
    let message = format!("scrim: FETCH of `{name}`, which is no cursor of SQL, is not allowed");
    Refusal {
        hint: Some("read it by the protocol's Execute, or DECLARE a cursor".into()),
        ..refusal("42501", Reason::StatementKind, &message)
    }
}

/// Execute, Describe, FETCH or MOVE of a portal that was opened under older rules.
pub fn opened_under_older_rules(name: &str) -> Refusal {
    let message = format!(
        "scrim: the rules, the purpose or a grant have changed since portal or cursor `{name}` was opened"
    );
    Refusal {
        hint: Some("close it and run its statement again".into()),
        ..refusal("24000", Reason::Rules, &message)
    }
}

/// EXECUTE of a statement of older rules, which only its client can prepare again.
pub fn prepared_under_older_rules(name: &str) -> Refusal {
    let message = format!(
        "scrim: the rules, the purpose or a grant have changed since statement `{name}` was prepared"
    );
    Refusal {
        hint: Some("DEALLOCATE it and PREPARE it again".into()),
        ..refusal("26000", Reason::Rules, &message)
    }
}

/// A statement that was planned again has other columns, in PostgreSQL's own words.
pub fn other_columns() -> Refusal {
    Refusal {
        hint: Some(
            "the rules, the purpose or a grant have changed; prepare the statement again".into(),
        ),
        ..refusal("0A000", Reason::Rules, OTHER_COLUMNS.0)
    }
}

/// `SELECT set_config('search_path', …)` outside a simple Query.
pub fn only_by_set() -> Refusal {
    let message = "scrim: function `set_config` cannot set search_path in a prepared statement";
    Refusal {
        hint: Some("use SET search_path".into()),
        ..refusal("42501", Reason::Function, message)
    }
}

/// A planned text that cannot be written as a message.
pub fn unwritable() -> Refusal {
    refusal("54000", Reason::TooLarge, "scrim: the statement cannot be sent")
}

/// More lookups than a role's users may make.
pub fn too_many_lookups(role: &str, limit: u64, exhausted: Exhausted) -> Refusal {
    let message = format!("scrim: role `{role}` may look up {limit} values a minute");
    let Exhausted(room) = exhausted;
    let hint = match room {
        Some(room) => format!("wait {} seconds", room.as_secs().saturating_add(1)),
        None => "the statement alone looks up more than that".to_owned(),
    };
    Refusal { hint: Some(hint), ..refusal("42501", Reason::Lookups, &message) }
}

/// A statement beyond what a user may run within a second.
pub fn too_many_statements(role: &str, limit: u64) -> Refusal {
    let message = format!("scrim: role `{role}` may run {limit} statements a second");
    Refusal {
        hint: Some("wait a second; all sessions of the user count together".into()),
        ..refusal("53400", Reason::TooOften, &message)
    }
}

/// A message of a client that is longer than the role's may be.
pub fn too_large_message(role: &str, bytes: u64, bytes_max: u64) -> Refusal {
    let message = format!(
        "scrim: a message of {bytes} bytes is over the limit of role `{role}`, which is {bytes_max}"
    );
    Refusal {
        hint: Some("send large values in parts, or ask for a higher `message_bytes`".into()),
        ..refusal("54000", Reason::TooLarge, &message)
    }
}

/// The error that stands for the bytes beyond a role's limit.
pub fn too_many_bytes(role: &str, bytes_max: u64) -> Refusal {
    let message =
        format!("scrim: the result has more than {bytes_max} bytes, the limit of role `{role}`");
    Refusal {
        hint: Some("ask for fewer rows or columns".into()),
        ..refusal("54000", Reason::TooLarge, &message)
    }
}

/// The error that stands for the rows beyond a role's limit.
pub fn too_many_rows(role: &str, rows_max: u64) -> Refusal {
    let message =
        format!("scrim: the result has more than {rows_max} rows, the limit of role `{role}`");
    Refusal {
        hint: Some("add a LIMIT, or ask for less".into()),
        ..refusal("54000", Reason::TooLarge, &message)
    }
}

fn refusal(code: &'static str, reason: Reason, message: &str) -> Refusal {
    let message = message.to_owned();
    Refusal { code, message, hint: None, position: None, reason, rule: None, reading: None }
}

fn part(statement: PlannedStatement, view: &RoleView) -> PlannedPart {
    let discretion = match statement.kind {
        StatementKind::Explain { json } => {
            Some(Arc::new(Discretion::new(view, &statement.reads, json)))
        }
        _ => None,
    };
    let text = statement.canonical.to_ascii_lowercase();
    let sets = statement.kind == StatementKind::Set || text.contains("set_config");
    let rewritten = !statement.writes.is_empty() || statement.reads.iter().any(|read| !read.open);
    // By the name alone, wherever it stands: masks and filters may call them too.
    let sent = statement.sql.as_str();
    let is_called = |function: &RelationName| sent.contains(function.name.as_str());
    let runs_code = text.contains("set_config")
        || view.role().functions.iter().any(|(function, _)| is_called(function));
    let reads_open = statement.reads.iter().any(|read| read.open);
    let counts_columns = reads_open && statement.canonical.replace("(*)", "").contains('*');
    let opened = opened(&statement, view);
    let can_show = match view.role().audit_rows {
        true => can_show(&statement, view),
        false => Vec::new(),
    };
    let mut facts = StatementFacts {
        opened,
        can_show,
        shape: shape(&statement.canonical),
        rewritten,
        kind: Some(statement.kind.word()),
        relations: statement.reads.into_iter().map(relation).collect(),
        writes: statement.writes.into_iter().map(written).collect(),
        lookups: statement.lookups.into_iter().map(lookup).collect(),
        reading: statement.reading.map(read_by),
        ..StatementFacts::default()
    };
    let makes = matches!(statement.effect, Effect::Prepare(_)).then(|| {
        // Of no version: the server describes it before anybody sees a row.
        let kind = Some(StatementKind::Select);
        Arc::new(Prepared::new(Arc::new(facts.clone()), kind, Effect::None, u64::MAX))
    });
    if makes.is_some() {
        // It looks nothing up; each EXECUTE will.
        facts.lookups.clear();
        facts.opened.clear();
    }
    PlannedPart {
        text: statement.sql.as_str().into(),
        probe: statement.probe.map(|probe| probe.as_str().into()),
        discretion,
        masks: statement.masks.map(Arc::new),
        makes,
        facts: Arc::new(facts),
        kind: statement.kind,
        effect: statement.effect,
        tag: None,
        runs_code,
        counts_columns,
        sets: sets.then(|| text.into()),
    }
}
