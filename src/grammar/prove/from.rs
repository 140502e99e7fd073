//! FROM: relations, joins, sub-selects, functions, samples, XMLTABLE and JSON_TABLE.

use std::collections::BTreeSet;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::ask::strings;
use super::query::unexpected;
use super::{Proven, RelationUse, Violation, Walker};

/// A function in FROM that may give no row but a value.
pub(super) struct Called<'t> {
    /// By what it goes; `None`: not known here.
    name: Option<&'t str>,
    /// The columns that the text gives it.
    columns: BTreeSet<&'t str>,
}

impl<'t> Called<'t> {
    fn of(function: &'t protobuf::RangeFunction) -> Result<Option<Called<'t>>, Violation> {
        let [pair] = function.functions.as_slice() else { return Ok(None) };
        // With a column more, and with columns that are defined, it gives rows.
        if function.ordinality || !function.coldeflist.is_empty() {
            return Ok(None);
        }
        let called = match &pair.node {
            Some(Node::List(protobuf::List { items })) => items.first(),
            _ => None,
        };
        let own = match called.and_then(|call| call.node.as_ref()) {
            Some(Node::FuncCall(call)) => strings(&call.funcname, "FuncCall")?.last().copied(),
            _ => None,
        };
        let alias = function.alias.as_ref();
        let name = alias.map(|alias| alias.aliasname.as_str()).or(own);
        let given = alias.map(|alias| strings(&alias.colnames, "Alias")).transpose()?;
        let mut columns: BTreeSet<&str> = given.unwrap_or_default().into_iter().collect();
        if columns.is_empty() {
            // The column of what gives one value.
            columns.extend(name);
        }
        Ok(Some(Called { name, columns }))
    }
}

impl<'t> Walker<'t, '_> {
    pub(super) fn item(&mut self, item: &'t protobuf::Node) -> Proven {
        match &item.node {
            Some(Node::RangeVar(relation)) => self.relation(relation),
            Some(Node::JoinExpr(join)) => self.join(join),
            Some(Node::RangeSubselect(subselect)) => {
                let protobuf::RangeSubselect { lateral, subquery, alias } = &**subselect;
                self.alias(alias.as_ref())?;
                let scope = self.scope;
                if !*lateral {
                    // It sees what is around this FROM clause, not its neighbours.
                    let around = scope.and_then(|scope| self.proof.scopes.get(scope));
                    self.scope = around.and_then(|scope| scope.parent);
                }
                self.subselect(subquery)?;
                self.scope = scope;
                Ok(())
            }
            Some(Node::RangeFunction(function)) => self.range_function(function),
            Some(Node::RangeTableSample(sample)) => self.sample(sample),
            Some(Node::RangeTableFunc(table)) => self.xml_table(table),
            Some(Node::JsonTable(table)) => self.json_table(table),
            other => Err(unexpected(other, "RangeVar")),
        }
    }

    fn side(&mut self, side: &'t Option<Box<protobuf::Node>>) -> Proven {
        side.as_deref().map_or(Err(Violation::Node("JoinExpr")), |side| self.item(side))
    }

    /// A name without schema means a common table expression of that name if one is in scope; ONLY changes
    /// nothing about that. A schema always means a relation.
    fn relation(&mut self, relation: &'t protobuf::RangeVar) -> Proven {
        let protobuf::RangeVar {
            catalogname,
            schemaname,
            relname,
            inh: _,
            relpersistence,
            alias,
            location,
        } = relation;
        self.alias(alias.as_ref())?;
        let part = |part: &'t str| (!part.is_empty()).then_some(part);
        let (catalog, schema) = (part(catalogname), part(schemaname));
        if schema.is_none() && catalog.is_none() && self.ctes.contains(&relname.as_str()) {
            return Ok(());
        }
        // `p`: nobody said TEMP, which has no place in FROM.
        if relname.is_empty() || relpersistence != "p" || (catalog.is_some() && schema.is_none()) {
            return Err(Violation::Node("RangeVar"));
        }
        self.terms.may_read(catalog, schema, relname)?;
        let location = usize::try_from(*location).map_err(|_| Violation::Node("RangeVar"))?;
        let alias_name = alias.as_ref().map(|alias| alias.aliasname.as_str());
        if alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty()) {
            self.note_column(alias_name, "*");
        }
        self.proof.relations.push(RelationUse {
            location,
            schema: schema.map(str::to_owned),
            name: relname.clone(),
            alias: alias_name.map(str::to_owned),
        });
        Ok(())
    }

    pub(super) fn alias(&mut self, alias: Option<&protobuf::Alias>) -> Proven {
        let Some(alias) = alias else { return Ok(()) };
        let protobuf::Alias { aliasname, colnames } = alias;
        self.label(aliasname);
        strings(colnames, "Alias")?.into_iter().for_each(|name| self.label(name));
        Ok(())
    }

    /// USING and NATURAL compare with whatever `=` is in the search_path.
    fn join(&mut self, join: &'t protobuf::JoinExpr) -> Proven {
        let protobuf::JoinExpr {
            jointype,
            is_natural,
            larg,
            rarg,
            using_clause,
            join_using_alias,
            quals,
            alias,
            rtindex: _,
        } = join;
        use protobuf::JoinType;
        match JoinType::try_from(*jointype) {
            Ok(
                JoinType::JoinInner | JoinType::JoinLeft | JoinType::JoinFull | JoinType::JoinRight,
            ) => {}
            _ => return Err(Violation::Node("JoinExpr")),
        }
        self.side(larg)?;
        self.side(rarg)?;
        // By the alias of a join all columns of its sides can be named, as in `j.*`.
        if *is_natural || alias.is_some() {
            self.note_column(None, "*");
        }
        if *is_natural || !using_clause.is_empty() {
            self.unites();
            self.ask_operators(&["="])?;
        }
        self.note_names(using_clause, "JoinExpr")?;
        self.alias(join_using_alias.as_ref())?;
        self.alias(alias.as_ref())?;
        self.optional(quals)
    }

    /// A function, or ROWS FROM several: each is a pair of the call and its column definitions, if any.
    fn range_function(&mut self, function: &'t protobuf::RangeFunction) -> Proven {
        let protobuf::RangeFunction {
            lateral: _,
            ordinality: _,
            is_rowsfrom: _,
            functions,
            alias,
            coldeflist,
        } = function;
        self.alias(alias.as_ref())?;
        let called = Called::of(function)?;
        self.functions.extend(called);
        for pair in functions {
            let Some(Node::List(protobuf::List { items })) = &pair.node else {
                return Err(unexpected(&pair.node, "List"));
            };
            let [call, definitions] = &items[..] else {
                return Err(Violation::Node("RangeFunction"));
            };
            // The grammar lets SQL/JSON expressions stand here too, which nobody writes and libpg_query's printer
            // does not expect: a build of it with assertions would end the process.
            match &call.node {
                Some(
                    Node::FuncCall(_)
                    | Node::SqlvalueFunction(_)
                    | Node::TypeCast(_)
                    | Node::CoalesceExpr(_)
                    | Node::MinMaxExpr(_)
                    | Node::XmlExpr(_)
                    | Node::XmlSerialize(_),
                ) => self.expression(call)?,
                other => return Err(unexpected(other, "RangeFunction")),
            }
            match &definitions.node {
                None => {}
                Some(Node::List(protobuf::List { items })) => self.column_definitions(items)?,
                other => return Err(unexpected(other, "List")),
            }
        }
        self.column_definitions(coldeflist)
    }

    /// `alias.name` is a column of the row, or, where a function gives no row but a value, whatever `(value).name` is.
    pub(super) fn ask_columns_of_functions(&mut self) -> Proven {
        let named = self
            .proof
            .columns
            .iter()
            .filter_map(|used| Some((used.qualifier.as_deref()?, &used.name)));
        for (qualifier, name) in named.filter(|(_, name)| *name != "*") {
            let may_be = |called: &&Called<'_>| {
                called.name.is_none_or(|name| name == qualifier)
                    && !called.columns.contains(name.as_str())
            };
            if self.functions.iter().any(|called| may_be(&called)) {
                self.terms.may_select_field(name)?;
            }
        }
        Ok(())
    }

    fn column_definitions(&mut self, definitions: &'t [protobuf::Node]) -> Proven {
        for definition in definitions {
            let Some(Node::ColumnDef(definition)) = &definition.node else {
                return Err(unexpected(&definition.node, "ColumnDef"));
            };
            self.column_definition(definition)?;
        }
        Ok(())
    }

    /// Name, type and collation: what else a column of a table may have, a column of a function may not.
    fn column_definition(&mut self, definition: &'t protobuf::ColumnDef) -> Proven {
        let protobuf::ColumnDef {
            colname,
            type_name,
            compression,
            inhcount: _,
            is_local: _,
            is_not_null: _,
            is_from_type: _,
            storage,
            storage_name,
            raw_default,
            cooked_default,
            identity,
            identity_sequence,
            generated,
            coll_clause,
            coll_oid,
            constraints,
            fdwoptions,
            location: _,
        } = definition;
        let words = [compression, storage, storage_name, identity, generated];
        if words.into_iter().any(|word| !word.is_empty())
            || raw_default.is_some()
            || cooked_default.is_some()
            || identity_sequence.is_some()
            || *coll_oid != 0
            || !constraints.is_empty()
            || !fdwoptions.is_empty()
        {
            return Err(Violation::Node("ColumnDef"));
        }
        if let Some(collation) = coll_clause {
            let protobuf::CollateClause { arg, collname, location: _ } = &**collation;
            if arg.is_some() {
                return Err(Violation::Node("CollateClause"));
            }
            self.ask_collation(collname)?;
        }
        self.label(colname);
        match type_name {
            Some(name) => self.ask_made_type(name),
            None => Err(Violation::Node("ColumnDef")),
        }
    }

    /// The two methods of PostgreSQL's own; a method is a function of the extension that brings it.
    fn sample(&mut self, sample: &'t protobuf::RangeTableSample) -> Proven {
        let protobuf::RangeTableSample { relation, method, args, repeatable, location: _ } = sample;
        let Some(Node::RangeVar(relation)) =
            relation.as_deref().and_then(|node| node.node.as_ref())
        else {
            return Err(Violation::Node("RangeTableSample"));
        };
        self.relation(relation)?;
        let parts = strings(method, "RangeTableSample")?;
        match &parts[..] {
            ["system" | "bernoulli"] | ["pg_catalog", "system" | "bernoulli"] => {}
            _ => return Err(Violation::Function(parts.join("."))),
        }
        self.all(args)?;
        self.optional(repeatable)
    }

    fn xml_table(&mut self, table: &'t protobuf::RangeTableFunc) -> Proven {
        let protobuf::RangeTableFunc {
            lateral: _,
            docexpr,
            rowexpr,
            namespaces,
            columns,
            alias,
            location: _,
        } = table;
        self.alias(alias.as_ref())?;
        self.needed(docexpr, "RangeTableFunc")?;
        self.needed(rowexpr, "RangeTableFunc")?;
        namespaces.iter().try_for_each(|namespace| self.target(namespace))?;
        for column in columns {
            let Some(Node::RangeTableFuncCol(column)) = &column.node else {
                return Err(unexpected(&column.node, "RangeTableFuncCol"));
            };
            let protobuf::RangeTableFuncCol {
                colname,
                type_name,
                for_ordinality: _,
                is_not_null: _,
                colexpr,
                coldefexpr,
                location: _,
            } = &**column;
            self.label(colname);
            type_name.as_ref().map_or(Ok(()), |name| self.ask_made_type(name))?;
            self.optional(colexpr)?;
            self.optional(coldefexpr)?;
        }
        Ok(())
    }
}
