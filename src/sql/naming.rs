//! Where a role does not see everything, no number and no text becomes the name of a relation or of a type but by a cast
//! that is looked at ([`super::rewrite`] does so). What else could make one is refused: [`crate::grammar::Naming`] has it.

use pg_query::protobuf::TypeName;

use super::refusal::Refusal;
use super::{Speaker, system};
use crate::grammar::{NAMING_TYPES, Naming, Proof, names_objects};
use crate::policy::RoleView;

/// What pg_dump asks for the dependencies of objects, in canonical form. `classid` is a number in the catalogs, so it is
/// one in all arms.
const DEPENDENCIES: &str = "(SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend \
     WHERE deptype <> 'p' AND deptype <> 'e' UNION ALL \
     SELECT 'pg_opfamily'::regclass AS classid, amopfamily AS objid, refclassid, refobjid, deptype \
     FROM pg_depend d, pg_amop o WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_amop'::regclass \
     AND objid = o.oid AND NOT (refclassid = 'pg_opfamily'::regclass AND amopfamily = refobjid)) UNION ALL \
     SELECT 'pg_opfamily'::regclass AS classid, amprocfamily AS objid, refclassid, refobjid, deptype \
     FROM pg_depend d, pg_amproc p WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_amproc'::regclass \
     AND objid = p.oid AND NOT (refclassid = 'pg_opfamily'::regclass AND amprocfamily = refobjid) ORDER BY 1, 2";

/// True for that text, where its relations are the catalogs.
fn is_known(canonical: &str, speaker: Speaker<'_>) -> bool {
    let catalogs = ["pg_depend", "pg_amop", "pg_amproc"];
    canonical == DEPENDENCIES && !catalogs.iter().any(|name| speaker.temp_tables.contains(name))
}

/// Judges a query as it was written.
pub(super) fn judge(
    written: &Proof,
    canonical: &str,
    speaker: Speaker<'_>,
) -> Result<Naming, Refusal> {
    let mut naming = written.naming;
    if !system::has_absent(speaker) || is_known(canonical, speaker) {
        return Ok(Naming::default());
    }
    // A table may have such columns of its own.
    let snapshot = speaker.view.snapshot();
    let names = |type_sql: &str| {
        let name = type_sql.trim_end_matches("[]");
        matches!(name.rsplit('.').next(), Some("regclass" | "regtype"))
    };
    naming.goes_on |= written.relations.iter().any(|mentioned| {
        let found = snapshot.relations.values().filter(|known| known.name == mentioned.name);
        found.flat_map(|known| &known.columns).any(|column| names(&column.type_sql))
    });
    match naming.is_loose() {
        true => Err(Refusal::not_understood(
            "a value that names a relation or a type (regclass, regtype) beside what makes one type of several, such as \
             CASE, COALESCE, UNION or columns of a function: cast it to text or oid where it is made",
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
    match types.iter().any(|number| NAMING_TYPES.contains(number)) && system::hides(view) {
        true => Err(kept()),
        false => Ok(()),
    }
}

fn kept() -> Refusal {
    Refusal::not_understood(
        "columns and parameters whose values name relations or types (regclass, regtype): take text or oid",
    )
}

#[cfg(test)]
mod tests {
    use super::DEPENDENCIES;
    use crate::grammar::{deparse, parse};

    #[test]
    fn what_pg_dump_asks_is_known() {
        let text = "SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend \
                    WHERE deptype != 'p' AND deptype != 'e'\nUNION ALL\n\
                    SELECT 'pg_opfamily'::regclass AS classid, amopfamily AS objid, refclassid, refobjid, deptype \
                    FROM pg_depend d, pg_amop o WHERE deptype NOT IN ('p', 'e', 'i') AND \
                    classid = 'pg_amop'::regclass AND objid = o.oid AND \
                    NOT (refclassid = 'pg_opfamily'::regclass AND amopfamily = refobjid)\nUNION ALL\n\
                    SELECT 'pg_opfamily'::regclass AS classid, amprocfamily AS objid, refclassid, refobjid, deptype \
                    FROM pg_depend d, pg_amproc p WHERE deptype NOT IN ('p', 'e', 'i') AND \
                    classid = 'pg_amproc'::regclass AND objid = p.oid AND \
                    NOT (refclassid = 'pg_opfamily'::regclass AND amprocfamily = refobjid)\nORDER BY 1,2";
        let statements = parse(text).expect("SQL");
        assert_eq!(deparse(&statements[0]).expect("a text"), DEPENDENCIES);
    }
}
