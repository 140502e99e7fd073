//! Where a role does not see everything, no number and no text becomes the name of a relation or of a type but by a cast
//! that is looked at ([`super::rewrite`] does so). What else could make one is refused: [`crate::grammar::Naming`] has it.

use pg_query::protobuf::TypeName;

use super::refusal::Refusal;
use super::{Speaker, known, system, types};
use crate::grammar::{Naming, Proof, names_objects};
use crate::policy::RoleView;

/// Judges a query as it was written.
pub(super) fn judge(
    written: &Proof,
    canonical: &str,
    speaker: Speaker<'_>,
) -> Result<Naming, Refusal> {
    let mut naming = written.naming;
    if !system::has_absent(speaker) || known::names_nothing(canonical, speaker) {
        return Ok(Naming::default());
    }
    // A catalog may have such columns. Those of other relations are shown as text.
    let snapshot = speaker.view.snapshot();
    naming.goes_on |= written.relations.iter().any(|mentioned| {
        let mut catalogs = snapshot
            .relations
            .values()
            .filter(|known| known.name == mentioned.name && known.is_system());
        catalogs.any(|known| known.columns.iter().any(|column| snapshot.names_objects(column)))
    });
    match naming.is_loose() {
        true => Err(Refusal::not_understood(
            "a value that names a relation, a type or what takes one (regclass, regtype, regprocedure, regoperator) beside what \
             makes one type of several, such as CASE, COALESCE, UNION or columns of a function: cast it to text or oid \
             where it is made",
        )),
        false => Ok(naming),
    }
}

/// Judges what a temporary table keeps: as a column it would have its type for later statements.
pub(super) fn judge_kept(naming: Naming, speaker: Speaker<'_>) -> Result<(), Refusal> {
    match system::has_absent(speaker) && (naming.goes_on || naming.is_shown) {
        true => Err(kept()),
        false => Ok(()),
    }
}

/// Judges the types of parameters and of a temporary table's columns.
pub(super) fn judge_types<'t>(
    types: impl IntoIterator<Item = &'t TypeName>,
    speaker: Speaker<'_>,
) -> Result<(), Refusal> {
    match types.into_iter().any(names_objects) && system::has_absent(speaker) {
        true => Err(kept()),
        false => Ok(()),
    }
}

/// Judges the types of parameters by their numbers, as the protocol has them.
pub fn judge_parameters(types: &[u32], view: &RoleView) -> Result<(), Refusal> {
    let naming = &view.snapshot().naming_types;
    let is_user = |number: &u32| *number >= types::FIRST_USER_OID;
    // Most have none that could be.
    if !types.iter().any(|number| naming.contains(number) || is_user(number))
        || !system::hides(view)
    {
        return Ok(());
    }
    if types.iter().any(|number| naming.contains(number)) {
        return Err(kept());
    }
    match types.iter().find(|number| !types::may_be_parameter(view, **number)) {
        Some(number) => Err(Refusal::no_such_parameter_type(*number)),
        None => Ok(()),
    }
}

fn kept() -> Refusal {
    Refusal::not_understood(
        "columns and parameters whose values name relations, types or what takes them (regclass, regtype, regprocedure, \
         regoperator), or hold such values: take text or oid",
    )
}
