//! FROM on PostgreSQL's tree.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, Alias, RangeTableSample, RangeVar};

use super::{strings, unknown};
use crate::sql::hole::{Content, HOLE_SCHEMA, Hole};
use crate::sql::resolve::{Target, resolve};
use crate::sql::rewrite::scope::Item;
use crate::sql::rewrite::{Done, Refusal, Rewriter};

impl Rewriter<'_> {
    /// First pass: names become holes, aliases become known.
    pub(super) fn tree_replace(
        &mut self,
        item: &mut protobuf::Node,
        items: &mut Vec<Item>,
    ) -> Done {
        match &mut item.node {
            Some(Node::RangeVar(relation)) => self.tree_relation(relation, None, items),
            Some(Node::RangeTableSample(sample)) => {
                if let Some(relation) = self.tree_sample(sample, items)? {
                    item.node = Some(Node::RangeVar(relation));
                }
                Ok(())
            }
            Some(Node::JoinExpr(join)) => {
                let mut inner = Vec::new();
                for side in [&mut join.larg, &mut join.rarg].into_iter().flatten() {
                    self.tree_replace(side, &mut inner)?;
                }
                match &join.alias {
                    // An alias hides the names inside.
                    Some(alias) => items.push(Item::opaque(alias.aliasname.clone())),
                    None => items.append(&mut inner),
                }
                Ok(())
            }
            Some(Node::RangeSubselect(query)) => {
                opaque(query.alias.as_ref(), items);
                Ok(())
            }
            Some(Node::RangeFunction(function)) => {
                opaque(function.alias.as_ref(), items);
                Ok(())
            }
            Some(Node::RangeTableFunc(table)) => {
                opaque(table.alias.as_ref(), items);
                Ok(())
            }
            _ => Err(unknown("FROM")),
        }
    }

    fn tree_relation(
        &mut self,
        relation: &mut RangeVar,
        sample: Option<String>,
        items: &mut Vec<Item>,
    ) -> Done {
        let alias = relation.alias.as_ref().map(|alias| alias.aliasname.clone());
        let shown = alias.clone().unwrap_or_else(|| relation.relname.clone());
        let schema = (!relation.schemaname.is_empty()).then(|| relation.schemaname.clone());
        if schema.is_none() && self.ctes.contains(&relation.relname) {
            items.push(Item::opaque(shown));
            return Ok(());
        }
        let catalog = &relation.catalogname;
        if !catalog.is_empty() && *catalog != self.speaker.view.snapshot().database {
            let name = format!("{catalog}.{}.{}", relation.schemaname, relation.relname);
            return Err(Refusal::cross_database(&name));
        }
        let renamed = relation.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
        let mut item = Item { renamed, ..Item::opaque(shown.clone()) };
        relation.catalogname = String::new();
        match resolve(self.speaker, schema.as_deref(), &relation.relname)? {
            Target::Open { schema, name } => {
                relation.schemaname.clone_from(&schema);
                relation.relname.clone_from(&name);
                self.open.push((schema.clone(), name.clone()));
                item.open = Some((schema, name));
            }
            Target::Hole(content) => {
                if sample.is_some() && matches!(content, Content::View(..)) {
                    return Err(Refusal::not_sampled());
                }
                item.template = content.template();
                item.hole = Some(self.holes.len());
                item.unaliased = alias
                    .is_none()
                    .then(|| (content.schema().to_owned(), content.name().to_owned()));
                relation.schemaname = HOLE_SCHEMA.to_owned();
                relation.relname = self.holes.len().to_string();
                self.holes.push(Hole {
                    content,
                    only: !relation.inh,
                    sample,
                    lookups: Vec::new(),
                    system_columns: Vec::new(),
                });
                relation.inh = true;
                relation
                    .alias
                    .get_or_insert_with(|| Alias { aliasname: shown, colnames: Vec::new() });
            }
        }
        items.push(item);
        Ok(())
    }

    /// A sampled relation that becomes a hole is sampled in it: the relation alone is given then.
    fn tree_sample(
        &mut self,
        sample: &mut RangeTableSample,
        items: &mut Vec<Item>,
    ) -> Result<Option<RangeVar>, Refusal> {
        let Some(Node::RangeVar(relation)) =
            sample.relation.as_deref_mut().and_then(|node| node.node.as_mut())
        else {
            return Err(unknown("RangeTableSample"));
        };
        let holes = self.holes.len();
        let schema = (!relation.schemaname.is_empty()).then_some(relation.schemaname.as_str());
        let clause = match resolve(self.speaker, schema, &relation.relname)? {
            Target::Hole(_) => {
                Some(clause(&sample.method, &sample.args, sample.repeatable.as_deref())?)
            }
            Target::Open { .. } => None,
        };
        self.tree_relation(relation, clause, items)?;
        Ok((self.holes.len() > holes).then(|| relation.clone()))
    }

    /// Second pass: conditions, sub-selects and arguments, with every alias known.
    pub(super) fn tree_inside(&mut self, item: &mut protobuf::Node) -> Done {
        match &mut item.node {
            Some(Node::RangeVar(_)) => Ok(()),
            Some(Node::RangeTableSample(sample)) => {
                self.tree_all(&mut sample.args)?;
                self.tree_optional(&mut sample.repeatable)
            }
            Some(Node::JoinExpr(join)) => {
                for side in [&mut join.larg, &mut join.rarg].into_iter().flatten() {
                    self.tree_inside(side)?;
                }
                self.tree_optional(&mut join.quals)
            }
            Some(Node::RangeSubselect(query)) => self.tree_query(&mut query.subquery),
            Some(Node::RangeFunction(function)) => {
                for pair in &mut function.functions {
                    // The call, and its column definitions, which name types only.
                    let Some(Node::List(pair)) = &mut pair.node else {
                        return Err(unknown("RangeFunction"));
                    };
                    let call = pair.items.first_mut().ok_or_else(|| unknown("RangeFunction"))?;
                    self.tree_expression(call)?;
                }
                Ok(())
            }
            Some(Node::RangeTableFunc(table)) => {
                self.tree_optional(&mut table.docexpr)?;
                self.tree_optional(&mut table.rowexpr)?;
                self.tree_all(&mut table.namespaces)?;
                for column in &mut table.columns {
                    let Some(Node::RangeTableFuncCol(column)) = &mut column.node else {
                        return Err(unknown("RangeTableFuncCol"));
                    };
                    self.tree_optional(&mut column.colexpr)?;
                    self.tree_optional(&mut column.coldefexpr)?;
                }
                Ok(())
            }
            _ => Err(unknown("FROM")),
        }
    }
}

fn opaque(alias: Option<&Alias>, items: &mut Vec<Item>) {
    items.extend(alias.map(|alias| Item::opaque(alias.aliasname.clone())));
}

/// `TABLESAMPLE`, made here of a method of PostgreSQL's own and plain numbers.
fn clause(
    method: &[protobuf::Node],
    arguments: &[protobuf::Node],
    repeatable: Option<&protobuf::Node>,
) -> Result<String, Refusal> {
    let method = strings(method).unwrap_or_default();
    let method = match method.last().map(String::as_str) {
        Some("bernoulli") => "bernoulli",
        Some("system") => "system",
        _ => return Err(unknown("RangeTableSample")),
    };
    let [share] = arguments else { return Err(unknown("RangeTableSample")) };
    let seed = match repeatable {
        Some(seed) => format!(" REPEATABLE ({})", number(seed)?),
        None => String::new(),
    };
    Ok(format!("TABLESAMPLE pg_catalog.{method} ({}){seed}", number(share)?))
}

fn number(node: &protobuf::Node) -> Result<String, Refusal> {
    use protobuf::a_const::Val;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match &node.node {
        Some(Node::AConst(constant)) => match &constant.val {
            Some(Val::Ival(integer)) if integer.ival >= 0 => Ok(integer.ival.to_string()),
            Some(Val::Fval(float)) if !float.fval.is_empty() && plain(&float.fval) => {
                Ok(float.fval.clone())
            }
            _ => Err(Refusal::not_understood("TABLESAMPLE takes a plain number here")),
        },
        _ => Err(Refusal::not_understood("TABLESAMPLE takes a plain number here")),
    }
}
