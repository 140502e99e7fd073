//! What a statement may mention, as [`Terms`] for PostgreSQL's trusted walker: once for the client's own text
//! (the gate's question, for good errors), once for the text with holes (the proof).
//!
//! The proof knows neither the rewriter nor sqlparser: a text passes when every relation is a hole, an open
//! relation with its schema, or a CTE in scope, and everything it calls is allowed for the role.

use std::collections::BTreeSet;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::channel::judge_pg_notify;
use super::field;
use super::fill::HolePlace;
use super::hole::HOLE_SCHEMA;
use super::lookups;
use super::rewrite::Rewritten;
use super::settings::{SettingVerdict, judge_setting};
use super::types;
use super::wrapped::{Shell, raw, take_apart};
use super::write::Target;
use super::{Refusal, Speaker, system};
use crate::grammar::{Proof, Terms, Violation, constant_text, functions, parse, prove};
use crate::policy::Access;

/// The gate's terms: relations are judged elsewhere, everything else as in the proof, but unqualified names may
/// still be overloaded: the rewriter pins them.
pub(super) struct AsWritten<'a>(pub(super) Speaker<'a>);

/// The proof's terms.
pub(super) struct WithHoles<'a> {
    pub(super) speaker: Speaker<'a>,
    pub(super) holes: usize,
    pub(super) open: &'a [(String, String)],
}

/// Proves a text with holes. `parameters` must be those of the client's text.
pub(super) fn verify(
    speaker: Speaker<'_>,
    rewritten: &Rewritten,
    parameters: &BTreeSet<i32>,
) -> Result<Proof, Refusal> {
    prove_query(speaker, rewritten, &one(&rewritten.text)?, parameters)
}

/// The same for a query that stands in another statement: what stands around it must be `shell` still.
pub(super) fn verify_wrapped(
    speaker: Speaker<'_>,
    rewritten: &Rewritten,
    shell: &Shell,
    parameters: &BTreeSet<i32>,
) -> Result<Proof, Refusal> {
    let statement = one(&rewritten.text)?;
    let node = statement.stmt.as_ref().and_then(|node| node.node.as_ref());
    let (found, query) =
        node.and_then(take_apart).ok_or_else(|| lost("there is no query in it"))?;
    if !found.is_same(shell) {
        return Err(lost("what stands around the query changed"));
    }
    let query = raw(Node::SelectStmt(Box::new(query)));
    prove_query(speaker, rewritten, &query, parameters)
}

/// Proves an expression that stands outside every query: it reads no relation.
pub(super) fn prove_expression(
    speaker: Speaker<'_>,
    expression: &protobuf::RawStmt,
) -> Result<(), Refusal> {
    let terms = WithHoles { speaker, holes: 0, open: &[] };
    let role = &speaker.view.role().name;
    prove(expression, &terms).map(|_| ()).map_err(|found| Refusal::violation(&found, role))
}

pub(super) fn one(text: &str) -> Result<protobuf::RawStmt, Refusal> {
    let mut statements = parse(text).map_err(|_| lost("its own text does not parse"))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(lost("its own text is not one statement")),
    }
}

/// The same for a text that is parsed already.
pub(super) fn prove_query(
    speaker: Speaker<'_>,
    rewritten: &Rewritten,
    query: &protobuf::RawStmt,
    parameters: &BTreeSet<i32>,
) -> Result<Proof, Refusal> {
    let terms = WithHoles { speaker, holes: rewritten.holes.len(), open: &rewritten.open };
    let role = &speaker.view.role().name;
    let proof = prove(query, &terms).map_err(|found| Refusal::violation(&found, role))?;
    let mut found = proof.parameters.clone();
    for hole in &rewritten.holes {
        found.extend(lookups::prove_lookups(hole, &terms, role)?);
    }
    if found != *parameters {
        return Err(lost("the parameters changed"));
    }
    Ok(proof)
}

/// Where the holes of a proven text are.
pub(super) fn places(proof: &Proof) -> Result<Vec<HolePlace>, Refusal> {
    proof
        .relations
        .iter()
        .filter(|relation| relation.schema.as_deref() == Some(HOLE_SCHEMA))
        .map(|relation| {
            let index = relation.name.parse().map_err(|_| lost("a hole without a number"))?;
            Ok(HolePlace { offset: relation.location, index, alias: relation.alias.clone() })
        })
        .collect()
}

fn lost(what: &str) -> Refusal {
    Refusal::not_understood(what)
}

impl Terms for AsWritten<'_> {
    fn may_read(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_call(
        &self,
        schema: Option<&str>,
        name: &str,
        call: &protobuf::FuncCall,
    ) -> Result<(), Violation> {
        let snapshot = self.0.view.snapshot();
        let is_overloaded = snapshot.user_functions.contains_key(name);
        match schema {
            // The rewriter finds the schema that PostgreSQL would find; the proof judges it again.
            None if is_overloaded && !snapshot.builtin_functions.contains(name) => {
                let path = self.0.search_path.schemas(snapshot);
                let found = path.iter().find(|schema| {
                    snapshot.user_functions.get(name).is_some_and(|all| all.contains(**schema))
                });
                let schema = found.ok_or_else(|| Violation::Function(name.into()))?;
                judge_call(self.0, Some(schema), name, call)
            }
            None => judge_call(self.0, Some("pg_catalog"), name, call),
            Some(schema) => judge_call(self.0, Some(schema), name, call),
        }
    }

    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Result<(), Violation> {
        match schema {
            None | Some("pg_catalog") => Ok(()),
            Some(schema) => Err(Violation::Operator(format!("{schema}.{operator}"))),
        }
    }

    fn may_cast(&self, schema: Option<&str>, name: &str) -> Result<(), Violation> {
        types::judge(self.0, schema, name)
    }

    fn may_select_field(&self, name: &str) -> Result<(), Violation> {
        field::judge(self.0, name)
    }

    fn may_select_column(&self, name: &str) -> Result<(), Violation> {
        field::judge_column(self.0, name)
    }

    fn may_collate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        // A collation orders what the role sees anyway.
        Ok(())
    }

    fn may_name_login(&self, _: &'static str) -> Result<(), Violation> {
        // The proof refuses what of it is left.
        Ok(())
    }

    fn may_write(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<(), Violation> {
        // Judged when it is resolved, and in the proof again.
        Ok(())
    }
}

impl Terms for WithHoles<'_> {
    fn may_read(
        &self,
        catalog: Option<&str>,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(), Violation> {
        let allowed = match (catalog, schema) {
            (None, Some(HOLE_SCHEMA)) => {
                name.parse::<usize>().is_ok_and(|index| index < self.holes)
            }
            (None, Some(schema)) => self.open.iter().any(|(s, n)| s == schema && n == name),
            (Some(_), _) | (None, None) => false,
        };
        if allowed { Ok(()) } else { Err(Violation::Relation(name.into())) }
    }

    fn may_call(
        &self,
        schema: Option<&str>,
        name: &str,
        call: &protobuf::FuncCall,
    ) -> Result<(), Violation> {
        if schema.is_none() && self.speaker.view.snapshot().user_functions.contains_key(name) {
            return Err(Violation::Function(name.into()));
        }
        judge_call(self.speaker, schema.or(Some("pg_catalog")), name, call)
    }

    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Result<(), Violation> {
        // What stands for itself is pinned by the rewriter; IN, USING and CASE cannot be, and mean the operator
        // that the search_path finds.
        let snapshot = self.speaker.view.snapshot();
        let path = self.speaker.search_path.schemas(snapshot);
        // A view's definition is planned once for all sessions, whatever search_path they have.
        let any_path = self.speaker.views > 0;
        let overloaded = snapshot
            .user_operators
            .get(operator)
            .is_some_and(|schemas| any_path || path.iter().any(|schema| schemas.contains(*schema)));
        match schema {
            Some("pg_catalog") => Ok(()),
            None if !overloaded => Ok(()),
            None => Err(Violation::Operator(operator.into())),
            Some(schema) => Err(Violation::Operator(format!("{schema}.{operator}"))),
        }
    }

    fn may_cast(&self, schema: Option<&str>, name: &str) -> Result<(), Violation> {
        types::judge(self.speaker, schema, name)
    }

    fn may_select_field(&self, name: &str) -> Result<(), Violation> {
        field::judge(self.speaker, name)
    }

    fn may_select_column(&self, name: &str) -> Result<(), Violation> {
        field::judge_column(self.speaker, name)
    }

    fn may_collate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_write(
        &self,
        catalog: Option<&str>,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(), Violation> {
        let seen = schema.and_then(|schema| Target::named(self.speaker, schema, name));
        match (catalog, seen) {
            (None, Some(Ok(_))) => Ok(()),
            _ => Err(Violation::Relation(name.into())),
        }
    }
}

/// A function whose schema is known.
fn judge_call(
    speaker: Speaker<'_>,
    schema: Option<&str>,
    name: &str,
    call: &protobuf::FuncCall,
) -> Result<(), Violation> {
    match schema {
        None | Some("pg_catalog") if name == "pg_notify" => judge_pg_notify(speaker, call),
        None | Some("pg_catalog") => {
            if !functions::is_allowed(name) {
                return Err(Violation::Function(name.into()));
            }
            match name {
                "set_config" => judge_set_config(call),
                "current_setting" | "pg_settings_get_flags" => {
                    judge_current_setting(speaker, name, call)
                }
                "pg_describe_object" => judge_description(speaker),
                "pg_partition_ancestors" | "pg_partition_tree" => judge_partitions(speaker, name),
                _ => Ok(()),
            }
        }
        // JDBC reads keys by it.
        Some("information_schema") if name == "_pg_expandarray" => Ok(()),
        Some(schema) if speaker.view.may_call(schema, name) => Ok(()),
        Some(schema) => Err(Violation::Function(format!("{schema}.{name}"))),
    }
}

/// Until PostgreSQL 13 it fails for what does not exist, and gives nothing for what is hidden: the two must look alike.
fn judge_description(speaker: Speaker<'_>) -> Result<(), Violation> {
    match speaker.view.snapshot().major_version() < 14 && system::has_absent(speaker) {
        true => Err(Violation::Function("pg_describe_object".into())),
        false => Ok(()),
    }
}

/// They name all partitions of a table, those too that the role does not see.
fn judge_partitions(speaker: Speaker<'_>, name: &str) -> Result<(), Violation> {
    let relations = &speaker.view.snapshot().relations;
    let is_hidden = |oid| matches!(speaker.view.access(oid), Access::Hidden);
    let tells = relations.values().any(|relation| {
        let around = relation.parents.iter().copied().chain([relation.oid]);
        !relation.parents.is_empty() && around.into_iter().any(is_hidden)
    });
    if tells { Err(Violation::Function(name.into())) } else { Ok(()) }
}

/// `set_config` is SET: a constant name of the settings' allow-list. search_path is only set by SET, where its
/// effect can be followed.
fn judge_set_config(call: &protobuf::FuncCall) -> Result<(), Violation> {
    let refused = |why| Err(Violation::Arguments("set_config".into(), why));
    let Some(name) = constant_text(call.args.first()) else {
        return refused("needs a setting's name as a plain literal");
    };
    if name.eq_ignore_ascii_case("search_path") {
        return refused("cannot set search_path here: use SET search_path");
    }
    match judge_setting(&name) {
        SettingVerdict::Allowed => match constant_text(call.args.get(1)) {
            Some(value) if super::settings::may_be(&name, &value) => Ok(()),
            None if !name.eq_ignore_ascii_case("client_min_messages") => Ok(()),
            Some(_) | None => refused("cannot set this value"),
        },
        SettingVerdict::Only(value) => match constant_text(call.args.get(1)) {
            Some(given) if super::settings::is_same_value(value, &given) => Ok(()),
            _ => refused("cannot change a setting that is pinned"),
        },
        SettingVerdict::Refused => refused("cannot change this setting"),
    }
}

fn judge_current_setting(
    speaker: Speaker<'_>,
    function: &str,
    call: &protobuf::FuncCall,
) -> Result<(), Violation> {
    match constant_text(call.args.first()) {
        // Of Scrim's own, those that a session sets itself.
        Some(name) => match name.to_ascii_lowercase().as_str() {
            own if own
                .strip_prefix("scrim.")
                .is_some_and(|name| super::own::is_stated(name, speaker)) =>
            {
                Ok(())
            }
            // What is left of them where the user could not be put in.
            name if functions::names_login(name) => Err(Violation::Arguments(
                function.into(),
                "cannot tell this of the session here; SHOW does",
            )),
            own if own.starts_with("scrim.") => Err(Violation::Arguments(
                function.into(),
                "cannot read this setting; SHOW tells what there is to know",
            )),
            _ => Ok(()),
        },
        None => {
            Err(Violation::Arguments(function.into(), "needs a setting's name as a plain literal"))
        }
    }
}
