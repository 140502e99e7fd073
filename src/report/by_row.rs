//! The rules that go by the row: which rows a role is shown, and masks under a condition. Consent and retention are such
//! rules; what keeps a row for a time looks at the clock.
//!
//! The rules as they are now, as they are written: no database is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::policy::covers;
use crate::rules::{MaskRule, MaskSql, RelationName, Role, RowRule, RuleSet, Tag, TagPattern};

/// Functions and words of SQL by which a condition looks at the clock.
/// <https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT>
const FUNCTIONS_OF_TIME: [&str; 6] =
    ["now", "age", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"];
const WORDS_OF_TIME: [&str; 5] =
    ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];
/// Constants that PostgreSQL reads as a time of now.
const CONSTANTS_OF_TIME: [&str; 4] = ["'now", "'today", "'tomorrow", "'yesterday"];

/// A line of a role that goes by the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByRow {
    /// The role.
    pub role: String,
    /// For which it counts; `None`: for each.
    pub purpose: Option<String>,
    /// `rows`: only those are shown; `mask`
    pub what: &'static str,
    /// The relation of `rows`, the tags of a mask.
    pub which: String,
    /// What of the line is a condition, as it is written; of a mask the whole of it.
    pub condition: String,
    /// What the names of conditions in it mean, by table.
    pub names: BTreeSet<String>,
    /// It looks at the clock.
    pub by_time: bool,
    /// The line.
    pub rule: String,
}

/// Those of all roles, or of one.
pub fn by_row(rules: &RuleSet, asked: Option<&str>) -> Vec<ByRow> {
    let roles = rules.roles.values().filter(|role| asked.is_none_or(|asked| asked == role.name));
    let mut found = Vec::new();
    for role in roles {
        let mut lines = |purpose: Option<&String>, rows: Vec<ByRow>| {
            found.extend(rows.into_iter().map(|row| ByRow { purpose: purpose.cloned(), ..row }));
        };
        let of = |masks: &[MaskRule], rows: Vec<(String, &RowRule)>| {
            let rows = rows.into_iter().map(|(which, rule)| filter(rules, role, which, rule));
            let masks = masks.iter().filter_map(|line| mask(rules, role, line));
            rows.chain(masks).collect::<Vec<_>>()
        };
        lines(None, of(&role.masks, named(&role.rows)));
        for (purpose, more) in &role.by_purpose {
            lines(Some(purpose), of(&more.masks, named(&more.rows)));
        }
    }
    found
}

fn named(rows: &BTreeMap<RelationName, RowRule>) -> Vec<(String, &RowRule)> {
    rows.iter().map(|(name, rule)| (format!("{}.{}", name.schema, name.name), rule)).collect()
}

fn filter(rules: &RuleSet, role: &Role, which: String, rule: &RowRule) -> ByRow {
    let text = rule.filter.text.as_str();
    let names = meanings(rules, &[text], |relation, _| relation == which);
    ByRow {
        role: role.name.clone(),
        purpose: None,
        what: "rows",
        by_time: looks_at_the_clock(text) || names.iter().any(|it| looks_at_the_clock(it)),
        which,
        condition: text.to_owned(),
        names,
        rule: rules.origin(rule.span).to_string(),
    }
}

/// `None`: the mask is the same in every row.
fn mask(rules: &RuleSet, role: &Role, line: &MaskRule) -> Option<ByRow> {
    // Other SQL mostly takes the value apart; whether it goes by other columns is not looked at.
    let is_by_row = |sql: &MaskSql<'_>| match sql {
        MaskSql::Condition(_) => true,
        MaskSql::Value(text) => looks_at_the_clock(text),
    };
    let texts: Vec<&str> =
        line.mask.sql().into_iter().filter(is_by_row).map(MaskSql::text).collect();
    if texts.is_empty() {
        return None;
    }
    let holds = |tag: &Tag| match (tag, &line.pattern) {
        (Tag::Open, _) => false,
        (Tag::Named(_), TagPattern::Rest) => true,
        (Tag::Named(tag), pattern) => covers(pattern, tag),
    };
    let names = meanings(rules, &texts, |_, tags| tags.iter().any(|tag| holds(tag)));
    let is_of_time = |text: &str| looks_at_the_clock(text);
    Some(ByRow {
        role: role.name.clone(),
        purpose: None,
        what: "mask",
        which: match &line.pattern {
            TagPattern::Rest => "*".to_owned(),
            TagPattern::Prefix(tag) => tag.clone(),
        },
        condition: line.mask.label(),
        by_time: texts.iter().any(|text| is_of_time(text)) || names.iter().any(|it| is_of_time(it)),
        names,
        rule: rules.origin(line.span).to_string(),
    })
}

/// `public.customers.consented: marketing_consent`, of the conditions that these texts name.
fn meanings(
    rules: &RuleSet,
    texts: &[&str],
    is_meant: impl Fn(&str, &[&Tag]) -> bool,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in &rules.tables {
        let relation = format!("{}.{}", table.relation.schema, table.relation.name);
        let tags: Vec<&Tag> = table.columns.values().map(|column| &column.tag).collect();
        if is_meant(&relation, &tags) {
            let named = table.conditions.iter().filter(|(name, _)| {
                texts
                    .iter()
                    .any(|text| words(text).any(|(word, _)| word.eq_ignore_ascii_case(name)))
            });
            found.extend(named.map(|(name, sql)| format!("{relation}.{name}: {}", sql.text)));
        }
    }
    found
}

/// Rather too often than too rarely: a word in a constant counts too.
fn looks_at_the_clock(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    CONSTANTS_OF_TIME.iter().any(|constant| sql.contains(constant))
        || words(&sql).any(|(word, rest)| {
            WORDS_OF_TIME.contains(&word)
                || (FUNCTIONS_OF_TIME.contains(&word) && rest.trim_start().starts_with('('))
        })
}

/// Each word, and what stands behind it.
fn words(sql: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| !is_part(c));
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end)?;
        rest = behind;
        (!word.is_empty()).then_some((word, behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{NoEnvironment, load};
    use crate::text::{Sources, render};

    const RULES: &str = "
tables:
  public.people:
    columns: {id: open, name: person.name, age: person.age, born: person.birth_date, profile: person.profile}
    conditions: {kept: \"closed_at > now() - interval '5 years'\", consented: consent}
  public.visits:
    columns: {id: open, who: person.name}
    conditions: {consented: agreed_at <= current_date}
roles:
  support:
    may: [read]
    masks:
      '*': redact
      person.name: {when: consented, then: clear, else: name}
      person.age: {when: 'age >= 18', then: clear, else: 'null'}
      person.profile: {json: {paths: {$.mail: {when: \"born < 'yesterday'\", then: clear, else: redact}}}}
      person.birth_date: {truncate: year}
    rows: {public.people: Kept AND consented}
    purposes:
      billing:
      fraud:
        masks:
          person.birth_date: {sql: 'CASE WHEN born < current_date THEN {} END'}
          person.age: {sql: '{} / 10 * 10'}
        rows: {public.people: id > 0}
  analyst:
    may: [read]
    masks: {'*': hide}
";

    fn rules() -> RuleSet {
        let mut sources = Sources::default();
        sources.add("rules.yaml", RULES);
        load(sources, &NoEnvironment)
            .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)))
            .0
    }

    #[test]
    fn lines_that_go_by_the_row_are_told_with_what_their_names_mean() {
        let told: Vec<String> = by_row(&rules(), None)
            .iter()
            .map(|it| {
                let names: Vec<&str> = it.names.iter().map(String::as_str).collect();
                let purpose = it.purpose.as_deref().unwrap_or("-");
                let clock = if it.by_time { "clock" } else { "" };
                format!(
                    "{} {purpose} {} {} {} {clock}",
                    it.role,
                    it.what,
                    it.which,
                    names.join("; ")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "support - rows public.people public.people.consented: consent; \
                 public.people.kept: closed_at > now() - interval '5 years' clock",
                "support - mask person.name public.people.consented: consent; \
                 public.visits.consented: agreed_at <= current_date clock",
                "support - mask person.age  ",
                "support - mask person.profile  clock",
                "support fraud rows public.people  ",
                "support fraud mask person.birth_date  clock",
            ]
        );
        assert!(by_row(&rules(), Some("analyst")).is_empty());
        assert_eq!(by_row(&rules(), Some("support")).len(), told.len());
    }

    #[test]
    fn conditions_that_look_at_the_clock() {
        for sql in ["Now ( ) > due", "AGE(born) > x", "CURRENT_DATE", "due < 'today'::date"] {
            assert!(looks_at_the_clock(sql), "{sql}");
        }
        for sql in ["age > 3", "now > due", "knows(x)", "known", "", "é", "stage(1)"] {
            assert!(!looks_at_the_clock(sql), "{sql}");
        }
    }
}
