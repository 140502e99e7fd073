//! FROM.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::{Done, RelationUse, Violation, Walker, kind, strings};

impl Walker<'_> {
    pub(super) fn from_item(&mut self, item: &protobuf::Node) -> Done {
        match &item.node {
            Some(Node::RangeVar(relation)) => self.relation(relation),
            Some(Node::RangeSubselect(subselect)) => {
                let protobuf::RangeSubselect { lateral: _, subquery, alias } = &**subselect;
                self.alias(alias.as_ref())?;
                self.sub_select(subquery.as_deref())
            }
            Some(Node::RangeFunction(function)) => self.range_function(function),
            Some(Node::RangeTableSample(sample)) => self.sample(sample),
            Some(Node::RangeTableFunc(table)) => self.xml_table(table),
            Some(Node::JoinExpr(join)) => {
                let protobuf::JoinExpr {
                    jointype: _,
                    is_natural,
                    larg,
                    rarg,
                    using_clause,
                    join_using_alias,
                    quals,
                    alias,
                    rtindex: _,
                } = &**join;
                for side in [larg, rarg] {
                    match side.as_deref() {
                        Some(side) => self.from_item(side)?,
                        None => return Err(Violation::Node("a join with one side")),
                    }
                }
                strings(using_clause)?;
                if *is_natural || !using_clause.is_empty() {
                    self.terms.may_operate(None, "=")?;
                }
                self.alias(join_using_alias.as_ref())?;
                self.alias(alias.as_ref())?;
                self.maybe(quals.as_deref())
            }
            Some(other) => Err(Violation::Node(kind(other))),
            None => Err(Violation::Node("an empty FROM item")),
        }
    }

    fn relation(&mut self, relation: &protobuf::RangeVar) -> Done {
        let protobuf::RangeVar {
            catalogname,
            schemaname,
            relname,
            inh: _,
            relpersistence: _,
            alias,
            location,
        } = relation;
        self.alias(alias.as_ref())?;
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (catalog, schema) = (part(catalogname), part(schemaname));
        if schema.is_none() && catalog.is_none() && self.ctes.contains(relname) {
            return Ok(());
        }
        self.terms.may_read(catalog.as_deref(), schema.as_deref(), relname)?;
        let location = usize::try_from(*location)
            .map_err(|_| Violation::Node("a relation without a place"))?;
        self.proof.relations.push(RelationUse {
            location,
            schema,
            name: relname.clone(),
            alias: alias.as_ref().map(|alias| alias.aliasname.clone()),
        });
        Ok(())
    }

    fn alias(&self, alias: Option<&protobuf::Alias>) -> Done {
        let Some(protobuf::Alias { aliasname: _, colnames }) = alias else { return Ok(()) };
        strings(colnames).map(|_| ())
    }

    fn range_function(&mut self, function: &protobuf::RangeFunction) -> Done {
        let protobuf::RangeFunction {
            lateral: _,
            ordinality: _,
            is_rowsfrom: _,
            functions,
            alias,
            coldeflist,
        } = function;
        self.alias(alias.as_ref())?;
        self.column_definitions(coldeflist)?;
        // Each is a list of the call and its own column definitions.
        for function in functions {
            let Some(Node::List(list)) = &function.node else {
                return Err(Violation::Node("a function in FROM that is no list"));
            };
            let [call, definitions] = list.items.as_slice() else {
                return Err(Violation::Node("a function in FROM of another form"));
            };
            self.expression(call)?;
            match &definitions.node {
                None => {}
                Some(Node::List(list)) => self.column_definitions(&list.items)?,
                Some(other) => return Err(Violation::Node(kind(other))),
            }
        }
        Ok(())
    }

    fn column_definitions(&mut self, definitions: &[protobuf::Node]) -> Done {
        for definition in definitions {
            let Some(Node::ColumnDef(definition)) = &definition.node else {
                return Err(Violation::Node("another node in a column definition list"));
            };
            let protobuf::ColumnDef {
                colname: _,
                type_name,
                compression: _,
                inhcount: _,
                is_local: _,
                is_not_null: _,
                is_from_type: _,
                storage: _,
                storage_name: _,
                raw_default,
                cooked_default,
                identity: _,
                identity_sequence,
                generated: _,
                coll_clause,
                coll_oid: _,
                constraints,
                fdwoptions,
                location: _,
            } = &**definition;
            let is_plain = raw_default.is_none()
                && cooked_default.is_none()
                && identity_sequence.is_none()
                && constraints.is_empty()
                && fdwoptions.is_empty();
            if !is_plain {
                return Err(Violation::Node("a column definition with more than a type"));
            }
            if let Some(collate) = coll_clause {
                self.collate(collate)?;
            }
            self.type_name(type_name.as_ref())?;
        }
        Ok(())
    }

    fn sample(&mut self, sample: &protobuf::RangeTableSample) -> Done {
        let protobuf::RangeTableSample { relation, method, args, repeatable, location: _ } = sample;
        match strings(method)?.as_slice() {
            ["bernoulli" | "system"] | ["pg_catalog", "bernoulli" | "system"] => {}
            _ => return Err(Violation::Node("another TABLESAMPLE method")),
        }
        self.expressions(args)?;
        self.maybe(repeatable.as_deref())?;
        match relation.as_deref() {
            Some(relation) => self.from_item(relation),
            None => Err(Violation::Node("TABLESAMPLE of nothing")),
        }
    }

    fn xml_table(&mut self, table: &protobuf::RangeTableFunc) -> Done {
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
        self.maybe(docexpr.as_deref())?;
        self.maybe(rowexpr.as_deref())?;
        for namespace in namespaces {
            match &namespace.node {
                Some(Node::ResTarget(target)) => self.maybe(target.val.as_deref())?,
                _ => return Err(Violation::Node("another node in XMLNAMESPACES")),
            }
        }
        for column in columns {
            let Some(Node::RangeTableFuncCol(column)) = &column.node else {
                return Err(Violation::Node("another node in XMLTABLE"));
            };
            let protobuf::RangeTableFuncCol {
                colname: _,
                type_name,
                for_ordinality,
                is_not_null: _,
                colexpr,
                coldefexpr,
                location: _,
            } = &**column;
            if !*for_ordinality {
                self.type_name(type_name.as_ref())?;
            }
            self.maybe(colexpr.as_deref())?;
            self.maybe(coldefexpr.as_deref())?;
        }
        Ok(())
    }
}
