//! `(x).name` and `alias.name`: a column, or where there is no such column a call of a function with one argument, or a cast.
//! <https://www.postgresql.org/docs/current/sql-expressions.html#SQL-EXPRESSIONS-FUNCTION-CALLS>

use super::rewrite::is_judged;
use super::{Speaker, system};
use crate::catalog::Relation;
use crate::grammar::{Violation, functions, is_naming_type};
use crate::policy::{Access, ColumnVerdict, Template};

/// Judges `(x).name`, where `x` may be a value of any type.
pub(super) fn judge(speaker: Speaker<'_>, name: &str) -> Result<(), Violation> {
    judge_cast(speaker, name)?;
    judge_column(speaker, name)
}

/// It is a cast where `x` is no row: to a type whose values name relations, or to an array of rows of a relation
/// that does not exist for the role, it would tell whether there is one. Row types themselves are none of those that
/// PostgreSQL looks for (`FuncNameAsType` in parser/parse_func.c).
fn judge_cast(speaker: Speaker<'_>, name: &str) -> Result<(), Violation> {
    if !system::has_absent(speaker) {
        return Ok(());
    }
    let snapshot = speaker.view.snapshot();
    let mut named = snapshot.user_types.values().filter(|known| known.name == name);
    let names_objects = is_naming_type(name) || named.any(|known| known.names_objects);
    // Whatever begins so may be an array's name, and what is none must look the same.
    let may_be_array = name.starts_with('_')
        && !snapshot.relations.values().any(|relation| is_column(speaker, relation, name));
    match names_objects || may_be_array {
        true => Err(Violation::Field(name.into())),
        false => Ok(()),
    }
}

/// True for a column that the role sees.
fn is_column(speaker: Speaker<'_>, relation: &Relation, name: &str) -> bool {
    if relation.column(name).is_none() {
        return false;
    }
    let of = |template: &Template| {
        let mut columns = template.columns.iter();
        columns.any(|known| known.name == name && known.verdict != ColumnVerdict::Hidden)
    };
    match speaker.view.access(relation.oid) {
        Access::Open | Access::Closed { .. } => true,
        Access::Masked(template) => of(&template),
        Access::View(view) => of(&view.template),
        Access::Hidden => false,
    }
}

/// Judges `alias.name`, where the alias is one of rows.
pub(super) fn judge_column(speaker: Speaker<'_>, name: &str) -> Result<(), Violation> {
    // Their arguments are judged, and `('scrim.k_inner'::text).current_setting` has one too.
    let is_argument_judged =
        matches!(name, "current_setting" | "pg_settings_get_flags" | "set_config")
            || matches!(name, "pg_partition_ancestors" | "pg_partition_tree");
    if is_argument_judged || is_judged(name) {
        return Err(Violation::Field(name.into()));
    }
    let snapshot = speaker.view.snapshot();
    let builtin = snapshot.builtin_functions.contains(name) && !functions::is_allowed(name);
    let user = snapshot
        .user_functions
        .get(name)
        .is_some_and(|schemas| schemas.iter().any(|schema| !speaker.view.may_call(schema, name)));
    let column_of_all =
        || snapshot.relations.values().any(|r| !r.is_system() && r.column(name).is_some());
    if (builtin && !(is_reviewed_column(name) && column_of_all())) || user {
        return Err(Violation::Field(name.into()));
    }
    Ok(())
}

/// Names of built-in functions that are not on the allow-list, are common as column names, and do nothing but
/// compute when they are called on a row.
fn is_reviewed_column(name: &str) -> bool {
    matches!(name, "like" | "notlike" | "timenow" | "areasel" | "positionsel")
}
