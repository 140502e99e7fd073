//! The proof of a text that writes. It trusts neither of the two steps that made it.
//!
//! PostgreSQL's own parser reads the text with holes, the walker of [`grammar`] finds every relation, write and
//! reference in it, and here each is held against what the role sees, by the catalog anew:
//!
//! - what is written is a table that the role sees, under the alias [`ROW`];
//! - values for new rows go to columns that are clear, by name; a masked or decisive column of a row that is there is
//!   assigned through [`Around::Keep`] of that column only;
//! - where rows are filtered, the whole condition stands in [`Around::Filter`], or beside it comparisons of clear columns
//!   with constants; so WHERE CURRENT OF, beside which nothing can stand, is for tables without a filter;
//! - a conflict target goes by clear columns, in its expressions and its WHERE too;
//! - in sight of the row no bare name and no star could mean it, and what is qualified by its alias, or by `excluded`,
//!   is a clear column by name, or (of the row itself) one of [`SYSTEM_COLUMNS`].
//!
//! What goes into the holes is made here, from the templates.

use std::collections::BTreeSet;

use super::super::Speaker;
use super::super::fill::{HolePlace, Piece};
use super::super::hole::HOLE_SCHEMA;
use super::super::refusal::Refusal;
use super::super::resolve::{self, resolve};
use super::super::verify::{WithHoles, one, places};
use super::target::{Seen, Target};
use super::{Around, Holes, ROW, SYSTEM_COLUMNS};
use crate::grammar::{self, Proof, Reference, Row, Write, WriteKind, quote_identifier};
use crate::policy::{KEPT_MARK, UNSEEN_MARK, Wanted};

/// Proves a text; gives what goes into it.
pub(super) fn prove(
    holes: &Holes,
    around: &[Around],
    parameters: &BTreeSet<i32>,
    speaker: Speaker<'_>,
) -> Result<Vec<Piece>, Refusal> {
    for (schema, name) in &holes.open {
        match resolve(speaker, Some(schema), name)? {
            resolve::Target::Open { .. } => {}
            resolve::Target::Hole(_) => return Err(lost("an open relation that is none")),
        }
    }
    let terms = WithHoles { speaker, holes: holes.holes.len(), open: &holes.open };
    let proof = grammar::prove_statement(&one(&holes.text)?, &terms)
        .map_err(|found| Refusal::violation(&found, &speaker.view.role().name))?;
    if proof.parameters != *parameters {
        return Err(lost("the parameters changed"));
    }
    let targets = proof.writes.iter().map(|write| {
        let target = Target::named(speaker, write.schema.as_deref()?, &write.name)?;
        target.ok().filter(|_| write.alias.as_deref() == Some(ROW))
    });
    let targets: Option<Vec<Target>> = targets.collect();
    let targets = targets.ok_or_else(|| lost("what is written cannot be proven"))?;
    for (index, (write, target)) in proof.writes.iter().zip(&targets).enumerate() {
        judge_write(index, write, target, around)?;
    }
    let mut pieces = Vec::new();
    for reference in &proof.references {
        judge_reference(reference, &targets, holes, &mut pieces)?;
    }
    for HolePlace { offset, index, .. } in places(&proof)? {
        let hole = holes.holes.get(index).ok_or_else(|| lost("a hole without content"))?;
        let expected = format!("\"{HOLE_SCHEMA}\".\"{index}\"");
        pieces.push(Piece { offset, expected, filling: hole.sql(&Wanted::all()) });
    }
    // One place may be walked twice: `(a, b) = (SELECT …)`.
    pieces.sort_by_key(|piece: &Piece| piece.offset);
    pieces.dedup_by_key(|piece| piece.offset);
    put_around(&proof, &targets, around, &mut pieces)?;
    Ok(pieces)
}

/// Proves that a text names `tableoid` of the row that is written only.
pub(super) fn only_own_places(holes: &Holes) -> Result<(), Refusal> {
    let tokens = grammar::tokens(&holes.text).ok_or_else(|| lost("its own text has no tokens"))?;
    let word = |at: usize| {
        let token = tokens.get(at)?;
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        holes.text.get(start..end)
    };
    let row = quote_identifier(ROW).to_string();
    let is_own = |at: usize| {
        let [qualifier, dot] = [2_usize, 1].map(|by| at.checked_sub(by).and_then(word));
        dot == Some(".") && qualifier == Some(row.as_str())
    };
    let is_place = |at: &usize| {
        word(*at).is_some_and(|word| word.to_ascii_lowercase().trim_matches('"') == "tableoid")
    };
    match (0..tokens.len()).filter(is_place).all(is_own) {
        true => Ok(()),
        false => Err(lost("tableoid of what is read, by its name")),
    }
}

fn lost(what: &str) -> Refusal {
    Refusal::not_understood(what)
}

fn judge_write(
    index: usize,
    write: &Write,
    target: &Target,
    around: &[Around],
) -> Result<(), Refusal> {
    for list in &write.inserts {
        if list.is_empty() {
            return Err(lost("an INSERT without a list of columns"));
        }
        list.iter().try_for_each(|column| target.judge_new(column))?;
    }
    let clear = |column: &String| matches!(target.seen(column), Seen::Clear | Seen::Decisive);
    if !write.conflict.iter().all(clear) {
        return Err(lost("ON CONFLICT goes by a column that is not clear"));
    }
    for assignment in &write.assignments {
        let wrap = assignment.wrap.and_then(|wrap| around.get(wrap));
        let is_good = match target.seen(&assignment.column) {
            Seen::Clear => assignment.wrap.is_none(),
            Seen::Decisive | Seen::Masked => {
                wrap == Some(&Around::Keep(index, assignment.column.clone()))
            }
            Seen::Absent => false,
        };
        if !is_good {
            return Err(lost("a column is assigned that is not clear"));
        }
    }
    if !target.has_filter() {
        return match write.conditions.iter().all(Option::is_none) {
            true => Ok(()),
            false => Err(lost("a filter where there is none")),
        };
    }
    let expected = match write.kind {
        WriteKind::Insert => Around::Conflict(index),
        WriteKind::Update | WriteKind::Delete | WriteKind::Merge => Around::Filter(index),
    };
    let filtered = write
        .conditions
        .iter()
        .all(|condition| condition.and_then(|wrap| around.get(wrap)) == Some(&expected));
    let count = write.conditions.len();
    let is_there = match write.kind {
        WriteKind::Insert => count <= 1 && (count == 1 || write.assignments.is_empty()),
        WriteKind::Update | WriteKind::Delete | WriteKind::Merge => count == 1,
    };
    if write.by_source {
        return Err(Refusal::not_understood(
            "NOT MATCHED BY SOURCE in a table of which the role sees some rows only",
        ));
    }
    match filtered && is_there {
        true => Ok(()),
        false => Err(lost("the row filter does not stand around the condition")),
    }
}

fn judge_reference(
    reference: &Reference,
    targets: &[Target],
    holes: &Holes,
    pieces: &mut Vec<Piece>,
) -> Result<(), Refusal> {
    if reference.is_key {
        return Ok(());
    }
    let fields: Vec<&str> = reference.fields.iter().map(String::as_str).collect();
    let Some(row) = reference.row else {
        return match fields.iter().any(|field| field.starts_with(super::RESERVED)) {
            true => Err(lost("a name of Scrim's own where no row is written")),
            false => Ok(()),
        };
    };
    let target = targets.get(row.write).ok_or_else(|| lost("a row that is not written"))?;
    let is_clear = |column: &str| matches!(target.seen(column), Seen::Clear | Seen::Decisive);
    match &fields[..] {
        [HOLE_SCHEMA, _] if row.arbiter => {
            Err(lost("ON CONFLICT goes by a column that is not clear"))
        }
        [HOLE_SCHEMA, hole] => {
            pieces.push(mask(reference, row, target, hole, holes)?);
            Ok(())
        }
        // A conflict target sees the row alone, and no sub-select can stand in one.
        [column] if row.arbiter && reference.scope == Some(row.scope) && is_clear(column) => Ok(()),
        [ROW, column] if is_clear(column) || SYSTEM_COLUMNS.contains(column) => Ok(()),
        [ROW, _] => Err(lost("a column of the row that is not clear")),
        ["excluded", column] if row.excluded && !is_clear(column) => {
            Err(lost("a column of `excluded` that is not clear"))
        }
        ["old" | "new", ..] if row.returning => Err(lost("`old` and `new` in RETURNING")),
        ["*"] if reference.scope != Some(row.scope) => Ok(()),
        [_, _] => Ok(()),
        [] | [_] => Err(lost("a bare name in sight of the row that is written")),
        // By schema and table is only meant what has no alias.
        rest if !rest.contains(&ROW) && !rest.contains(&HOLE_SCHEMA) => Ok(()),
        _ => Err(lost("a longer name of the row that is written")),
    }
}

fn mask(
    reference: &Reference,
    row: Row,
    target: &Target,
    hole: &str,
    holes: &Holes,
) -> Result<Piece, Refusal> {
    let index = hole.strip_prefix('m').and_then(|index| index.parse::<usize>().ok());
    let (write, column) = index
        .and_then(|index| holes.masks.get(index))
        .ok_or_else(|| lost("a mask without a number"))?;
    let template = target.template.as_ref().filter(|_| *write == row.write);
    let filling = template
        .and_then(|template| template.mask_over(ROW, column))
        .ok_or_else(|| lost("a mask of another row"))?;
    let expected = format!("\"{HOLE_SCHEMA}\".\"{hole}\"");
    Ok(Piece { offset: reference.location, expected, filling })
}

/// What stands around conditions and assigned values.
fn put_around(
    proof: &Proof,
    targets: &[Target],
    around: &[Around],
    pieces: &mut Vec<Piece>,
) -> Result<(), Refusal> {
    for wrap in &proof.wraps {
        let (before, after) = around
            .get(wrap.index)
            .and_then(|around| filling(around, targets))
            .ok_or_else(|| lost("something around nothing"))?;
        let index = wrap.index;
        let expected = format!("\"{HOLE_SCHEMA}\".w{index}(");
        pieces.push(Piece { offset: wrap.start, expected, filling: before });
        let offset = wrap.end.checked_sub(2).ok_or_else(|| lost("an end before its start"))?;
        let expected = format!(", \"{HOLE_SCHEMA}\".z{index})");
        pieces.push(Piece { offset, expected, filling: after });
    }
    Ok(())
}

fn filling(around: &Around, targets: &[Target]) -> Option<(String, String)> {
    let row = quote_identifier(ROW);
    // Depends on the row, so that PostgreSQL does not work it out beforehand, and fails where it is asked.
    let fails = |mark: &str, column: &str| {
        let mark = mark.replace('\'', "''").replace('\\', " ");
        let nothing = format!(
            "pg_catalog.substr(CASE WHEN {row}.{} IS NULL THEN 'x' ELSE 'y' END, 1, 0)",
            quote_identifier(column)
        );
        format!("CAST(CAST('{mark}' AS pg_catalog.text) || {nothing} AS pg_catalog.bool)")
    };
    match around {
        Around::Filter(write) => {
            let filter = targets.get(*write)?.template.as_ref()?.filter_over(ROW)?;
            Some((format!("(CASE WHEN {filter} THEN ("), ") ELSE false END)".to_owned()))
        }
        Around::Conflict(write) => {
            let target = targets.get(*write)?;
            let filter = target.template.as_ref()?.filter_over(ROW)?;
            let fails = fails(UNSEEN_MARK, target.visible().next()?);
            Some((format!("(CASE WHEN {filter} THEN ("), format!(") WHEN {fails} THEN false END)")))
        }
        Around::Keep(write, name) => {
            let target = targets.get(*write)?;
            let column = target.column(name)?;
            let value = format!("{row}.{}", quote_identifier(name));
            let shown = match target.seen(name) {
                Seen::Masked => target.template.as_ref()?.mask_over(ROW, name)?,
                Seen::Decisive => value.clone(),
                Seen::Clear | Seen::Absent => return None,
            };
            let fails = fails(&format!("{KEPT_MARK}{name}"), name);
            Some((
                format!("(CASE WHEN {shown} IS NOT DISTINCT FROM CAST(("),
                format!(") AS {}) THEN {value} WHEN {fails} THEN {value} END)", column.type_sql),
            ))
        }
    }
}
