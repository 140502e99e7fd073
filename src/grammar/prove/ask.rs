//! Names, and the questions about them.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::node_name::node_name;
use super::{ColumnUse, Extent, Proven, Violation, Walker};
use crate::grammar::functions;

/// The strings of a list that must hold nothing else.
pub(super) fn strings<'t>(
    nodes: &'t [protobuf::Node],
    what: &'static str,
) -> Result<Vec<&'t str>, Violation> {
    nodes
        .iter()
        .map(|node| match &node.node {
            Some(Node::String(protobuf::String { sval })) => Ok(sval.as_str()),
            _ => Err(Violation::Node(what)),
        })
        .collect()
}

/// A name of one or two parts: schema, name. `wrong` makes the violation for any other number.
fn in_schema<'t>(
    parts: &[&'t str],
    wrong: fn(String) -> Violation,
) -> Result<(Option<&'t str>, &'t str), Violation> {
    match parts {
        [name] => Ok((None, name)),
        [schema, name] => Ok((Some(schema), name)),
        _ => Err(wrong(parts.join("."))),
    }
}

impl<'t> Walker<'t, '_> {
    /// A function's name; the arguments are the caller's business.
    pub(super) fn ask_call(&mut self, call: &protobuf::FuncCall) -> Proven {
        let parts = strings(&call.funcname, "FuncCall")?;
        let (schema, name) = in_schema(&parts, Violation::Function)?;
        if self.extent == Extent::Expression
            && schema.is_none_or(|schema| schema == "pg_catalog")
            && functions::is_allowed(name)
            && !functions::is_allowed_in_rules(name)
        {
            return Err(Violation::Function(parts.join(".")));
        }
        self.terms.may_call(schema, name, call)?;
        self.proof.functions.insert(parts.join("."));
        if let (Extent::Statement, None, Ok(location)) =
            (self.extent, schema, usize::try_from(call.location))
        {
            self.proof.calls.push((location, name.to_owned()));
        }
        Ok(())
    }

    /// A SQL/JSON expression, which is a function for servers that do not know it.
    pub(super) fn ask_json(&mut self, name: &'static str) -> Proven {
        let sval = protobuf::String { sval: name.to_owned() };
        let call = protobuf::FuncCall {
            funcname: vec![protobuf::Node { node: Some(Node::String(sval)) }],
            ..Default::default()
        };
        self.ask_call(&call)
    }

    /// An operator as a tree names it; an empty list is `=` (the test of `x IN (SELECT …)`).
    pub(super) fn ask_operator(&mut self, name: &[protobuf::Node]) -> Proven {
        let parts = strings(name, "A_Expr")?;
        if parts.is_empty() {
            return self.terms.may_operate(None, "=");
        }
        let (schema, operator) = in_schema(&parts, Violation::Operator)?;
        self.terms.may_operate(schema, operator)
    }

    /// Operators that PostgreSQL looks up by these names though nobody wrote them.
    pub(super) fn ask_operators(&mut self, operators: &[&str]) -> Proven {
        operators.iter().try_for_each(|operator| self.terms.may_operate(None, operator))
    }

    /// A type. `SETOF` and `%TYPE` have no place in a query. Type modifiers are literals or bare words
    /// (`geometry(Point, 4326)`).
    pub(super) fn ask_type(&mut self, name: &protobuf::TypeName) -> Proven {
        let protobuf::TypeName {
            names,
            type_oid,
            setof,
            pct_type,
            typmods,
            typemod: _,
            array_bounds,
            location: _,
        } = name;
        let parts = strings(names, "TypeName")?;
        if *type_oid != 0 || *setof || *pct_type {
            return Err(Violation::Type(parts.join(".")));
        }
        for modifier in typmods {
            let is_plain = match &modifier.node {
                Some(Node::AConst(_)) => true,
                Some(Node::ColumnRef(protobuf::ColumnRef { fields, location: _ })) => {
                    strings(fields, "TypeName")?.len() == 1
                }
                _ => false,
            };
            if !is_plain {
                return Err(Violation::Type(parts.join(".")));
            }
        }
        for bound in array_bounds {
            if !matches!(bound.node, Some(Node::Integer(_))) {
                return Err(Violation::Type(parts.join(".")));
            }
        }
        let (schema, name) = in_schema(&parts, Violation::Type)?;
        self.terms.may_cast(schema, name)
    }

    /// A type that the grammar may leave out.
    pub(super) fn ask_type_if_any(&mut self, name: Option<&protobuf::TypeName>) -> Proven {
        name.map_or(Ok(()), |name| self.ask_type(name))
    }

    /// A collation.
    pub(super) fn ask_collation(&mut self, name: &[protobuf::Node]) -> Proven {
        let parts = strings(name, "CollateClause")?;
        let (schema, name) = in_schema(&parts, Violation::Collation)?;
        self.terms.may_collate(schema, name)
    }

    /// `a`, `a.b`, `a.b.c`, `*`, `a.*`. A name of one part is a column or a whole row, never a call.
    pub(super) fn column(&mut self, column: &'t protobuf::ColumnRef) -> Proven {
        self.note_reference(column)?;
        let protobuf::ColumnRef { fields, location: _ } = column;
        let Some((last, qualifiers)) = fields.split_last() else {
            return Err(Violation::Node("ColumnRef"));
        };
        let qualifiers = strings(qualifiers, "ColumnRef")?;
        let qualifier = qualifiers.last().copied();
        match &last.node {
            Some(Node::String(protobuf::String { sval: name })) => {
                if qualifier.is_some() {
                    self.terms.may_select_column(name)?;
                }
                self.note_column(qualifier, name);
                Ok(())
            }
            Some(Node::AStar(protobuf::AStar {})) if self.extent != Extent::Expression => {
                self.note_column(qualifier, "*");
                Ok(())
            }
            Some(other) => Err(Violation::Node(node_name(other))),
            None => Err(Violation::Node("ColumnRef")),
        }
    }

    pub(super) fn note_column(&mut self, qualifier: Option<&str>, name: &str) {
        let qualifier = qualifier.map(str::to_owned);
        self.proof.columns.insert(ColumnUse { qualifier, name: name.to_owned() });
    }

    /// A name that something is given.
    pub(super) fn label(&mut self, name: &str) {
        if !name.is_empty() {
            self.proof.labels.insert(name.to_owned());
        }
    }

    /// Columns that are mentioned by bare names only: USING, SEARCH, CYCLE.
    pub(super) fn note_names(&mut self, names: &'t [protobuf::Node], what: &'static str) -> Proven {
        for name in strings(names, what)? {
            self.note_column(None, name);
        }
        Ok(())
    }
}
