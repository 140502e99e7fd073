//! Counts what the trail says, record by record, in one pass.
//!
//! A statement's rows come with a later record, which names the session and the number; until then it is kept. Sessions
//! are numbered anew when Scrim starts, so a login ends what was kept of an older one with its number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::entry::{Entry, Event, Statement, Who};
use super::granted::Grants;
use super::habits::{Day, bit};
use super::kinds::Kinds;
use super::subject::Sightings;

/// Logins that failed have names that anybody may choose: of more, only the number is told.
const CLAIMED_NAMES_MAX: usize = 10_000;
/// The name under which the others are counted.
const OTHERS: &str = "(others)";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Question {
    /// From here on.
    pub since: Option<Timestamp>,
    /// Up to here, without it.
    pub until: Option<Timestamp>,
    /// Of this user alone.
    pub user: Option<String>,
    /// In this role alone.
    pub role: Option<String>,
    /// Whose days and hours.
    pub zone: TimeZone,
}

impl Question {
    pub(super) fn is_of(&self, user: &str, role: &str) -> bool {
        self.user.as_deref().is_none_or(|asked| asked == user)
            && self.role.as_deref().is_none_or(|asked| asked == role)
    }

    fn is_before_end(&self, time: Timestamp) -> bool {
        self.until.is_none_or(|until| time < until)
    }

    /// True in the period.
    pub fn is_in_period(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.is_before_end(time)
    }

    /// True for a day of which some hour is in the period.
    pub fn is_day_in_period(&self, day: Date) -> bool {
        let of = |time: Timestamp| time.to_zoned_datetime(self.zone.clone()).date();
        self.since.is_none_or(|since| day >= of(since))
            && self.until.is_none_or(|until| {
                day <= of(until.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(until))
            })
    }
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Statements that were sent.
    pub(super) statements: u64,
    /// Statements that were refused.
    pub(super) refused: u64,
    /// Statements that ended with an error.
    pub(super) failed: u64,
    /// Rows given.
    pub(super) rows: u64,
    /// Bytes given.
    pub(super) bytes: u64,
}

/// Of a role, a purpose, a user.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub(super) counts: Counts,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) logins: u64,
    /// Values looked up.
    pub(super) lookups: u64,
    pub(super) last: Option<Timestamp>,
}

/// Of a kind of data.
#[derive(Debug, Clone, Default)]
pub struct KindCounts {
    /// Statements in which a column of the kind was clear.
    pub(super) clear: u64,
    /// Statements in which all of the kind was masked.
    pub(super) masked: u64,
    /// Rows of results of the former.
    pub(super) rows_clear: u64,
    /// Rows of results of the latter.
    pub(super) rows_masked: u64,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
}

/// Of a reason.
#[derive(Debug, Clone, Default)]
pub struct Refused {
    pub(super) count: u64,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) rules: BTreeSet<String>,
}

/// Of a column that is read, or of what was found in one.
#[derive(Debug, Clone, Default)]
pub struct ColumnCounts {
    pub(super) statements: u64,
    pub(super) users: BTreeSet<String>,
}

/// Of a login that failed.
#[derive(Debug, Clone)]
pub struct FailedLogins {
    pub(super) count: u64,
    pub(super) addresses: BTreeSet<String>,
    pub(super) last: Timestamp,
}

/// A result that the guard stopped.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Alarm {
    /// When.
    pub(super) time: String,
    /// Who.
    pub(super) user: String,
    /// In which role.
    pub(super) role: String,
    /// Session.
    pub(super) session: u64,
    /// Statement in it.
    pub(super) statement: u64,
}

/// What a role has used of what it may.
#[derive(Debug, Clone, Default)]
pub struct Used {
    pub(super) kinds: BTreeSet<String>,
    pub(super) looked_up: BTreeSet<String>,
    pub(super) purposes: BTreeSet<String>,
    pub(super) users: BTreeSet<String>,
    pub(super) writes: bool,
    pub(super) explains: bool,
    pub(super) temporary: bool,
}

/// Kept until it ends.
#[derive(Debug)]
struct Running {
    user: String,
    role: String,
    end_user: Option<String>,
    purpose: String,
    /// Whether it was clear.
    kinds: BTreeMap<String, bool>,
    day: Date,
    is_in_period: bool,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Tally {
    pub(super) question: Question,
    kinds_of: Kinds,
    running: HashMap<u64, HashMap<u64, Running>>,
    /// The first and the last record of the trail.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) unknown: u64,
    pub(super) all: Group,
    pub(super) roles: BTreeMap<String, Group>,
    pub(super) users: BTreeMap<String, Group>,
    /// By user and whom for.
    pub(super) end_users: BTreeMap<(String, String), Group>,
    pub(super) purposes: BTreeMap<String, Group>,
    pub(super) kinds: BTreeMap<String, KindCounts>,
    pub(super) refusals: BTreeMap<String, Refused>,
    /// By relation.column, user and role.
    pub(super) lookups: BTreeMap<(String, String, String), (u64, u64)>,
    pub(super) failed_logins: BTreeMap<(String, String), FailedLogins>,
    pub(super) alarms: Vec<Alarm>,
    /// By what it looks like, what was done, and the role.
    pub(super) found: BTreeMap<(String, String, String), ColumnCounts>,
    pub(super) rules: BTreeSet<String>,
    pub(super) days: BTreeMap<Date, Counts>,
    /// Statements by day of the week (from Monday) and hour.
    pub(super) week: [[u64; 24]; 7],
    /// Of the whole trail up to the end of the period.
    pub(super) habits: BTreeMap<String, BTreeMap<Date, Day>>,
    /// By database, relation and column: what nobody has classified.
    pub(super) unclassified: BTreeMap<(String, String), ColumnCounts>,
    pub(super) used: BTreeMap<String, Used>,
    pub(super) acted_for_others: BTreeSet<String>,
    pub(super) grants: Grants,
    /// Of the one row that is asked for.
    pub(super) subject: Option<Sightings>,
}

/// Without the port, which is another one each time.
fn address(client: &str) -> String {
    let parsed = client.parse::<std::net::SocketAddr>();
    parsed.map_or_else(|_| client.to_owned(), |address| address.ip().to_string())
}

fn add(to: &mut u64, more: u64) {
    *to = to.saturating_add(more);
}

impl Tally {
    /// Of nothing yet.
    pub fn new(question: Question, kinds_of: Kinds) -> Tally {
        Tally {
            question,
            kinds_of,
            running: HashMap::new(),
            span: None,
            unknown: 0,
            all: Group::default(),
            roles: BTreeMap::new(),
            users: BTreeMap::new(),
            end_users: BTreeMap::new(),
            purposes: BTreeMap::new(),
            kinds: BTreeMap::new(),
            refusals: BTreeMap::new(),
            lookups: BTreeMap::new(),
            failed_logins: BTreeMap::new(),
            alarms: Vec::new(),
            found: BTreeMap::new(),
            rules: BTreeSet::new(),
            days: BTreeMap::new(),
            week: [[0; 24]; 7],
            habits: BTreeMap::new(),
            unclassified: BTreeMap::new(),
            used: BTreeMap::new(),
            acted_for_others: BTreeSet::new(),
            grants: Grants::default(),
            subject: None,
        }
    }

    /// About one row.
    pub fn about(self, subject: Sightings) -> Tally {
        Tally { subject: Some(subject), ..self }
    }

    /// The trail is read to its end.
    pub fn end(&mut self) {
        if let Some(subject) = &mut self.subject {
            subject.end();
        }
    }

    /// What columns hold.
    pub fn kinds_of(&self) -> &Kinds {
        &self.kinds_of
    }

    /// One record more.
    pub fn add(&mut self, entry: Entry) {
        let time = entry.time;
        let first = self.span.map_or(time, |(first, _)| first);
        self.span = Some((first, time));
        if let Some(subject) = &mut self.subject {
            subject.add(&entry, &self.question);
        }
        match entry.event {
            Event::Login { who, refused } => self.login(time, &who, refused),
            Event::Statement(statement) => self.statement(time, *statement),
            Event::Completed { session, statement, rows, bytes, is_failed, rows_seen: _ } => {
                self.completed(session, statement, rows, bytes, is_failed);
            }
            Event::Breach { who, statement } => {
                if self.question.is_in_period(time) && self.question.is_of(&who.user, &who.role) {
                    let Who { session, user, role, .. } = who;
                    let time = time.to_string();
                    self.alarms.push(Alarm { time, user, role, session, statement });
                }
            }
            Event::Found { who, kind, then } => {
                if self.question.is_in_period(time) && self.question.is_of(&who.user, &who.role) {
                    let counts = self.found.entry((kind, then, who.role)).or_default();
                    add(&mut counts.statements, 1);
                    counts.users.insert(who.user);
                }
            }
            Event::Grant { who, happened } => {
                if self.question.is_in_period(time) && self.question.is_of(&who.user, &who.role) {
                    self.grants.happened(&who.user, &who.role, *happened);
                }
            }
            Event::Reload { rules } => {
                if self.question.is_in_period(time) {
                    self.rules.insert(rules);
                }
            }
            Event::Logout { session } => drop(self.running.remove(&session)),
            Event::OfTrail => {}
            Event::Unknown => add(&mut self.unknown, 1),
        }
    }

    fn login(&mut self, time: Timestamp, who: &Who, refused: Option<String>) {
        self.running.remove(&who.session);
        if !self.question.is_in_period(time) || !self.question.is_of(&who.user, &who.role) {
            return;
        }
        let Some(code) = refused else {
            self.rules.insert(who.rules.clone());
            self.used.entry(who.role.clone()).or_default().users.insert(who.user.clone());
            for group in self.groups(&who.user, &who.role) {
                add(&mut group.logins, 1);
                group.last = Some(time);
            }
            return;
        };
        let mut key = (who.user.clone(), code);
        let is_full = self.failed_logins.len() >= CLAIMED_NAMES_MAX;
        if is_full && !self.failed_logins.contains_key(&key) {
            key.0 = OTHERS.to_owned();
        }
        let failed = self.failed_logins.entry(key).or_insert_with(|| FailedLogins {
            count: 0,
            addresses: BTreeSet::new(),
            last: time,
        });
        add(&mut failed.count, 1);
        failed.last = time;
        if failed.addresses.len() < CLAIMED_NAMES_MAX {
            failed.addresses.insert(address(&who.client));
        }
    }

    /// All, the role's and the user's.
    fn groups(&mut self, user: &str, role: &str) -> [&mut Group; 3] {
        let of_role = self.roles.entry(role.to_owned()).or_default();
        let of_user = self.users.entry(user.to_owned()).or_default();
        for group in [&mut self.all, &mut *of_role, &mut *of_user] {
            if !group.users.contains(user) {
                group.users.insert(user.to_owned());
            }
            if !group.roles.contains(role) {
                group.roles.insert(role.to_owned());
            }
        }
        [&mut self.all, of_role, of_user]
    }

    fn statement(&mut self, time: Timestamp, statement: Statement) {
        let Who { session, user, role, database, .. } = &statement.who;
        if !self.question.is_before_end(time) || !self.question.is_of(user, role) {
            return;
        }
        let local = time.to_zoned_datetime(self.question.zone.clone());
        let (day, hour) = (local.date(), u8::try_from(local.hour()).unwrap_or_default());
        let values = statement.lookups.iter().map(|lookup| lookup.values);
        let values = values.fold(0_u64, u64::saturating_add);
        let habit = self.habits.entry(user.clone()).or_default().entry(day).or_default();
        add(&mut habit.statements, 1);
        add(&mut habit.refused, u64::from(statement.is_refused));
        add(&mut habit.lookups, values);
        habit.hours |= bit(hour);
        let is_in_period = self.question.is_in_period(time);
        let mut kinds: BTreeMap<String, bool> = BTreeMap::new();
        for read in &statement.reads {
            let clear = read.clear.iter().map(|column| (column, true));
            for (column, is_clear) in clear.chain(read.masked.keys().map(|column| (column, false)))
            {
                let kind = self.kinds_of.of(database, &read.relation, column);
                if kind == super::kinds::UNCLASSIFIED && is_in_period {
                    let name = format!("{}.{column}", read.relation);
                    let counts = self.unclassified.entry((database.clone(), name)).or_default();
                    add(&mut counts.statements, 1);
                    counts.users.insert(user.clone());
                }
                *kinds.entry(kind.to_owned()).or_default() |= is_clear;
            }
        }
        let purpose = statement.purpose.clone().unwrap_or_default();
        if is_in_period {
            self.count(time, &statement, &purpose, &kinds, values, day, hour);
        }
        if !statement.is_refused {
            let running = Running {
                user: user.clone(),
                role: role.clone(),
                end_user: statement.end_user.clone(),
                purpose,
                kinds,
                day,
                is_in_period,
            };
            self.running.entry(*session).or_default().insert(statement.statement, running);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is known of one statement")]
    fn count(
        &mut self,
        time: Timestamp,
        statement: &Statement,
        purpose: &str,
        kinds: &BTreeMap<String, bool>,
        values: u64,
        day: Date,
        hour: u8,
    ) {
        let Who { user, role, rules, database, .. } = &statement.who;
        let is_refused = statement.is_refused;
        let counted = |counts: &mut Counts| match is_refused {
            true => add(&mut counts.refused, 1),
            false => add(&mut counts.statements, 1),
        };
        self.rules.insert(rules.clone());
        for group in self.groups(user, role) {
            counted(&mut group.counts);
            add(&mut group.lookups, values);
            group.last = Some(time);
        }
        let mut others = vec![self.purposes.entry(purpose.to_owned()).or_default()];
        if let Some(end_user) = &statement.end_user {
            self.acted_for_others.insert(user.clone());
            others.push(self.end_users.entry((user.clone(), end_user.clone())).or_default());
        }
        for group in others {
            counted(&mut group.counts);
            add(&mut group.lookups, values);
            group.users.insert(user.clone());
            group.roles.insert(role.clone());
        }
        counted(self.days.entry(day).or_default());
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
        let cell = self.week.get_mut(weekday).and_then(|day| day.get_mut(usize::from(hour)));
        if let Some(cell) = cell {
            add(cell, 1);
        }
        for lookup in &statement.lookups {
            let column = format!("{}.{}", lookup.relation, lookup.column);
            let key = (column, user.clone(), role.clone());
            let (statements, values) = self.lookups.entry(key).or_default();
            add(statements, 1);
            add(values, lookup.values);
        }
        if is_refused {
            let reason = statement.reason.clone().unwrap_or_default();
            let refused = self.refusals.entry(reason).or_default();
            add(&mut refused.count, 1);
            refused.users.insert(user.clone());
            refused.roles.insert(role.clone());
            refused.rules.extend(statement.rule.clone());
            return;
        }
        self.grants.used(user, role, &statement.opened);
        for (kind, is_clear) in kinds {
            let of_kind = self.kinds.entry(kind.clone()).or_default();
            add(if *is_clear { &mut of_kind.clear } else { &mut of_kind.masked }, 1);
            of_kind.users.insert(user.clone());
            of_kind.roles.insert(role.clone());
        }
        let used = self.used.entry(role.clone()).or_default();
        used.users.insert(user.clone());
        used.kinds.extend(kinds.keys().cloned());
        used.purposes.extend(statement.purpose.clone());
        used.writes |= statement.writes > 0;
        used.explains |= statement.shape.starts_with("EXPLAIN");
        used.temporary |= statement.shape.contains("TEMP");
        for lookup in &statement.lookups {
            let kind = self.kinds_of.of(database, &lookup.relation, &lookup.column);
            used.looked_up.insert(kind.to_owned());
        }
    }

    fn completed(&mut self, session: u64, statement: u64, rows: u64, bytes: u64, is_failed: bool) {
        let of_session = self.running.get_mut(&session);
        let Some(running) = of_session.and_then(|all| all.remove(&statement)) else { return };
        let days = self.habits.entry(running.user.clone()).or_default();
        add(&mut days.entry(running.day).or_default().rows, rows);
        if !running.is_in_period {
            return;
        }
        let counted = |counts: &mut Counts| {
            add(&mut counts.rows, rows);
            add(&mut counts.bytes, bytes);
            add(&mut counts.failed, u64::from(is_failed));
        };
        for group in self.groups(&running.user, &running.role) {
            counted(&mut group.counts);
        }
        counted(&mut self.purposes.entry(running.purpose).or_default().counts);
        if let Some(end_user) = running.end_user {
            counted(&mut self.end_users.entry((running.user, end_user)).or_default().counts);
        }
        counted(self.days.entry(running.day).or_default());
        for (kind, is_clear) in running.kinds {
            let kind = self.kinds.entry(kind).or_default();
            add(if is_clear { &mut kind.rows_clear } else { &mut kind.rows_masked }, rows);
        }
    }
}
