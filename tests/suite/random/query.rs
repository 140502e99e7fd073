//! Queries: SELECT in its forms, set operations, WITH.

use super::productions::{AGGREGATES, Production, WINDOWS};
use super::schema::Sort;
use super::tree::{Sql, fill, list, maybe, text};
use super::writer::{Cte, Seen, Writer, as_key};
use crate::harness::server_version;

const SORTS: &[Sort] = &[
    Sort::Text,
    Sort::Text,
    Sort::Text,
    Sort::Int,
    Sort::Int,
    Sort::Num,
    Sort::Num,
    Sort::Bool,
    Sort::Date,
    Sort::StampTz,
    Sort::Stamp,
    Sort::Float,
    Sort::Span,
    Sort::Json,
    Sort::Array,
    Sort::Other,
];

impl Writer<'_> {
    /// A query without an order of its own, and its columns. `want`: the sorts that its columns must have.
    pub fn query(&mut self, depth: usize, want: Option<&[Sort]>) -> (Sql, Vec<Seen>) {
        let outside = self.scopes.len();
        let ctes = self.ctes.len();
        let made = match self.dice.roll(14) {
            0 | 1 if depth > 0 => self.set_operation(depth - 1, want),
            2 | 3 if depth > 0 && want.is_none() => self.with(depth - 1),
            4..=6 if want.is_none() => self.grouped(),
            7 if want.is_none() => self.windowed(),
            8 if want.is_none() => self.distinct_on(),
            9 if want.is_none() => self.by_primary_key(),
            _ => self.plain(want),
        };
        self.scopes.truncate(outside);
        self.ctes.truncate(ctes);
        made
    }

    fn sorts(&mut self) -> Vec<Sort> {
        (0..=self.dice.roll(3)).map(|_| *self.dice.pick(SORTS)).collect()
    }

    fn condition(&mut self) -> Sql {
        let condition = self.expression(Sort::Bool, 3);
        maybe(fill(" WHERE {}", vec![condition]))
    }

    fn plain(&mut self, want: Option<&[Sort]>) -> (Sql, Vec<Seen>) {
        let from = self.from(3);
        let distinct = want.is_none() && self.dice.one_in(6);
        let sorts = want.map_or_else(|| self.sorts(), <[Sort]>::to_vec);
        let mut items = Vec::new();
        let mut columns = Vec::new();
        for (index, sort) in sorts.into_iter().enumerate() {
            let value = self.expression(sort, 3);
            let keyed = distinct || want.is_some();
            let (value, sort) = if keyed { as_key(value, sort) } else { (value, sort) };
            items.push(fill(&format!("{{}} AS c{index}"), vec![value]));
            columns.push(Seen::new(format!("c{index}"), sort));
        }
        if want.is_none() && !distinct {
            self.extra_items(&mut items);
        }
        let least = if want.is_some() { items.len() } else { 1 };
        let distinct = if distinct { "DISTINCT " } else { "" };
        let condition = if self.dice.one_in(3) { text("") } else { self.condition() };
        let template = format!("SELECT {distinct}{{}} FROM {{}}{{}}");
        (fill(&template, vec![list(items, least), from, condition]), columns)
    }

    /// Stars and whole rows, which have no names to be used outside.
    fn extra_items(&mut self, items: &mut Vec<Sql>) {
        let scope = self.scopes.last().cloned().unwrap_or_default();
        let source = self.dice.pick(&scope).clone();
        let alias = &source.alias;
        let item = match self.dice.roll(16) {
            0 => format!("{alias}.*"),
            1 => "*".into(),
            2 => format!("({alias}.*)::text AS whole"),
            3 | 4 if source.renamed => return,
            3 => format!("row_to_json({alias}.*) AS whole"),
            4 => format!("to_jsonb({alias}.*) - 'c0' AS whole"),
            5 => format!("({alias}.*) IS NULL AS whole"),
            6 => match &source.qualified {
                Some(name) => format!("{name}.*"),
                None => return,
            },
            _ => return,
        };
        items.push(text(item));
    }

    fn grouped(&mut self) -> (Sql, Vec<Seen>) {
        let from = self.from(2);
        let mut items = Vec::new();
        let mut columns = Vec::new();
        let mut keys = Vec::new();
        for index in 0..self.dice.roll(3) {
            let sort = *self.dice.pick(&[Sort::Text, Sort::Int, Sort::Bool, Sort::Date, Sort::Num]);
            let (key, sort) = self.key(sort, 2);
            // By its place in the list, since equal expressions are not always known to be equal.
            keys.push((index + 1).to_string());
            items.push(fill(&format!("{{}} AS k{index}"), vec![key]));
            columns.push(Seen::new(format!("k{index}"), sort));
        }
        let least = items.len() + 1;
        for index in 0..=self.dice.roll(2) {
            let (aggregate, sort) = self.one_of(AGGREGATES);
            let filter = if self.dice.one_in(5) {
                let condition = self.expression(Sort::Bool, 1);
                maybe(fill(" FILTER (WHERE {})", vec![condition]))
            } else {
                text("")
            };
            items.push(fill(&format!("{{}}{{}} AS s{index}"), vec![aggregate, filter]));
            if index == 0 {
                columns.push(Seen::new("s0", sort));
            }
        }
        let condition = self.condition();
        let keys = match (keys.len(), self.dice.roll(8)) {
            (0, _) => String::new(),
            (2, 0) => {
                let (a, b) = (&keys[0], &keys[1]);
                format!(" GROUP BY GROUPING SETS (({a}), ({b}), ())")
            }
            (_, 1) => format!(" GROUP BY ROLLUP ({})", keys.join(", ")),
            (_, 2) => format!(" GROUP BY CUBE ({})", keys.join(", ")),
            _ => format!(" GROUP BY {}", keys.join(", ")),
        };
        // An ordinal inside GROUPING SETS is a constant; there the names do.
        let keys = match keys.contains('(') {
            true => named_keys(&keys),
            false => keys,
        };
        let having = if self.dice.one_in(3) {
            let (aggregate, sort) = self.one_of(AGGREGATES);
            match sort {
                Sort::Bool => maybe(fill(" HAVING {}", vec![aggregate])),
                _ => maybe(fill(" HAVING {} IS NOT NULL", vec![aggregate])),
            }
        } else {
            text("")
        };
        let template = format!("SELECT {{}} FROM {{}}{{}}{keys}{{}}");
        (fill(&template, vec![list(items, least), from, condition, having]), columns)
    }

    fn one_of(&mut self, from: &[Production]) -> (Sql, Sort) {
        let (sort, template, holes) = *self.dice.pick(from);
        let parts: Vec<Sql> = holes.iter().map(|sort| self.expression(*sort, 2)).collect();
        if template.contains("{0}") {
            let part = parts.first().map(ToString::to_string).unwrap_or_default();
            return (text(template.replace("{0}", &part)), sort);
        }
        (fill(template, parts), sort)
    }

    /// Other columns of a table stand ungrouped beside its primary key.
    fn by_primary_key(&mut self) -> (Sql, Vec<Seen>) {
        let from = self.from(2);
        let scope = self.scopes.last().cloned().unwrap_or_default();
        let Some(source) = scope.iter().find(|source| {
            let has = |name: &String| source.columns.iter().any(|column| column.name == *name);
            !source.primary_key.is_empty() && source.primary_key.iter().all(has)
        }) else {
            return (
                fill("SELECT count(*) AS c0 FROM {}", vec![from]),
                vec![Seen::new("c0", Sort::Int)],
            );
        };
        let keys: Vec<String> =
            source.primary_key.iter().map(|name| format!("{}.{name}", source.alias)).collect();
        let mut items = vec![fill("count(*) AS c0", Vec::new())];
        for index in 0..=self.dice.roll(3) {
            let column = self.dice.pick(&source.columns).clone();
            // `json` has no equality, so it cannot be put back among the groups: a limit that README names.
            if column.sort == Sort::Other {
                continue;
            }
            let text_of = format!("{}.{}", source.alias, column.name);
            items.push(text(format!("{text_of} AS d{index}")));
        }
        let (aggregate, _) = self.one_of(AGGREGATES);
        items.push(aggregate);
        let condition = self.condition();
        let template = format!("SELECT {{}} FROM {{}}{{}} GROUP BY {}", keys.join(", "));
        let columns = vec![Seen::new("c0", Sort::Int)];
        (fill(&template, vec![list(items, 1), from, condition]), columns)
    }

    fn windowed(&mut self) -> (Sql, Vec<Seen>) {
        let from = self.from(2);
        let order = self.whole_rows();
        let mut items = Vec::new();
        let mut columns = Vec::new();
        let named = self.dice.one_in(4);
        for index in 0..=self.dice.roll(2) {
            let (call, sort) = self.one_of(WINDOWS);
            let by = self.dice_sort();
            let (partition, _) = self.key(by, 1);
            let direction = if self.dice.one_in(3) { " DESC" } else { "" };
            let frame = *self.dice.pick(&[
                "",
                " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                " GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE TIES",
                " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
            ]);
            let partition = maybe(fill("PARTITION BY {} ", vec![partition]));
            let over = match named {
                true => "{} OVER (w{})".to_owned(),
                false => format!("{{}} OVER ({{}}ORDER BY {order}{direction}{frame})"),
            };
            let partition = if named { text("") } else { partition };
            items.push(fill(&format!("{over} AS w{index}"), vec![call, partition]));
            columns.push(Seen::new(format!("w{index}"), sort));
        }
        let value = self.expression(Sort::Text, 2);
        items.push(fill("{} AS c9", vec![value]));
        let condition = self.condition();
        let window = if named { format!(" WINDOW w AS (ORDER BY {order})") } else { String::new() };
        let template = format!("SELECT {{}} FROM {{}}{{}}{window}");
        (fill(&template, vec![list(items, 1), from, condition]), columns)
    }

    fn dice_sort(&mut self) -> Sort {
        *self.dice.pick(&[Sort::Text, Sort::Int, Sort::Bool, Sort::Date])
    }

    fn distinct_on(&mut self) -> (Sql, Vec<Seen>) {
        let from = self.from(2);
        let by = self.dice_sort();
        let (key, sort) = self.key(by, 2);
        let key = text(key.to_string());
        let value = self.expression(Sort::Text, 2);
        let (order, condition) = (self.whole_rows(), self.condition());
        let template = format!(
            "SELECT DISTINCT ON (({{}})) {{}} AS c0, {{}} AS c1 FROM {{}}{{}} ORDER BY ({{}}), {order}"
        );
        let parts = vec![key.clone(), key.clone(), value, from, condition, key];
        (fill(&template, parts), vec![Seen::new("c0", sort), Seen::new("c1", Sort::Text)])
    }

    fn set_operation(&mut self, depth: usize, want: Option<&[Sort]>) -> (Sql, Vec<Seen>) {
        let sorts: Vec<Sort> = match want {
            Some(sorts) => sorts.to_vec(),
            None => (0..=self.dice.roll(2)).map(|_| self.dice_sort()).collect(),
        };
        let (left, columns) = self.query(depth, Some(&sorts));
        let (right, _) = self.query(0, Some(&sorts));
        let operator = *self.dice.pick(&[
            "UNION",
            "UNION ALL",
            "EXCEPT",
            "INTERSECT",
            "EXCEPT ALL",
            "INTERSECT ALL",
        ]);
        let both = fill(&format!("({{}}) {operator} ({{}})"), vec![left.clone(), right.clone()]);
        (Sql::Or(Box::new(both), vec![left, right]), columns)
    }

    fn with(&mut self, depth: usize) -> (Sql, Vec<Seen>) {
        let mut expressions = Vec::new();
        let recursive = self.dice.one_in(3);
        if recursive {
            let start = self.expression(Sort::Text, 1);
            let name = self.fresh("r");
            let tail = *self.dice.pick(&[
                "",
                " SEARCH DEPTH FIRST BY n SET path",
                " CYCLE n SET looped USING seen",
            ]);
            let tail = if server_version() < 14 { "" } else { tail };
            expressions.push(fill(
                &format!(
                    "{name}(n, t) AS (SELECT 1, {{}} UNION ALL SELECT n + 1, left(t || n, 9) FROM {name} \
                     WHERE n < 5){tail}"
                ),
                vec![start],
            ));
            let columns = vec![Seen::new("n", Sort::Int), Seen::new("t", Sort::Text)];
            self.ctes.push(Cte { name, columns });
        }
        for _ in 0..=self.dice.roll(2) {
            let (query, columns) = self.query(depth.min(1), None);
            // A name of a table now and then: the expression hides it.
            let name = match self.dice.one_in(4) && !self.ctes.iter().any(|c| c.name == "tickets") {
                true => "tickets".to_owned(),
                false => self.fresh("q"),
            };
            let how = *self.dice.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            expressions.push(fill(&format!("{name} AS {how}({{}})"), vec![query]));
            self.ctes.push(Cte { name, columns });
        }
        let (main, columns) = self.query(0, None);
        let word = if recursive { "WITH RECURSIVE" } else { "WITH" };
        (fill(&format!("{word} {{}} {{}}"), vec![list(expressions, 1), main]), columns)
    }
}

/// Ordinals as the output names that [`Writer::grouped`] gives them; none is a column of the sample.
fn named_keys(keys: &str) -> String {
    keys.replace('1', "k0").replace('2', "k1")
}
