//! Masked columns that do nothing in a statement but travel from their table to its result.
//!
//! Such a column may come as it is and be masked on its way to the client, which is much cheaper in bulk. The proof is by
//! names, on PostgreSQL's own tree of the text with holes: the statement is a plain SELECT, the hole stands in its own FROM,
//! and the column's name occurs nowhere but as a plain item, or by a star, of its own select list. To see that, those
//! items are taken out of the tree, and the rest is proven once more: what it mentions then is mentioned elsewhere.
//!
//! Trusts the rewriter no more than the verifier does. Where anything is in doubt there are no such columns, and the masks
//! are in SQL. Before a row passes, the server's own description must name the very columns at the very places.

use std::collections::BTreeSet;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::Speaker;
use super::hole::{Content, HOLE_SCHEMA, Hole};
use super::rewrite::Rewritten;
use super::verify::WithHoles;
use crate::grammar::{ColumnUse, prove};
use crate::policy::{ColumnAccess, ColumnVerdict, RawColumn, Template, WireMasks};

/// The columns that travel.
pub(super) struct Travelling {
    /// Of each hole, by name.
    pub(super) raw: Vec<BTreeSet<String>>,
    /// What the result looks like, and the masks.
    pub(super) masks: WireMasks,
}

/// An item of the select list.
enum Item {
    /// A column, and what the result calls it.
    Column { column: ColumnUse, output: String },
    /// `*`, `c.*`
    Star { alias: Option<String> },
    /// Anything else.
    Other,
}

/// What stands in FROM: a hole by its number and the alias it has, or something whose columns are not known here.
enum Leaf {
    Hole { index: usize, alias: String },
    Unknown,
}

/// A column of a hole: the number of the hole, and its name.
type Place = (usize, String);

/// The columns of a proven statement that travel; `None`: there are none.
pub(super) fn of(
    statement: &protobuf::RawStmt,
    rewritten: &Rewritten,
    speaker: Speaker<'_>,
) -> Option<Travelling> {
    let select = match statement.stmt.as_ref().and_then(|node| node.node.as_ref()) {
        Some(Node::SelectStmt(select)) if is_plain(select) => select,
        _ => return None,
    };
    let mut leaves = Vec::new();
    select.from_clause.iter().try_for_each(|item| leaf(item, &mut leaves))?;
    let from = From { holes: &rewritten.holes, leaves };
    if !from.has_candidates() {
        return None;
    }
    let mut rest = statement.clone();
    let Some(Node::SelectStmt(select)) = rest.stmt.as_mut().and_then(|node| node.node.as_mut())
    else {
        return None;
    };
    let items: Vec<Item> = select.target_list.iter_mut().map(take_out).collect();
    let sorted = Sorted::of(&select.sort_clause)?;
    let terms = WithHoles { speaker, holes: rewritten.holes.len(), open: &rewritten.open };
    let mut mentions = prove(&rest, &terms).ok()?.columns;
    let result = from.result(&items)?;
    for (item, places) in items.iter().zip(&result) {
        // What is not known to be a column of a hole may be anything.
        if let (Item::Column { column, .. }, [None]) = (item, &**places) {
            mentions.insert(column.clone());
        }
    }
    for (item, places) in items.iter().zip(&result) {
        if let Item::Column { output, .. } = item
            && sorted.names.contains(output)
        {
            mentions.extend(places.iter().flatten().map(|(_, name)| bare(name)));
        }
    }
    let positions: Vec<&Option<Place>> = result.iter().flatten().collect();
    for number in sorted.numbers {
        let place = positions.get(number.checked_sub(1)?)?;
        mentions.extend(place.iter().map(|(_, name)| bare(name)));
    }
    from.travelling(&positions, &mentions)
}

/// No set operation, DISTINCT, grouping or INTO.
fn is_plain(select: &protobuf::SelectStmt) -> bool {
    let protobuf::SelectStmt {
        distinct_clause,
        into_clause,
        target_list: _,
        from_clause: _,
        where_clause: _,
        group_clause,
        group_distinct,
        having_clause,
        window_clause: _,
        values_lists,
        sort_clause: _,
        limit_offset: _,
        limit_count: _,
        limit_option: _,
        locking_clause: _,
        with_clause: _,
        op,
        all,
        larg,
        rarg,
    } = select;
    distinct_clause.is_empty()
        && into_clause.is_none()
        && group_clause.is_empty()
        && !group_distinct
        && having_clause.is_none()
        && values_lists.is_empty()
        && protobuf::SetOperation::try_from(*op) == Ok(protobuf::SetOperation::SetopNone)
        && !all
        && larg.is_none()
        && rarg.is_none()
}

/// What stands in FROM, from left to right. `None` where columns of several are one, or have another name.
fn leaf(item: &protobuf::Node, leaves: &mut Vec<Leaf>) -> Option<()> {
    match &item.node {
        Some(Node::JoinExpr(join)) => {
            let is_plain = !join.is_natural
                && join.using_clause.is_empty()
                && join.join_using_alias.is_none()
                && join.alias.is_none();
            leaf(join.larg.as_deref().filter(|_| is_plain)?, leaves)?;
            leaf(join.rarg.as_deref()?, leaves)
        }
        Some(Node::RangeVar(relation)) if relation.schemaname == HOLE_SCHEMA => {
            let alias = relation.alias.as_ref().filter(|alias| alias.colnames.is_empty())?;
            let index = relation.relname.parse().ok()?;
            leaves.push(Leaf::Hole { index, alias: alias.aliasname.clone() });
            Some(())
        }
        _ => {
            leaves.push(Leaf::Unknown);
            Some(())
        }
    }
}

/// Reads an item of the select list. Where it is a plain column or a star, NULL stands in its place afterwards.
fn take_out(target: &mut protobuf::Node) -> Item {
    let Some(Node::ResTarget(target)) = &mut target.node else { return Item::Other };
    let value = target.val.as_deref_mut().filter(|_| target.indirection.is_empty());
    let Some(value) = value else { return Item::Other };
    let Some(Node::ColumnRef(column)) = &value.node else { return Item::Other };
    let (qualifier, last) = match &column.fields[..] {
        [last] => (None, last),
        [qualifier, last] => match &qualifier.node {
            Some(Node::String(qualifier)) => (Some(qualifier.sval.clone()), last),
            _ => return Item::Other,
        },
        _ => return Item::Other,
    };
    let item = match &last.node {
        Some(Node::String(name)) => {
            let name = name.sval.clone();
            let output = if target.name.is_empty() { name.clone() } else { target.name.clone() };
            Item::Column { column: ColumnUse { qualifier, name }, output }
        }
        Some(Node::AStar(_)) => Item::Star { alias: qualifier },
        _ => return Item::Other,
    };
    value.node = Some(Node::AConst(protobuf::AConst { isnull: true, location: 0, val: None }));
    item
}

/// By what the result is sorted, where that may be an item of the select list: by its name or its position, from 1.
#[derive(Default)]
struct Sorted {
    names: BTreeSet<String>,
    numbers: Vec<usize>,
}

impl Sorted {
    /// `None` where it is not understood. <https://www.postgresql.org/docs/current/queries-order.html>
    fn of(clause: &[protobuf::Node]) -> Option<Sorted> {
        let mut sorted = Sorted::default();
        for key in clause {
            let Some(Node::SortBy(key)) = &key.node else { return None };
            match key.node.as_ref().and_then(|node| node.node.as_ref())? {
                Node::AConst(constant) => match &constant.val {
                    Some(protobuf::a_const::Val::Ival(number)) => {
                        sorted.numbers.push(usize::try_from(number.ival).ok()?);
                    }
                    _ => return None,
                },
                Node::ColumnRef(column) => {
                    if let [field] = &column.fields[..]
                        && let Some(Node::String(name)) = &field.node
                    {
                        sorted.names.insert(name.sval.clone());
                    }
                }
                // In an expression, names are those of columns in FROM.
                _ => {}
            }
        }
        Some(sorted)
    }
}

/// The FROM clause of the statement.
struct From<'a> {
    holes: &'a [Hole],
    leaves: Vec<Leaf>,
}

impl From<'_> {
    fn hole(&self, index: usize) -> Option<&Hole> {
        self.holes.get(index)
    }

    /// The template of a hole that stands for a table.
    fn template(&self, index: usize) -> Option<&Template> {
        match &self.hole(index)?.content {
            Content::Masked(template) => Some(template),
            Content::View(..) | Content::System { .. } | Content::Temporary { .. } => None,
        }
    }

    fn has_candidates(&self) -> bool {
        self.leaves.iter().any(|leaf| match leaf {
            Leaf::Hole { index, .. } => self.template(*index).is_some_and(|template| {
                template.columns.iter().any(|column| template.wire_mask(&column.name).is_some())
            }),
            Leaf::Unknown => false,
        })
    }

    fn named<'s>(&'s self, alias: &'s str) -> impl Iterator<Item = usize> + 's {
        self.leaves.iter().filter_map(move |leaf| match leaf {
            Leaf::Hole { index, alias: own } if own == alias => Some(*index),
            Leaf::Hole { .. } | Leaf::Unknown => None,
        })
    }

    /// The columns of the result, item by item: which column of a hole each is, if it is one. `None` where it is not known
    /// how many there are.
    fn result(&self, items: &[Item]) -> Option<Vec<Vec<Option<Place>>>> {
        items
            .iter()
            .map(|item| match item {
                Item::Other => Some(vec![None]),
                Item::Column { column, .. } => Some(vec![self.place(column)]),
                Item::Star { alias: Some(alias) } => {
                    let mut named = self.named(alias);
                    match (named.next(), named.next()) {
                        (Some(index), None) => self.all_of(index),
                        _ => None,
                    }
                }
                Item::Star { alias: None } => {
                    let all = self.leaves.iter().map(|leaf| match leaf {
                        Leaf::Hole { index, .. } => self.all_of(*index),
                        Leaf::Unknown => None,
                    });
                    Some(all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
                }
            })
            .collect()
    }

    /// All columns of a hole, as a star gives them.
    fn all_of(&self, index: usize) -> Option<Vec<Option<Place>>> {
        let hole = self.hole(index).filter(|hole| hole.system_columns.is_empty())?;
        let columns = hole.content.columns()?.iter().filter(|column| is_visible(column));
        Some(columns.map(|column| Some((index, column.name.clone()))).collect())
    }

    /// The hole that a column is of.
    fn place(&self, column: &ColumnUse) -> Option<Place> {
        let has = |index: &usize| {
            let columns = self.hole(*index).and_then(|hole| hole.content.columns());
            columns.is_some_and(|columns| {
                columns.iter().any(|own| is_visible(own) && own.name == column.name)
            })
        };
        let mut found: Vec<usize> = match &column.qualifier {
            Some(alias) => self.named(alias).collect(),
            None => self
                .leaves
                .iter()
                .filter_map(|leaf| match leaf {
                    Leaf::Hole { index, .. } => Some(*index),
                    Leaf::Unknown => None,
                })
                .collect(),
        };
        found.retain(has);
        match found[..] {
            [index] => Some((index, column.name.clone())),
            _ => None,
        }
    }

    /// Those columns of the result whose names are not mentioned elsewhere, and whose rows are not.
    fn travelling(
        &self,
        positions: &[&Option<Place>],
        mentions: &BTreeSet<ColumnUse>,
    ) -> Option<Travelling> {
        let mut raw = vec![BTreeSet::new(); self.holes.len()];
        let mut columns = Vec::new();
        for (position, place) in positions.iter().enumerate() {
            let Some((index, name)) = place else { continue };
            let Some(template) = self.template(*index) else { continue };
            let Some(mask) = template.wire_mask(name) else { continue };
            let is_mentioned = mentions.iter().any(|column| column.name == *name);
            if is_mentioned || self.is_whole_mentioned(*index, mentions) {
                continue;
            }
            let number = template.columns.iter().find(|column| column.name == *name)?.number;
            let (table, mask) = (template.oid, mask.clone());
            columns.push(RawColumn { position, table, number, mask });
            raw.get_mut(*index)?.insert(name.clone());
        }
        let masks = WireMasks { width: positions.len(), columns };
        (!masks.columns.is_empty()).then_some(Travelling { raw, masks })
    }

    /// True where the row of a hole may be meant as a whole: by a star, by its alias, or by what is written as a column of
    /// it and is none.
    fn is_whole_mentioned(&self, index: usize, mentions: &BTreeSet<ColumnUse>) -> bool {
        let mut aliases = self.leaves.iter().filter_map(|leaf| match leaf {
            Leaf::Hole { index: own, alias } if *own == index => Some(alias),
            Leaf::Hole { .. } | Leaf::Unknown => None,
        });
        // Not once: by two aliases, or none.
        let (Some(alias), None) = (aliases.next(), aliases.next()) else { return true };
        let Some(hole) = self.hole(index) else { return true };
        let has = |name: &str| {
            let columns = hole.content.columns().unwrap_or_default();
            columns.iter().any(|own| is_visible(own) && own.name == name)
                || hole.system_columns.contains(&name)
        };
        mentions.iter().any(|column| match &column.qualifier {
            None => column.name == "*" || column.name == *alias,
            Some(qualifier) if qualifier == alias => !has(&column.name),
            Some(_) => false,
        })
    }
}

fn is_visible(column: &ColumnAccess) -> bool {
    column.verdict != ColumnVerdict::Hidden
}

fn bare(name: &str) -> ColumnUse {
    ColumnUse { qualifier: None, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::catalog::SearchPath;
    use crate::sql::tests::{RULES, view_with};
    use crate::sql::{Speaker, plan};

    /// Positions from 0 of what is masked on its way, and what is sent.
    fn travelling(text: &str) -> (Vec<usize>, String) {
        let rules =
            RULES.replace("contact.email: 'null'", "contact.email: email, person.name: name");
        let view = view_with(&rules);
        let path = SearchPath::parse("public").unwrap();
        let speaker = Speaker::new(&view, &path, "kim", false).masking_on_the_wire(true);
        let planned = plan(text, speaker).unwrap_or_else(|found| panic!("{text}: {found:?}"));
        let [statement] = &planned.statements[..] else { panic!("{text}") };
        let masks = statement.masks.iter().flat_map(|masks| &masks.columns);
        (masks.map(|raw| raw.position).collect(), statement.sql.as_str().to_owned())
    }

    #[test]
    fn what_does_nothing_but_travel_is_masked_on_its_way() {
        for (text, expected) in [
            ("SELECT id, email FROM customers", &[1][..]),
            ("SELECT email, id, email, name AS n FROM customers", &[0, 2, 3]),
            ("SELECT * FROM customers", &[1, 2]),
            ("SELECT c.*, c.email FROM customers c ORDER BY id LIMIT 5 OFFSET 2", &[1, 2, 3]),
            (
                "SELECT a.email, b.* FROM customers a LEFT JOIN customers b ON a.id = b.id",
                &[0, 2, 3],
            ),
            ("SELECT upper(name), email FROM customers WHERE name LIKE 'K%'", &[1]),
            (
                "SELECT email, p.title FROM customers c, products p WHERE c.id = p.id FOR UPDATE",
                &[0],
            ),
            ("WITH p AS (SELECT id FROM products) SELECT c.email FROM customers c, p", &[0]),
            (
                "SELECT email FROM customers c WHERE EXISTS (SELECT 1 FROM products p WHERE p.id = c.id)",
                &[0],
            ),
            ("SELECT email, row_number() OVER (ORDER BY id) FROM customers", &[0]),
            ("SELECT name, email FROM customers ORDER BY 2", &[0]),
            ("SELECT email AS e, name FROM customers ORDER BY e", &[1]),
            ("SELECT email AS e, name FROM customers ORDER BY id, e DESC NULLS LAST", &[1]),
        ] {
            assert_eq!(travelling(text).0, expected, "{text}");
        }
    }

    #[test]
    fn whatever_else_is_done_is_done_to_the_mask() {
        for text in [
            "SELECT DISTINCT email FROM customers",
            "SELECT email FROM customers GROUP BY email",
            "SELECT email FROM customers UNION ALL SELECT email FROM customers",
            "SELECT email FROM customers WHERE email LIKE 'k%'",
            "SELECT email FROM customers ORDER BY email",
            "SELECT email FROM customers ORDER BY 1",
            "SELECT email AS id2 FROM customers ORDER BY id2",
            "SELECT email FROM customers ORDER BY lower(email)",
            "SELECT email, name FROM customers ORDER BY length(email), 2",
            "SELECT c.email FROM customers c JOIN customers d USING (email)",
            "SELECT c.email FROM customers c NATURAL JOIN products",
            "SELECT j.email FROM (customers c JOIN products p ON c.id = p.id) AS j",
            "SELECT c.email FROM customers c WHERE c IS NOT NULL",
            "SELECT c.email, c FROM customers c",
            "SELECT c.email, c.*::text FROM customers c",
            "SELECT c.email, row_to_json(c) FROM customers c",
            "SELECT c.email, ROW(c.*) FROM customers c",
            "SELECT c.email, (SELECT max(c.email)) FROM customers c",
            "SELECT e FROM customers AS c(i, e)",
            "SELECT email FROM (SELECT email FROM customers) s",
            "SELECT email FROM (SELECT * FROM customers) s",
            "WITH s AS (SELECT * FROM customers) SELECT email FROM s",
            "SELECT (SELECT email FROM customers LIMIT 1)",
            "SELECT email || '' FROM customers",
            "SELECT count(email) FROM customers",
            "SELECT email::text FROM customers",
            "SELECT email COLLATE \"C\" FROM customers",
            "SELECT (c).email FROM customers c",
            "SELECT first_value(email) OVER (ORDER BY id), email FROM customers",
            "SELECT email FROM customers, LATERAL (SELECT email AS x) l",
            "SELECT *, email FROM customers, products",
            "VALUES (1)",
            "SELECT id FROM customers",
            "DECLARE c CURSOR FOR SELECT email FROM customers",
            "PREPARE p AS SELECT email FROM customers",
            "COPY customers (id, email) TO STDOUT",
            "COPY (SELECT email FROM customers) TO STDOUT",
        ] {
            let (positions, sent) = travelling(text);
            let is_name_left = text.contains("email, name FROM") && positions == [1];
            assert!(positions.is_empty() || is_name_left, "{text}: {positions:?} in {sent}");
        }
    }

    #[test]
    fn what_is_raw_is_in_the_templates_of_its_hole_only() {
        let (_, sent) = travelling(
            "SELECT a.email FROM customers a WHERE a.id IN (SELECT id FROM customers b WHERE b.name = 'x')",
        );
        let raw = "SELECT a.email FROM (SELECT customers.id, customers.email, CAST(";
        assert!(sent.starts_with(raw), "{sent}");
        assert!(sent.contains("END AS text) AS email"), "{sent}");
    }
}
