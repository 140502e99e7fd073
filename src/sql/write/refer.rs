//! The second step: what names stand for, by the places that PostgreSQL's own parser gives. Not trusted.
//!
//! Relations become holes or get their full names; in sight of the row that is written every name is qualified, by
//! [`ROW`] or by what it belongs to; names that somebody overloaded are pinned. Where the tree does not tell what a
//! bare name means, the statement is refused, and the client told to qualify it.

mod items;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use pg_query::protobuf::{RawStmt, ScanToken, Token};

use super::super::Speaker;
use super::super::hole::{HOLE_SCHEMA, Hole};
use super::super::place::{end_of_name, follows_only, quoted};
use super::super::refusal::Refusal;
use super::super::resolve::{self, resolve};
use super::super::verify::AsWritten;
use super::target::{Seen, Target};
use super::{Holes, ROW, SYSTEM_COLUMNS, read_of};
use crate::grammar::{self, Proof, Reference, RelationUse, Row, ScopeItem, Source, Standing};
use crate::policy::Read;
use whole::whole_row;

pub(super) use items::columns;

/// Ways to write a place in a text anew: byte offset, end, text.
type Edits = BTreeMap<usize, (usize, String)>;

/// Puts holes into a shaped text, of which `statement` is the tree; gives what is read of the rows that are written, too.
pub(super) fn refer(
    shaped: &str,
    statement: &RawStmt,
    targets: &[Target],
    speaker: Speaker<'_>,
) -> Result<(Holes, Vec<Read>), Refusal> {
    let proof = grammar::prove_statement(statement, &AsWritten(speaker))
        .map_err(|found| Refusal::violation(&found, &speaker.view.role().name))?;
    let tokens = grammar::tokens(shaped).ok_or_else(lost)?;
    if tokens.iter().any(|token| token.token() == Token::Tablesample) {
        return Err(Refusal::not_understood("TABLESAMPLE in a statement that writes"));
    }
    if proof.writes.len() != targets.len() {
        return Err(lost());
    }
    let mut referrer = Referrer {
        speaker,
        targets,
        proof: &proof,
        tokens: &tokens,
        edits: Edits::new(),
        holes: Holes {
            text: String::new(),
            holes: Vec::new(),
            open: Vec::new(),
            masks: Vec::new(),
        },
        used: vec![BTreeSet::new(); targets.len()],
        placed: BTreeMap::new(),
    };
    for relation in &proof.relations {
        referrer.relation(relation)?;
    }
    for reference in &proof.references {
        referrer.reference(reference)?;
    }
    referrer.calls();
    referrer.judge_stars()?;
    let Referrer { edits, mut holes, used, .. } = referrer;
    let mut rest = 0;
    for (start, (end, text)) in edits {
        holes.text.push_str(shaped.get(rest..start).ok_or_else(lost)?);
        holes.text.push_str(&text);
        rest = end;
    }
    holes.text.push_str(shaped.get(rest..).ok_or_else(lost)?);
    let reads = targets.iter().zip(used).map(|(target, used)| {
        let columns: Vec<String> = used.into_iter().collect();
        read_of(target, &columns)
    });
    Ok((holes, reads.collect()))
}

fn lost() -> Refusal {
    Refusal::not_understood("a name is not where PostgreSQL's parser saw it")
}

struct Referrer<'a> {
    speaker: Speaker<'a>,
    targets: &'a [Target],
    proof: &'a Proof,
    tokens: &'a [ScanToken],
    edits: Edits,
    holes: Holes,
    used: Vec<BTreeSet<String>>,
    /// Holes by the places of the relations that they stand for.
    placed: BTreeMap<usize, usize>,
}

type Done = Result<(), Refusal>;

/// What a bare name means at one level.
enum Found<'a> {
    /// A column of the row that is written.
    Row,
    /// A column of an item.
    Item(&'a ScopeItem),
    /// Nothing here.
    Nothing,
}

impl<'a> Referrer<'a> {
    fn token_at(&self, offset: usize) -> Result<usize, Refusal> {
        let at = |token: &ScanToken| usize::try_from(token.start) == Ok(offset);
        self.tokens.iter().position(at).ok_or_else(lost)
    }

    fn edit(&mut self, offset: usize, text: String) -> Done {
        let end = end_of_name(self.tokens, self.token_at(offset)?).ok_or_else(lost)?;
        self.edits.insert(offset, (end, text));
        Ok(())
    }

    fn relation(&mut self, relation: &RelationUse) -> Done {
        // The tree of `(a, b) = (SELECT …)` holds the query twice.
        if self.edits.contains_key(&relation.location) {
            return Ok(());
        }
        let first = self.token_at(relation.location)?;
        match resolve(self.speaker, relation.schema.as_deref(), &relation.name)? {
            resolve::Target::Open { schema, name } => {
                self.edit(relation.location, format!("{}.{}", quoted(&schema), quoted(&name)))?;
                self.holes.open.push((schema, name));
            }
            resolve::Target::Hole(content) => {
                let only = follows_only(self.tokens, first);
                if only {
                    let before = first.checked_sub(1).and_then(|index| self.tokens.get(index));
                    let word = before.filter(|token| token.token() == Token::Only);
                    let word = word.ok_or_else(lost)?;
                    let start = usize::try_from(word.start).map_err(|_| lost())?;
                    self.edits.insert(start, (relation.location, String::new()));
                }
                let index = self.holes.holes.len();
                self.placed.insert(relation.location, index);
                let mut text = format!("\"{HOLE_SCHEMA}\".\"{index}\"");
                if relation.alias.is_none() {
                    text.push_str(&format!(" AS {}", quoted(&relation.name)));
                }
                self.edit(relation.location, text)?;
                self.holes.holes.push(Hole {
                    content,
                    only,
                    sample: None,
                    lookups: Vec::new(),
                    system_columns: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn calls(&mut self) {
        let snapshot = self.speaker.view.snapshot();
        for (offset, name) in &self.proof.calls {
            let Some(schemas) = snapshot.user_functions.get(name) else { continue };
            let path = self.speaker.search_path.schemas(snapshot);
            let schema = match snapshot.builtin_functions.contains(name) {
                true => Some("pg_catalog"),
                false => path.into_iter().find(|schema| schemas.contains(*schema)),
            };
            if let Some(schema) = schema {
                self.edits.insert(*offset, (*offset, format!("{}.", quoted(schema))));
            }
        }
    }

    fn reference(&mut self, reference: &Reference) -> Done {
        if reference.is_key {
            return Ok(());
        }
        let fields: Vec<&str> = reference.fields.iter().map(String::as_str).collect();
        match (&fields[..], reference.row) {
            ([HOLE_SCHEMA, _], _) | (["*"], _) => Ok(()),
            ([name], Some(row)) => self.bare(reference, row, name),
            ([name], None) => self.system_column(reference, None, name),
            ([qualifier, name], Some(row)) => self.qualified(reference, row, qualifier, name),
            ([qualifier, name], None) => self.system_column(reference, Some(qualifier), name),
            ([.., schema, table, name], row) => self.in_schema(reference, row, schema, table, name),
            ([], _) => Err(lost()),
        }
    }

    /// FROM clauses from the inside out; with true where the row itself is.
    fn levels(&self, reference: &Reference) -> Vec<(&'a [ScopeItem], bool)> {
        let mut levels = Vec::new();
        let mut next = reference.scope;
        while let Some((index, scope)) =
            next.and_then(|index| Some((index, self.proof.scopes.get(index)?)))
        {
            let is_row = reference.row.is_some_and(|row| row.scope == index);
            levels.push((scope.items.as_slice(), is_row));
            next = scope.parent.filter(|_| !is_row);
        }
        levels
    }

    fn bare(&mut self, reference: &Reference, row: Row, name: &str) -> Done {
        for (items, is_row) in self.levels(reference) {
            match self.find(items, is_row.then_some(row), name)? {
                Found::Row => return self.of_row(reference, row, name, name),
                Found::Item(item) => {
                    self.carry(item, name)?;
                    let alias = item.alias.as_deref().ok_or_else(lost)?;
                    let text = format!("{}.{}", quoted(alias), quoted(name));
                    return self.edit(reference.location, text);
                }
                Found::Nothing => {}
            }
        }
        // No column: a row as one value.
        for (items, is_row) in self.levels(reference) {
            let target = self.targets.get(row.write).filter(|_| is_row);
            if target.is_some_and(|target| target.called == name) {
                return self.whole(reference, row, false);
            }
            if is_row && row.excluded && name == "excluded" {
                return self.whole(reference, row, true);
            }
            if items.iter().any(|item| item.alias.as_deref() == Some(name)) {
                return match reference.standing {
                    Standing::Alone | Standing::Base => {
                        self.edit(reference.location, format!("{}.*", quoted(name)))
                    }
                    Standing::InRow | Standing::InList => Err(whole_row(name)),
                };
            }
        }
        Err(Refusal::no_such_column(&format!("\"{name}\"")))
    }

    fn find(
        &self,
        items: &'a [ScopeItem],
        row: Option<Row>,
        name: &str,
    ) -> Result<Found<'a>, Refusal> {
        let target = row.and_then(|row| self.targets.get(row.write));
        let is_system = SYSTEM_COLUMNS.contains(&name);
        let in_row = target.is_some_and(|target| is_system || target.seen(name) != Seen::Absent);
        let mut owner = None;
        let mut count = usize::from(in_row);
        if in_row && row.is_some_and(|row| row.excluded) {
            count = count.saturating_add(1);
        }
        for item in items {
            match self.has(item, name) {
                Some(true) => {
                    owner = Some(item);
                    count = count.saturating_add(1);
                }
                Some(false) => {}
                None => {
                    let what = format!("qualify `{name}`: it is not known what it belongs to");
                    return Err(Refusal::not_understood(&what));
                }
            }
        }
        match (count, in_row, owner) {
            (0, ..) => Ok(Found::Nothing),
            (1, true, _) => Ok(Found::Row),
            (1, false, Some(item)) => Ok(Found::Item(item)),
            (1, false, None) => Err(lost()),
            _ => Err(Refusal::ambiguous_column(name)),
        }
    }

    fn qualified(&mut self, reference: &Reference, row: Row, qualifier: &str, name: &str) -> Done {
        for (items, is_row) in self.levels(reference) {
            let target = self.targets.get(row.write).filter(|_| is_row);
            let own = target.is_some_and(|target| target.called == qualifier);
            let item = items.iter().find(|item| item.alias.as_deref() == Some(qualifier));
            if own && item.is_some() {
                return Err(Refusal::name_twice(qualifier));
            }
            if let Some(item) = item {
                return self.carry(item, name);
            }
            if own && name == "*" {
                return self.whole(reference, row, false);
            }
            if own {
                return self.of_row(reference, row, name, &format!("{qualifier}.{name}"));
            }
            if is_row && row.excluded && qualifier == "excluded" {
                return match name {
                    "*" => self.whole(reference, row, true),
                    name => self.of_excluded(row, name),
                };
            }
            if is_row && row.returning && matches!(qualifier, "old" | "new") {
                return Err(Refusal::not_understood("`old` and `new` in RETURNING"));
            }
        }
        Ok(())
    }

    /// A value that an INSERT gave, or a default, or what a trigger made of them.
    fn of_excluded(&self, row: Row, name: &str) -> Done {
        let target = self.targets.get(row.write).ok_or_else(lost)?;
        match target.seen(name) {
            Seen::Clear | Seen::Decisive => Ok(()),
            Seen::Masked => Err(Refusal::not_assigned(
                name,
                &target.full(),
                "it is masked for this role, in `excluded` too",
                "leave it out",
            )),
            Seen::Absent => Err(Refusal::no_such_column(&format!("excluded.{name}"))),
        }
    }

    fn of_row(&mut self, reference: &Reference, row: Row, name: &str, said: &str) -> Done {
        let target = self.targets.get(row.write).ok_or_else(lost)?;
        let text = match target.seen(name) {
            // There is nothing else that it could mean, and before PostgreSQL 14 it may not be qualified.
            Seen::Clear | Seen::Decisive if row.arbiter && said == name => quoted(name),
            Seen::Clear | Seen::Decisive => format!("{}.{}", quoted(ROW), quoted(name)),
            Seen::Masked if row.arbiter => {
                return Err(Refusal::not_assigned(
                    name,
                    &target.full(),
                    "ON CONFLICT cannot go by it, since it is masked for this role",
                    "name a key that the role sees clear",
                ));
            }
            Seen::Masked => self.mask(row, name),
            Seen::Absent if SYSTEM_COLUMNS.contains(&name) => format!("{}.{name}", quoted(ROW)),
            Seen::Absent => return Err(Refusal::no_such_column(said)),
        };
        let is_column = target.column(name).is_some();
        if let Some(used) = self.used.get_mut(row.write).filter(|_| is_column) {
            used.insert(name.to_owned());
        }
        self.edit(reference.location, text)
    }

    /// What stands for the mask of a column of the row.
    fn mask(&mut self, row: Row, name: &str) -> String {
        let mask = (row.write, name.to_owned());
        let known = self.holes.masks.iter().position(|other| *other == mask);
        let index = known.unwrap_or_else(|| {
            self.holes.masks.push(mask);
            self.holes.masks.len().saturating_sub(1)
        });
        format!("\"{HOLE_SCHEMA}\".\"m{index}\"")
    }

    /// `schema.table.column`: of the row, or of a relation that has become a hole, which has no schema.
    fn in_schema(
        &mut self,
        reference: &Reference,
        row: Option<Row>,
        schema: &str,
        table: &str,
        name: &str,
    ) -> Done {
        for (items, is_row) in self.levels(reference) {
            let own = row.filter(|_| is_row).filter(|row| {
                self.targets.get(row.write).is_some_and(|target| {
                    target.unaliased && target.called == table && target.schema == schema
                })
            });
            if let Some(row) = own {
                return match name {
                    "*" => self.whole(reference, row, false),
                    name => self.of_row(reference, row, name, &format!("{table}.{name}")),
                };
            }
            let item = items.iter().find(|item| {
                item.unaliased
                    && item.alias.as_deref() == Some(table)
                    && matches!(&item.source, Source::Relation(given, _)
                        if given.as_deref().is_none_or(|given| given == schema))
            });
            if let Some(item) = item {
                self.carry(item, name)?;
                let column = if name == "*" { name.to_owned() } else { quoted(name) };
                return self.edit(reference.location, format!("{}.{column}", quoted(table)));
            }
        }
        Ok(())
    }
}
