//! Functions and operators, told by the types of their arguments: `'f(staff)'::regprocedure`. PostgreSQL looks each type up,
//! and its error tells whether there is such a relation, since each has a row type.
//!
//! A plain literal is read here, and a type of it that is absent for the role gets PostgreSQL's own error. A column may only
//! hold the number of a function or an operator, and nothing that is computed is looked up.
//! <https://www.postgresql.org/docs/current/datatype-oid.html>

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, DropBehavior};
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::object_names::{parsed, plain, type_name};
use super::{Done, Refusal, Rewriter};
use crate::grammar::{self, Violation};
use crate::sql::{system, types};

/// What is told by the types of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// regprocedure
    Function,
    /// regoperator
    Operator,
}

/// Functions that look one up in a text.
const LOOKING: [(&str, Signature); 3] = [
    ("has_function_privilege", Signature::Function),
    ("to_regoperator", Signature::Operator),
    ("to_regprocedure", Signature::Function),
];

const COMPUTED: &str = "a function or operator with the types of its arguments (regprocedure, regoperator) that is computed: \
                        write it as a literal, or take its number from a column";

/// Since this version to_regprocedure and to_regoperator give NULL for types that are not there.
const NULL_SINCE: u32 = 16;

/// True for functions by which an absent type could be found.
pub(super) fn is_judged(name: &str) -> bool {
    LOOKING.iter().any(|(judged, _)| *judged == name)
}

/// The same for a type, as it is written.
pub(super) fn of_type(name: &str) -> Option<Signature> {
    match name {
        "regprocedure" => Some(Signature::Function),
        "regoperator" => Some(Signature::Operator),
        _ => None,
    }
}

impl Rewriter<'_> {
    /// Judges a call of one of the functions, whose own arguments have been walked.
    pub(super) fn judge_signature_call(&mut self, name: &str, function: &mut Function) -> Done {
        let Some((_, signature)) = LOOKING.iter().find(|(judged, _)| *judged == name) else {
            return Ok(());
        };
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        let place = match name {
            "has_function_privilege" => list.args.len().checked_sub(2),
            _ => Some(0),
        };
        let Some(argument) = place.and_then(|place| list.args.get_mut(place)) else {
            return Ok(());
        };
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
            return Err(Refusal::not_understood("arguments by name are not looked up here"));
        };
        if name == "has_function_privilege" {
            return self.judge_signature(argument, *signature);
        }
        let Some(text) = plain(argument) else {
            return Err(Refusal::not_understood(COMPUTED));
        };
        match self.judge_types(&text, *signature) {
            Err(refusal) if refusal.is_missing_type() && self.gives_null() => {
                *argument = parsed("CAST(NULL AS pg_catalog.text)")?;
                Ok(())
            }
            judged => judged,
        }
    }

    fn gives_null(&self) -> bool {
        self.speaker.view.snapshot().major_version() >= NULL_SINCE
    }

    /// Judges what becomes the name of a function or an operator: by a literal, or by its number.
    pub(super) fn judge_signature(&self, expr: &mut Expr, signature: Signature) -> Done {
        if !system::has_absent(self.speaker) {
            return Ok(());
        }
        match plain(expr) {
            Some(text) if text == "-" || text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
            Some(text) => self.judge_types(&text, signature),
            // What a column holds is known to PostgreSQL alone: as a number it is looked up, as a text it is none.
            None if may_be_number(expr) => {
                *expr = parsed(&format!("CAST({expr} AS pg_catalog.oid)"))?;
                Ok(())
            }
            None => Err(Refusal::not_understood(COMPUTED)),
        }
    }

    /// Judges the types in a literal: those of relations that do not exist for the role do not exist.
    fn judge_types(&self, text: &str, signature: Signature) -> Done {
        let unknown = || {
            Refusal::not_understood(
                "the name of a function or operator with the types of its arguments, in a form that is not known",
            )
        };
        let snapshot = self.speaker.view.snapshot();
        for type_name in types_of(text, signature).ok_or_else(unknown)? {
            let (schema, name) = match type_name.as_slice() {
                [name] => (None, name),
                [schema, name] => (Some(schema.as_str()), name),
                _ => return Err(unknown()),
            };
            // Of a type that nobody has nothing can be told, and one that may not be cast to may be named.
            let element = name.strip_prefix('_').unwrap_or(name);
            let is_anywhere =
                snapshot.user_types.keys().any(|(_, known)| known == name || known == element);
            let judged = types::judge(self.speaker, schema, name);
            if is_anywhere && matches!(judged, Err(Violation::NoSuchType(_))) {
                return Err(Refusal::no_such_type(&type_name.join(".")));
            }
        }
        Ok(())
    }
}

/// A column, or a number as it is written.
fn may_be_number(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::Nested(inner) => may_be_number(inner),
        Expr::Cast { data_type, .. } => matches!(type_name(data_type).as_str(), "oid" | "regproc"),
        _ => false,
    }
}

/// The names of the types in `f(t, …)` or `=(t, NONE)`; `None` where it is no such text.
fn types_of(text: &str, signature: Signature) -> Option<Vec<Vec<String>>> {
    // PostgreSQL's lexer leaves them out of types, where this would be read otherwise.
    if text.contains("--") || text.contains("/*") {
        return None;
    }
    let kind = match signature {
        Signature::Function => "FUNCTION",
        Signature::Operator => "OPERATOR",
    };
    let statements = grammar::parse(&format!("DROP {kind} {text}")).ok()?;
    let [statement] = statements.as_slice() else { return None };
    let Some(Node::DropStmt(drop)) = statement.stmt.as_ref()?.node.as_ref() else { return None };
    let is_plain = !drop.missing_ok && drop.behavior() == DropBehavior::DropRestrict;
    let [object] = drop.objects.as_slice() else { return None };
    let Some(Node::ObjectWithArgs(object)) = object.node.as_ref().filter(|_| is_plain) else {
        return None;
    };
    let types = object.objargs.iter().filter_map(|node| match &node.node {
        // NONE.
        None => None,
        Some(Node::TypeName(name)) if !name.setof && !name.pct_type => Some(names(name)),
        Some(_) => Some(None),
    });
    types.collect()
}

fn names(type_name: &protobuf::TypeName) -> Option<Vec<String>> {
    let part = |node: &protobuf::Node| match &node.node {
        Some(Node::String(part)) => Some(part.sval.clone()),
        _ => None,
    };
    type_name.names.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::{Signature, types_of};

    #[test]
    fn the_types_of_a_literal_are_read() {
        let found = |text: &str, signature| {
            types_of(text, signature)
                .map(|types| types.iter().map(|name| name.join(".")).collect::<Vec<_>>().join(" "))
        };
        let function = |text| found(text, Signature::Function);
        for (text, types) in [
            ("f()", ""),
            ("public.f(staff)", "staff"),
            ("f(int, public.staff[])", "pg_catalog.int4 public.staff"),
            (r#""F x"("St,aff", numeric(3, 2))"#, "St,aff pg_catalog.numeric"),
            ("f(character varying)", "pg_catalog.varchar"),
            // A name in front of a type, which PostgreSQL does not take there.
            ("f(a staff)", "staff"),
            // Without parentheses PostgreSQL looks nothing up.
            ("f", ""),
        ] {
            assert_eq!(function(text).as_deref(), Some(types), "{text}");
        }
        for text in [
            "f(int), g(staff)",
            "f(staff) cascade",
            "if exists f(staff)",
            "f(int); SELECT 1",
            "f(int /*), g(staff*/)",
            "f(int) -- x",
            "f(public.staff.id%type)",
            "f(setof staff)",
            "f(staff",
            "",
        ] {
            assert_eq!(function(text), None, "{text}");
        }
        let operator = |text| found(text, Signature::Operator);
        assert_eq!(operator("pg_catalog.=(staff,NONE)").as_deref(), Some("staff"));
        assert_eq!(operator("+(none, public.t)").as_deref(), Some("public.t"));
        assert_eq!(operator("=(staff,t), +(a,b)"), None);
    }
}
