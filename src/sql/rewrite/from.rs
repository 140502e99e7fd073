//! FROM: relations become holes here.

use sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor,
    TableFunctionArgs, TableInheritance, TableSample, TableSampleKind, TableSampleMethod,
    TableSampleModifier, TableSampleQuantity, TableWithJoins, Value, XmlNamespaceDefinition,
    XmlPassingArgument, XmlPassingClause, XmlTableColumn, XmlTableColumnOption,
};

use super::names::{meaning, parts, qualified, quoted};
use super::scope::Item;
use super::{Done, Refusal, Rewriter, absent, foreign};
use crate::sql::hole::{Content, HOLE_SCHEMA, Hole};
use crate::sql::resolve::{Target, resolve};

impl Rewriter<'_> {
    /// First pass over a FROM item: names become holes, aliases become known. Nothing inside is looked at yet,
    /// since sub-selects and conditions see the aliases of their neighbours.
    pub(super) fn replace_relations(
        &mut self,
        table: &mut TableWithJoins,
        items: &mut Vec<Item>,
    ) -> Done {
        let TableWithJoins { relation, joins } = table;
        let left = items.len();
        self.replace_factor(relation, items)?;
        for Join { relation, global, join_operator } in joins {
            absent(!*global, "GLOBAL JOIN")?;
            let right = items.len();
            self.replace_factor(relation, items)?;
            let nullable = match join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => 0..0,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => right..items.len(),
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => left..right,
                // FULL, and what is refused later.
                _ => left..items.len(),
            };
            for item in items.get_mut(nullable).into_iter().flatten() {
                item.nullable = true;
            }
        }
        Ok(())
    }

    fn replace_factor(&mut self, factor: &mut TableFactor, items: &mut Vec<Item>) -> Done {
        match factor {
            TableFactor::Table { args: None, .. } => self.replace_relation(factor, items),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let mut inner = Vec::new();
                self.replace_relations(table_with_joins, &mut inner)?;
                match alias {
                    // An alias hides the names inside.
                    Some(alias) => {
                        self.alias(alias)?;
                        items.push(opaque(&alias.name));
                    }
                    None => items.append(&mut inner),
                }
                Ok(())
            }
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::XmlTable { alias, .. } => {
                if let Some(alias) = alias {
                    self.alias(alias)?;
                    items.push(opaque(&alias.name));
                }
                Ok(())
            }
            TableFactor::TableFunction { .. } => Err(foreign("TABLE(…)")),
            TableFactor::JsonTable { .. } | TableFactor::OpenJsonTable { .. } => {
                Err(foreign("a JSON table"))
            }
            TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. } => Err(foreign("PIVOT")),
            TableFactor::MatchRecognize { .. } => Err(foreign("MATCH_RECOGNIZE")),
            TableFactor::SemanticView { .. } => Err(foreign("SEMANTIC_VIEW")),
        }
    }

    fn replace_relation(&mut self, factor: &mut TableFactor, items: &mut Vec<Item>) -> Done {
        let TableFactor::Table {
            name,
            alias,
            args: _,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_directives,
            inheritance,
        } = factor
        else {
            return Err(foreign("another kind of table"));
        };
        absent(with_hints.is_empty() && index_directives.is_empty(), "a table hint")?;
        absent(version.is_none() && json_path.is_none(), "a table version")?;
        absent(!*with_ordinality && partitions.is_empty(), "a partition list")?;
        if let Some(alias) = alias {
            self.alias(alias)?;
        }
        let names = parts(name).ok_or_else(|| foreign("a function in a name"))?;
        let own_name = names.last().cloned().ok_or_else(|| foreign("a table without a name"))?;
        let schema = match names.as_slice() {
            [relation] if self.ctes.contains(relation) => {
                let shown = alias.as_ref().map_or(own_name, |alias| meaning(&alias.name));
                items.push(Item::opaque(shown));
                return Ok(());
            }
            [_] => None,
            [schema, _] => Some(schema.as_str()),
            [database, schema, _] if *database == self.speaker.view.snapshot().database => {
                Some(schema.as_str())
            }
            _ => return Err(Refusal::cross_database(&names.join("."))),
        };
        let shown = alias.as_ref().map_or_else(|| own_name.clone(), |alias| meaning(&alias.name));
        let renamed = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        let aliased = alias.is_some();
        let mut item = Item { renamed, ..Item::opaque(shown) };
        match resolve(self.speaker, schema, &own_name)? {
            Target::Open { schema, name: relation } => {
                *name = qualified(&schema, &relation);
                self.open.push((schema.clone(), relation.clone()));
                item.open = Some((schema, relation));
            }
            Target::Hole(content) => {
                let only = match inheritance.take() {
                    None | Some(TableInheritance::IncludeDescendants) => false,
                    Some(TableInheritance::Only { parenthesized: _ }) => true,
                };
                let sample = sample.take().map(|sample| sample_clause(&sample)).transpose()?;
                if sample.is_some() && matches!(content, Content::View(..)) {
                    return Err(Refusal::not_sampled());
                }
                let place = (content.schema().to_owned(), content.name().to_owned());
                item.template = content.template();
                if let Content::System { schema, name, .. } = &content {
                    item.open = Some(((*schema).to_owned(), (*name).to_owned()));
                }
                item.hole = Some(self.holes.len());
                item.unaliased = (!aliased).then_some(place);
                *name = qualified(HOLE_SCHEMA, &self.holes.len().to_string());
                self.holes.push(Hole {
                    content,
                    only,
                    sample,
                    lookups: Vec::new(),
                    system_columns: Vec::new(),
                });
                if alias.is_none() {
                    *alias = Some(TableAlias {
                        explicit: true,
                        name: quoted(&own_name),
                        columns: Vec::new(),
                        at: None,
                    });
                }
            }
        }
        items.push(item);
        Ok(())
    }

    /// Second pass: conditions, sub-selects and arguments, with every alias known.
    pub(super) fn inside_from(&mut self, table: &mut TableWithJoins) -> Done {
        let TableWithJoins { relation, joins } = table;
        self.inside_factor(relation)?;
        for Join { relation, global: _, join_operator } in joins {
            self.inside_factor(relation)?;
            self.join(join_operator)?;
        }
        Ok(())
    }

    fn join(&mut self, operator: &mut JoinOperator) -> Done {
        match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => match constraint {
                JoinConstraint::On(expr) => self.expr(expr),
                JoinConstraint::Using(columns) | JoinConstraint::UsingAlias(columns, _) => {
                    absent(columns.iter().all(|name| name.0.len() == 1), "a qualified USING")
                }
                JoinConstraint::Natural | JoinConstraint::None => Ok(()),
            },
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_) => Err(foreign("a SEMI or ANTI JOIN")),
            JoinOperator::CrossApply | JoinOperator::OuterApply => Err(foreign("APPLY")),
            JoinOperator::AsOf { .. } => Err(foreign("an ASOF JOIN")),
            JoinOperator::StraightJoin(_) => Err(foreign("STRAIGHT_JOIN")),
            JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => Err(foreign("an ARRAY JOIN")),
        }
    }

    fn inside_factor(&mut self, factor: &mut TableFactor) -> Done {
        match factor {
            TableFactor::Table { name, args, .. } => match args {
                None => Ok(()),
                Some(TableFunctionArgs { args, settings }) => {
                    absent(settings.is_none(), "SETTINGS")?;
                    self.function_name(name)?;
                    self.function_args(args)
                }
            },
            TableFactor::Derived { lateral: _, subquery, alias: _, sample } => {
                absent(sample.is_none(), "TABLESAMPLE of a sub-select")?;
                self.query(subquery)
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias: _ } => {
                self.function_name(name)?;
                self.function_args(args)
            }
            TableFactor::UNNEST {
                alias: _,
                array_exprs,
                with_offset,
                with_offset_alias,
                with_ordinality: _,
            } => {
                absent(!*with_offset && with_offset_alias.is_none(), "UNNEST WITH OFFSET")?;
                self.exprs(array_exprs)
            }
            TableFactor::NestedJoin { table_with_joins, alias: _ } => {
                self.inside_from(table_with_joins)
            }
            TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias: _ } => {
                for XmlNamespaceDefinition { uri, name: _ } in namespaces {
                    self.expr(uri)?;
                }
                self.expr(row_expression)?;
                let XmlPassingClause { arguments } = passing;
                for XmlPassingArgument { expr, alias: _, by_value: _ } in arguments {
                    self.expr(expr)?;
                }
                for XmlTableColumn { name: _, option } in columns {
                    match option {
                        XmlTableColumnOption::ForOrdinality => {}
                        XmlTableColumnOption::NamedInfo {
                            r#type: _,
                            path,
                            default,
                            nullable: _,
                        } => {
                            self.maybe(path.as_mut())?;
                            self.maybe(default.as_mut())?;
                        }
                    }
                }
                Ok(())
            }
            TableFactor::TableFunction { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::SemanticView { .. } => Err(foreign("another kind of table")),
        }
    }

    pub(super) fn function_name(&self, name: &mut ObjectName) -> Done {
        let names = parts(name).ok_or_else(|| foreign("a function in a name"))?;
        if let [single] = names.as_slice()
            && let Some(schema) = self.function_schema(single)
        {
            *name = qualified(&schema, single);
        }
        Ok(())
    }
}

/// A FROM item whose columns the rewriter need not know.
fn opaque(alias: &sqlparser::ast::Ident) -> Item {
    Item::opaque(meaning(alias))
}

/// `TABLESAMPLE` of a relation that becomes a hole moves into the hole, as text made here: a method of
/// PostgreSQL's own and constants.
fn sample_clause(sample: &TableSampleKind) -> Result<String, Refusal> {
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) =
        sample;
    let TableSample { modifier, name, quantity, seed, bucket, offset } = sample.as_ref();
    absent(matches!(modifier, TableSampleModifier::TableSample), "SAMPLE")?;
    absent(bucket.is_none() && offset.is_none(), "TABLESAMPLE BUCKET")?;
    let method = match name {
        Some(TableSampleMethod::Bernoulli) => "bernoulli",
        Some(TableSampleMethod::System) => "system",
        Some(TableSampleMethod::Row | TableSampleMethod::Block) | None => {
            return Err(foreign("another TABLESAMPLE method"));
        }
    };
    let share = match quantity {
        Some(TableSampleQuantity {
            parenthesized: true,
            value: Expr::Value(value),
            unit: None,
        }) => number(&value.value)?,
        _ => return Err(Refusal::not_understood("TABLESAMPLE takes a plain number here")),
    };
    let seed = match seed {
        None => String::new(),
        Some(seed) => format!(" REPEATABLE ({})", number(&seed.value.value)?),
    };
    Ok(format!("TABLESAMPLE pg_catalog.{method} ({share}){seed}"))
}

/// A number that is nothing but a number.
fn number(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::Number(text, false)
            if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') =>
        {
            Ok(text.clone())
        }
        _ => Err(Refusal::not_understood("TABLESAMPLE takes a plain number here")),
    }
}
