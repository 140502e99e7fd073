//! One role's view of one database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use super::access::{AS_TEXT, Access, ColumnAccess, ColumnVerdict, Decision, LookupKind};
use super::classify::{Classification, covers, generations, mask_rule, name_of};
use super::expression::{ExpressionError, Row, checked_expression, prove_template, with_column};
use super::stated::{Needs, Stated};
use super::template::{SelectList, Template, mentions};
use super::wire_masks::RawColumn;
use crate::catalog::{Column, Relation, RelationKind, RelationOid, Snapshot, TypeFamily};
use crate::grammar::quote_identifier;
use crate::mask::{self, Conditions, Masked, Misfit, WireMask};
use crate::rules::{MaskSpec, RelationPattern, Role, RuleSet, SqlText, Tag};
use crate::text::Span;

/// OIDs below belong to PostgreSQL itself (`FirstNormalObjectId` in access/transam.h).
const FIRST_USER_OID: u32 = 16384;

/// `attnum` of ctid, xmin and tableoid (access/sysattr.h): they hold no data.
const SYSTEM_COLUMNS: [i16; 3] = [-1, -2, -6];

/// What one role sees of one database, under one version of rules and catalog.
#[derive(Debug)]
pub struct RoleView {
    pub(super) role: Role,
    pub(super) rules: Arc<RuleSet>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) classification: Classification,
    compiled: RwLock<HashMap<RelationOid, Access>>,
    /// See [`RoleView::hides`].
    hides: OnceLock<bool>,
    /// What of what sessions state makes a difference.
    pub(super) needs: Needs,
    /// What a session has stated, as far as it makes one.
    pub(super) stated: Stated,
    /// The same role for sessions that state something, the latest last.
    pub(super) siblings: Mutex<Vec<Arc<RoleView>>>,
}

/// Something in the rules that does not fit a relation: what, and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Unfit {
    pub(super) message: String,
    pub(super) span: Option<Span>,
}

impl RoleView {
    /// The view of `role` (a name in `rules`); `None` if there is no such role.
    pub fn new(role: &str, rules: Arc<RuleSet>, snapshot: Arc<Snapshot>) -> Option<RoleView> {
        RoleView::of(role, rules, snapshot, &Stated::default())
    }

    /// The view of a session that states something, without a session that would keep it.
    pub fn of(
        role: &str,
        rules: Arc<RuleSet>,
        snapshot: Arc<Snapshot>,
        stated: &Stated,
    ) -> Option<RoleView> {
        let role = rules.roles.get(role)?;
        let needs = Needs::of(role, &rules);
        let stated = stated.only(&needs);
        let role = role.stating(stated.purpose.as_deref());
        let classification = Classification::new(&rules, &snapshot.database);
        Some(RoleView {
            role,
            rules,
            snapshot,
            classification,
            compiled: RwLock::default(),
            hides: OnceLock::new(),
            needs,
            stated,
            siblings: Mutex::default(),
        })
    }

    pub(super) fn row<'a>(
        &'a self,
        relation: &'a Relation,
        conditions: &'a BTreeMap<&'a str, &'a str>,
    ) -> Row<'a> {
        Row {
            relation,
            snapshot: &self.snapshot,
            role: &self.role,
            conditions,
            stated: &self.stated,
            needs: &self.needs,
        }
    }

    /// True where something is absent for the role or looks otherwise than it is, which each statement asks. What that means
    /// is not known here: `find` finds it, once.
    pub fn hides(&self, find: impl FnOnce(&RoleView) -> bool) -> bool {
        *self.hides.get_or_init(|| find(self))
    }

    /// The role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The catalog.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// What the role sees of a relation of the snapshot. Unknown OIDs are hidden.
    pub fn access(&self, oid: RelationOid) -> Access {
        if let Some(access) = self.compiled.read().ok().and_then(|all| all.get(&oid).cloned()) {
            return access;
        }
        let access = match self.snapshot.relation(oid) {
            Some(relation) => self.compile(relation, &mut Vec::new()),
            None => Access::Hidden,
        };
        if let Ok(mut all) = self.compiled.write() {
            all.insert(oid, access.clone());
        }
        access
    }

    /// Compiles what another view has been asked for, so that who goes on with this one does not wait.
    pub fn compile_as_used(&self, used: &RoleView) {
        let asked: Vec<RelationOid> =
            used.compiled.read().map(|all| all.keys().copied().collect()).unwrap_or_default();
        for oid in asked {
            self.access(oid);
        }
    }

    /// Why the role sees a column as it does; `None` where there is no such relation or column.
    pub fn decision(&self, oid: RelationOid, column: &str) -> Option<Decision> {
        let relation = self.snapshot.relation(oid)?;
        let (_, decision, _) = self.decide(relation, relation.column(column)?);
        Some(decision)
    }

    /// True when a result column may come straight from this column: the guard's question.
    /// `table` and `column` are those of a row description; unknown ones are not allowed.
    pub fn may_flow_raw(&self, table: RelationOid, column: i16) -> bool {
        let Some(relation) = self.snapshot.relation(table) else {
            return table.0 < FIRST_USER_OID;
        };
        if relation.is_system() {
            return true;
        }
        match self.access(table) {
            Access::Open => true,
            Access::Masked(_) if SYSTEM_COLUMNS.contains(&column) => true,
            Access::Masked(template) => template
                .columns
                .iter()
                .any(|known| known.number == column && known.verdict == ColumnVerdict::Clear),
            // A view is never sent by its name, so nothing can come from it.
            Access::View(_) | Access::Hidden | Access::Closed { .. } => false,
        }
    }

    /// True when a column still is where it was, and gets the same mask.
    pub fn masks_alike(&self, raw: &RawColumn) -> bool {
        let Access::Masked(template) = self.access(raw.table) else { return false };
        let column = template.columns.iter().find(|column| column.number == raw.number);
        column.and_then(|column| template.wire_mask(&column.name)) == Some(&raw.mask)
    }

    /// True when the role's `functions` name this user function.
    pub fn may_call(&self, schema: &str, name: &str) -> bool {
        self.role.functions.iter().any(|(own, _)| own.schema == schema && own.name == name)
    }

    /// Compiles a relation; what does not fit goes into `unfit`, and is redacted or closed meanwhile.
    pub(super) fn compile(&self, relation: &Relation, unfit: &mut Vec<Unfit>) -> Access {
        if relation.is_system() {
            return Access::Open;
        }
        match relation.kind {
            RelationKind::View => return self.compile_view(relation, unfit),
            RelationKind::Sequence => return self.compile_sequence(relation, unfit),
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable => {}
        }
        let (columns, list) = self.columns(relation, unfit);
        let is_hidden = |column: &ColumnAccess| column.verdict == ColumnVerdict::Hidden;
        if !columns.is_empty() && columns.iter().all(is_hidden) {
            return Access::Hidden;
        }
        if let Some(reason) = self.stricter_child(relation, &columns) {
            return Access::Closed { reason };
        }
        let filter = match self.usable_filter(relation, unfit) {
            Ok(filter) => filter,
            Err(closed) => return closed,
        };
        let is_clear = |column: &ColumnAccess| column.verdict == ColumnVerdict::Clear;
        if filter.is_none() && columns.iter().all(is_clear) {
            return Access::Open;
        }
        let primary_key = clear_key(relation, &columns);
        match self.template(relation, columns, list, filter, primary_key) {
            Ok(template) => Access::Masked(Arc::new(template)),
            Err(found) => self.unproven(relation, &found, unfit),
        }
    }

    /// A relation's template, proven to read the relation and nothing else.
    pub(super) fn template(
        &self,
        relation: &Relation,
        columns: Vec<ColumnAccess>,
        list: SelectList,
        filter: Option<String>,
        primary_key: Vec<String>,
    ) -> Result<Template, ExpressionError> {
        let template = Template {
            oid: relation.oid,
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            primary_key,
            columns,
            filter,
            list,
        };
        let conditions = BTreeMap::new();
        let row = self.row(relation, &conditions);
        prove_template(&template.outline(), &template.list.parts, row)?;
        Ok(template)
    }

    pub(super) fn unproven(
        &self,
        relation: &Relation,
        error: &ExpressionError,
        unfit: &mut Vec<Unfit>,
    ) -> Access {
        let reason = format!("its template cannot be proven: {}", error.message);
        let message = format!("`{}.{}` is closed: {reason}", relation.schema, relation.name);
        unfit.push(Unfit { message, span: None });
        Access::Closed { reason }
    }

    pub(super) fn columns(
        &self,
        relation: &Relation,
        unfit: &mut Vec<Unfit>,
    ) -> (Vec<ColumnAccess>, SelectList) {
        let conditions = self.classification.conditions(&self.rules, &self.snapshot, relation);
        let row = self.row(relation, &conditions);
        let table = quote_identifier(&relation.name);
        let mut columns = Vec::with_capacity(relation.columns.len());
        let mut list = SelectList::default();
        for column in &relation.columns {
            let name = quote_identifier(&column.name);
            let reference = format!("{table}.{name}");
            let (spec, decision, span) = self.decide(relation, column);
            let mut is_fit = true;
            let mut form = match mask::sql_form(&spec, column, &reference, &RowConditions(row)) {
                Ok(form) => form,
                Err(misfit) => {
                    unfit.push(Unfit { message: self.explain(&misfit, &spec, row), span });
                    is_fit = false;
                    Masked::Expression(mask::redaction(column, &reference))
                }
            };
            let mut verdict = match &form {
                Masked::Clear => ColumnVerdict::Clear,
                Masked::Hidden => ColumnVerdict::Hidden,
                Masked::Expression(_) => ColumnVerdict::Masked(spec.label()),
            };
            if self.snapshot.names_objects(column) {
                if verdict == ColumnVerdict::Clear {
                    verdict = ColumnVerdict::Masked(AS_TEXT.to_owned());
                }
                form = mask::as_text(form, &reference);
            }
            match form {
                Masked::Clear => list.push(&column.name, reference.clone(), reference),
                Masked::Hidden => {}
                Masked::Expression(mask) => {
                    let named = |sql: &str| format!("{sql} AS {name}");
                    list.push(&column.name, named(&mask.sql), named(&mask.outline));
                    let others = relation.columns.iter().filter(|other| {
                        other.name != column.name
                            && mentions(&mask.sql, &relation.name, &other.name)
                    });
                    list.decisive.extend(others.map(|other| other.name.clone()));
                    list.masks.insert(column.name.clone(), mask.sql);
                    let wire =
                        WireMask::of(&spec, column).filter(|_| is_fit && self.counts_alike());
                    list.wire.extend(wire.map(|mask| (column.name.clone(), mask)));
                    list.parts.extend(mask.parts);
                }
            }
            columns.push(ColumnAccess {
                number: column.number,
                name: column.name.clone(),
                // What does not fit is redacted.
                unique: spec.keeps_unique() && is_fit,
                lookup: self.lookup(relation, column, &verdict, &decision.tag),
                mask: if is_fit { spec } else { MaskSpec::Redact },
                verdict,
                decision,
            });
        }
        (columns, list)
    }

    /// True where a character of the database is one of what it sends.
    fn counts_alike(&self) -> bool {
        self.snapshot.encoding == "UTF8"
    }

    /// Whether the role may find rows by the true value, and how: a masked column of a table, with one of the
    /// role's lookup tags, of a type whose `=` compares whole values.
    fn lookup(
        &self,
        relation: &Relation,
        column: &Column,
        verdict: &ColumnVerdict,
        tag: &str,
    ) -> Option<LookupKind> {
        let is_masked = matches!(verdict, ColumnVerdict::Masked(_));
        let is_given = self.role.lookup.iter().any(|(pattern, _)| covers(pattern, tag));
        if !is_masked || !is_given || relation.kind == RelationKind::View {
            return None;
        }
        match column.family {
            TypeFamily::Text => Some(LookupKind::Text),
            TypeFamily::Integer
            | TypeFamily::Numeric
            | TypeFamily::Uuid
            | TypeFamily::Date
            | TypeFamily::Timestamp
            | TypeFamily::Inet => Some(LookupKind::Plain),
            TypeFamily::Float
            | TypeFamily::Boolean
            | TypeFamily::Json
            | TypeFamily::Jsonb
            | TypeFamily::Bytea
            | TypeFamily::Array
            | TypeFamily::Other => None,
        }
    }

    /// Which mask, and why, with what is opened to the session.
    pub(super) fn decide(
        &self,
        relation: &Relation,
        column: &Column,
    ) -> (MaskSpec, Decision, Option<Span>) {
        let (spec, decision, span) = self.decide_by_rules(relation, column);
        if self.stated.openings.is_empty() {
            return (spec, decision, span);
        }
        let given = self.classification.tag(&self.rules, &self.snapshot, relation, &column.name);
        let tag = given.map(|(tag, _)| tag);
        (self.with_openings(relation, column, tag.as_ref(), spec), decision, span)
    }

    /// Which mask, and why, by the rules alone.
    pub(super) fn decide_by_rules(
        &self,
        relation: &Relation,
        column: &Column,
    ) -> (MaskSpec, Decision, Option<Span>) {
        let given = self.classification.tag(&self.rules, &self.snapshot, relation, &column.name);
        let classified = given.as_ref().map(|(_, span)| self.rules.origin(*span));
        let tag = given.map(|(tag, _)| tag);
        let label = match &tag {
            Some(Tag::Open) => "open".to_owned(),
            Some(Tag::Named(name)) => name.clone(),
            None => "unclassified".to_owned(),
        };
        if tag == Some(Tag::Open) {
            let decision = Decision { tag: label, classified, rule: None };
            return (MaskSpec::Clear, decision, None);
        }
        if tag.is_none() && relation.kind == RelationKind::View {
            // Nothing on top: its definition shows what the role sees of the tables.
            let decision = Decision { tag: "by its definition".into(), classified, rule: None };
            return (MaskSpec::Clear, decision, None);
        }
        let rule = mask_rule(&self.role, tag.as_ref());
        let decision = Decision {
            tag: label,
            classified,
            rule: rule.map(|rule| self.rules.origin(rule.span)),
        };
        let spec = rule.map_or(MaskSpec::Redact, |rule| rule.mask.clone());
        (spec, decision, rule.map(|rule| rule.span))
    }

    /// The row filter; a relation whose filter cannot be used is closed.
    pub(super) fn usable_filter(
        &self,
        relation: &Relation,
        unfit: &mut Vec<Unfit>,
    ) -> Result<Option<String>, Access> {
        self.filter(relation).map_err(|found| {
            let reason = format!("its row filter cannot be used: {}", found.message);
            unfit.push(found);
            Access::Closed { reason }
        })
    }

    /// The role's filters on the relation and its ancestors, all of them.
    fn filter(&self, relation: &Relation) -> Result<Option<String>, Unfit> {
        let conditions = self.classification.conditions(&self.rules, &self.snapshot, relation);
        let row = self.row(relation, &conditions);
        let mut filters = Vec::new();
        for member in generations(&self.snapshot, relation).into_iter().flatten() {
            if let Some(rule) = self.role.rows.get(&name_of(member)) {
                let SqlText { text, span } = &rule.filter;
                let checked = checked_expression(text, row)
                    .map_err(|error| Unfit { message: error.message, span: Some(*span) })?;
                filters.push(checked);
            }
        }
        let own = (!filters.is_empty()).then(|| filters.join(" AND "));
        Ok(self.widened(relation, own))
    }

    /// Reading a parent reads its children: their own rules may not be looser than what the parent's template
    /// does.
    fn stricter_child(&self, relation: &Relation, columns: &[ColumnAccess]) -> Option<String> {
        let descendants = self.snapshot.relations.values().filter(|other| {
            other.oid != relation.oid
                && generations(&self.snapshot, other)
                    .iter()
                    .flatten()
                    .any(|member| member.oid == relation.oid)
        });
        for child in descendants {
            if self.role.rows.contains_key(&name_of(child)) {
                return Some(format!(
                    "its child `{}.{}` has a row filter of its own; query the children",
                    child.schema, child.name
                ));
            }
            for own in child.columns.iter() {
                let is_own = self
                    .classification
                    .entries(&self.rules, child)
                    .any(|entry| entry.columns.contains_key(&own.name));
                let Some(here) = columns.iter().find(|column| column.name == own.name) else {
                    continue;
                };
                let (spec, ..) = self.decide(child, own);
                let is_same = match (&here.verdict, &spec) {
                    (ColumnVerdict::Hidden, _) => true,
                    (ColumnVerdict::Clear, MaskSpec::Clear) => true,
                    (ColumnVerdict::Clear, _) => false,
                    (ColumnVerdict::Masked(_), MaskSpec::Clear) => here.is_as_text(),
                    (ColumnVerdict::Masked(label), spec) => *label == spec.label(),
                };
                if is_own && !is_same {
                    return Some(format!(
                        "its child `{}.{}` has rules of its own for `{}`; query the children",
                        child.schema, child.name, own.name
                    ));
                }
            }
        }
        None
    }

    pub(super) fn is_named_open(&self, relation: &Relation) -> bool {
        self.rules.open.iter().any(|rule| {
            rule.databases
                .as_ref()
                .is_none_or(|all| all.iter().any(|name| *name == self.snapshot.database))
                && matches!(&rule.pattern,
                    RelationPattern::Relation(name) if *name == name_of(relation))
        })
    }

    /// A misfit in full: what is wrong with the SQL in it, where there is some.
    fn explain(&self, misfit: &Misfit, spec: &MaskSpec, row: Row<'_>) -> String {
        let inner = wrong_sql(spec, &misfit.column, row);
        let table = format!("{}.{}", row.relation.schema, row.relation.name);
        match inner {
            Some(inner) => format!("{misfit} ({table}): {inner}"),
            None => format!("{misfit} ({table})"),
        }
    }
}

/// The first SQL in a mask that cannot be used, and why.
fn wrong_sql(spec: &MaskSpec, column: &str, row: Row<'_>) -> Option<ExpressionError> {
    match spec {
        MaskSpec::Sql(sql) => checked_expression(&with_column(&sql.text, column), row).err(),
        MaskSpec::When { condition, then, otherwise, .. } => {
            checked_expression(&condition.text, row)
                .err()
                .or_else(|| wrong_sql(then, column, row))
                .or_else(|| wrong_sql(otherwise, column, row))
        }
        MaskSpec::Each(inner) => wrong_sql(inner, column, row),
        MaskSpec::Json(mask) => {
            mask.paths.iter().find_map(|(_, mask)| wrong_sql(mask, column, row))
        }
        _ => None,
    }
}

/// The primary key by name, if every column of it is clear.
fn clear_key(relation: &Relation, columns: &[ColumnAccess]) -> Vec<String> {
    let key: Option<Vec<String>> = relation
        .primary_key
        .iter()
        .map(|number| {
            columns
                .iter()
                .find(|column| column.number == *number && column.verdict == ColumnVerdict::Clear)
                .map(|column| column.name.clone())
        })
        .collect();
    key.unwrap_or_default()
}

pub(super) fn closed(reason: &str) -> Access {
    Access::Closed { reason: reason.to_owned() }
}

pub(super) struct RowConditions<'a>(pub(super) Row<'a>);

impl Conditions for RowConditions<'_> {
    fn condition(&self, text: &str) -> Option<String> {
        checked_expression(text, self.0).ok()
    }

    fn column(&self, name: &str) -> Option<(Column, String)> {
        let Row { relation, .. } = self.0;
        let column = relation.column(name)?.clone();
        let reference = format!("{}.{}", quote_identifier(&relation.name), quote_identifier(name));
        Some((column, reference))
    }

    fn expression(&self, text: &str, column: &str) -> Option<String> {
        // The column and the row, but no conditions: they are no values.
        let none = BTreeMap::new();
        let row = Row { conditions: &none, ..self.0 };
        checked_expression(&with_column(text, column), row).ok()
    }
}
