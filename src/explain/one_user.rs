//! One user: which roles, and what each of them sees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::{RelationKind, Snapshot};
use crate::changes::{RelationPicture, Seen, standpoint};
use crate::grants::{Grant, time};
use crate::policy::{RoleView, Stated};
use crate::rules::{Limits, Permissions, RuleSet, User};
use crate::text::nearest;

/// What a user may do and see.
#[derive(Debug, Serialize)]
pub struct OneUser {
    user: String,
    written_at: String,
    logs_in_by: Vec<&'static str>,
    acts_for_others: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
    /// Those that are in force; `None`: the configuration has no file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<Vec<serde_json::Value>>,
    #[serde(skip)]
    granted: Vec<String>,
    /// The first is the default.
    roles: Vec<OneRole>,
}

#[derive(Debug, Serialize)]
struct OneRole {
    role: String,
    /// Without a purpose.
    #[serde(skip)]
    name: String,
    written_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    passes_untouched: bool,
    may: Vec<&'static str>,
    functions: Vec<String>,
    purposes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    listen: Vec<String>,
    notify: Vec<String>,
    limits: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<String>,
    audit_rows: bool,
    rows: Vec<Rows>,
    sees: Vec<Kind>,
    closed: Vec<Closed>,
}

#[derive(Debug, Serialize)]
struct Rows {
    relation: String,
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Closed {
    relation: String,
    reason: String,
}

/// Columns of one tag, which the role sees by one line.
#[derive(Debug, Serialize)]
struct Kind {
    tag: String,
    seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    lookup: bool,
    columns: Vec<String>,
}

/// What columns are told together by: how clear, tag, how seen, the role's line, and whether they are looked up.
type KindKey = (u8, String, String, Option<String>, bool);

impl OneUser {
    /// Of a name in the rules, or of somebody whom only a token names.
    ///
    /// # Errors
    /// There is no such user; ready to be shown.
    pub fn new(
        name: &str,
        rules: &Arc<RuleSet>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<OneUser, String> {
        let user = rules.user(name).ok_or_else(|| {
            let near = nearest(name, rules.users.keys().map(String::as_str));
            let near = near.map(|near| format!("\n  did you mean `{near}`?")).unwrap_or_default();
            format!("error: there is no user `{name}`{near}")
        })?;
        let all = rules.standpoints();
        let of_role = |role: &String| {
            let own = all.iter().filter(|(known, _)| known.name == *role);
            own.copied().collect::<Vec<_>>()
        };
        let views = user.roles.iter().flat_map(of_role).filter_map(|(role, purpose)| {
            let stated = Stated::named(purpose);
            let view = RoleView::of(&role.name, rules.clone(), snapshot.clone(), &stated)?;
            Some((standpoint(&role.name, purpose), view))
        });
        Ok(OneUser {
            written_at: rules.origin(user.span).to_string(),
            logs_in_by: logs_in_by(&user),
            acts_for_others: user.acts_for_others,
            connections: user.connections,
            grants: None,
            granted: Vec::new(),
            roles: views.map(|(name, view)| one_role(name, &view)).collect(),
            user: user.name,
        })
    }

    /// With what is granted for now.
    pub fn with_grants(self, grants: Option<Vec<Grant>>, now: i64) -> OneUser {
        let told = |grant: &Grant| {
            let until = grant.until.map(time).unwrap_or_default();
            let Grant { number, wish, .. } = grant;
            format!("{number} as {}: {wish}, until {until}, because {}", wish.role, wish.because)
        };
        let granted = grants.iter().flatten().map(told).collect();
        let grants = grants.map(|all| all.iter().map(|grant| grant.to_json(now)).collect());
        OneUser { grants, granted, ..self }
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("error: {error}"))
    }

    /// For a terminal.
    pub fn to_text(&self) -> String {
        let mut text = format!("user       {}  ({})\n", self.user, self.written_at);
        let _ = writeln!(text, "logs in    by {}", self.logs_in_by.join(" and "));
        let names = self.roles.iter().map(|role| role.name.as_str());
        let mut names: Vec<&str> = names.collect();
        names.dedup();
        let _ = writeln!(text, "roles      {}", names.join(", then "));
        if self.acts_for_others {
            text.push_str("may state  on whose behalf (scrim.end_user)\n");
        }
        if let Some(most) = self.connections {
            let _ = writeln!(text, "sessions   {most} at once");
        }
        for grant in &self.granted {
            let _ = writeln!(text, "granted    {grant}");
        }
        for role in &self.roles {
            text.push('\n');
            role.tell(&mut text);
        }
        text.trim_end().to_owned()
    }
}

impl OneRole {
    fn tell(&self, text: &mut String) {
        let _ = writeln!(text, "as {}  ({})", self.role, self.written_at);
        if let Some(description) = &self.description {
            let _ = writeln!(text, "  {description}");
        }
        if self.passes_untouched {
            text.push_str("  passes untouched: everything is clear, and nothing is looked at\n");
            return;
        }
        let limits: Vec<String> =
            self.limits.iter().map(|(name, most)| format!("{name} {most}")).collect();
        let guard: Vec<String> = self.guard.iter().cloned().collect();
        let may: Vec<String> = self.may.iter().map(|word| (*word).to_owned()).collect();
        let on_record: Vec<String> = self
            .audit_rows
            .then(|| "the primary keys of the rows that are shown".to_owned())
            .into_iter()
            .collect();
        for (what, list) in [
            ("may", &may),
            ("functions", &self.functions),
            ("purposes", &self.purposes),
            ("details", &self.details),
            ("listens to", &self.listen),
            ("notifies", &self.notify),
            ("limits", &limits),
            ("guard", &guard),
            ("on record", &on_record),
        ] {
            if !list.is_empty() {
                let _ = writeln!(text, "  {what:10} {}", list.join(", "));
            }
        }
        for Rows { relation, filter, decided_at } in &self.rows {
            let place = decided_at.as_ref().map(|place| format!(", by {place}"));
            let place = place.unwrap_or_default();
            let _ = writeln!(text, "  {:10} {relation}: only where {filter}{place}", "rows");
        }
        for Kind { tag, seen, decided_at, lookup, columns } in &self.sees {
            let by = decided_at.as_ref().map(|place| format!(", by {place}")).unwrap_or_default();
            let lookup = if *lookup { ", found by its true value" } else { "" };
            let _ = writeln!(text, "  {tag}: {seen}{by}{lookup}");
            let _ = writeln!(text, "      {}", columns.join(", "));
        }
        for Closed { relation, reason } in &self.closed {
            let _ = writeln!(text, "  {:10} {relation}: {reason}", "closed");
        }
    }
}

fn one_role(name: String, view: &RoleView) -> OneRole {
    let (role, rules) = (view.role(), view.rules());
    let mut relations: Vec<_> = view
        .snapshot()
        .relations
        .values()
        .filter(|relation| !relation.is_system() && relation.kind != RelationKind::Sequence)
        .collect();
    relations.sort_by_key(|relation| (&relation.schema, &relation.name));
    let (mut rows, mut closed) = (Vec::new(), Vec::new());
    let mut kinds: BTreeMap<KindKey, Vec<String>> = BTreeMap::new();
    for relation in relations {
        let name = format!("{}.{}", relation.schema, relation.name);
        let picture = RelationPicture::live(view, relation);
        if let Some(reason) = picture.closed {
            closed.push(Closed { relation: name, reason });
            continue;
        }
        for (column, found) in &picture.columns {
            let rank = match found.seen {
                Seen::Clear => 0,
                Seen::ByDefinition => 1,
                Seen::Masked { .. } => 2,
                Seen::Hidden | Seen::Closed => 3,
            };
            let rule = found.decision.rule.as_ref().map(ToString::to_string);
            let tag = found.decision.tag.clone();
            let key = (rank, tag, found.seen.label(), rule, found.lookup);
            kinds.entry(key).or_default().push(format!("{name}.{column}"));
        }
        rows.extend(picture.filter.map(|filter| Rows {
            relation: name,
            filter: filter.written,
            decided_at: filter.origin.map(|origin| origin.to_string()),
        }));
    }
    let names = |list: &[(String, crate::text::Span)]| -> Vec<String> {
        list.iter().map(|(name, _)| name.clone()).collect()
    };
    OneRole {
        role: name,
        name: role.name.clone(),
        written_at: rules.origin(role.span).to_string(),
        description: role.description.clone(),
        passes_untouched: role.is_untouched(),
        may: words(role.may),
        functions: role.functions.iter().map(|(f, _)| format!("{}.{}", f.schema, f.name)).collect(),
        purposes: role.purposes.clone(),
        details: role.details.iter().map(|(n, kind)| format!("{n} ({})", kind.word())).collect(),
        listen: names(&role.listen),
        notify: names(&role.notify),
        limits: limits(role.limits),
        guard: role.guard.as_ref().map(ToString::to_string),
        audit_rows: role.audit_rows,
        rows,
        sees: kinds
            .into_iter()
            .map(|((_, tag, seen, decided_at, lookup), columns)| Kind {
                tag,
                seen,
                decided_at,
                lookup,
                columns,
            })
            .collect(),
        closed,
    }
}

fn logs_in_by(user: &User) -> Vec<&'static str> {
    [
        (user.verifier.is_some(), "a password"),
        (user.certificate.is_some(), "a certificate"),
        (user.token.is_some(), "a token"),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect()
}

fn words(may: Permissions) -> Vec<&'static str> {
    [
        (may.read, "read"),
        (may.write, "write"),
        (may.explain, "explain"),
        (may.temp_tables, "temp_tables"),
        (may.everything, "everything"),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect()
}

fn limits(limits: Limits) -> BTreeMap<&'static str, u64> {
    [
        ("rows", limits.rows),
        ("bytes", limits.bytes),
        ("statement_seconds", limits.statement_seconds),
        ("idle_transaction_seconds", limits.idle_transaction_seconds),
        ("statements_per_second", limits.statements_per_second),
        ("lookups_per_minute", limits.lookups_per_minute),
        ("message_bytes", limits.message_bytes),
        ("connections", limits.connections),
    ]
    .into_iter()
    .filter_map(|(name, most)| most.map(|most| (name, most)))
    .collect()
}
