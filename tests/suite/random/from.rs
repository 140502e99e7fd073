//! FROM: tables under all the names they can have, sub-selects, VALUES, functions, and joins of them.

use super::schema::Sort;
use super::tree::{Sql, fill, maybe, text};
use super::writer::{Seen, Source, Writer};
use crate::harness::server_version;

/// Names of tables and words that an alias may shadow.
const SHADOWS: &[&str] = &["orders", "customers", "products", "\"select\"", "persons", "\"A b\""];

impl Writer<'_> {
    /// A FROM clause of at most so many items; what it shows becomes the innermost scope.
    pub fn from(&mut self, items: usize) -> Sql {
        self.scopes.push(Vec::new());
        let (mut sql, first) = self.item(false);
        self.see(first);
        for _ in 1..=self.dice.roll(items) {
            let joined = self.join();
            sql = Sql::All(vec![sql, maybe(joined)]);
        }
        sql
    }

    fn see(&mut self, source: Source) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(source);
        }
    }

    fn join(&mut self) -> Sql {
        let lateral = self.dice.one_in(6);
        if lateral {
            let (right, source) = self.sub_select(true);
            self.see(source);
            return match self.dice.roll(3) {
                0 => fill(", LATERAL {}", vec![right]),
                1 => fill(" LEFT JOIN LATERAL {} ON true", vec![right]),
                _ => fill(" CROSS JOIN LATERAL {}", vec![right]),
            };
        }
        let (right, source) = self.item(true);
        let left: Vec<Source> = self.scopes.last().cloned().unwrap_or_default();
        let kind = *self.dice.pick(&[
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT OUTER JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
        ]);
        // USING where exactly one on the left, and the right, have the column.
        let shared = ["id", "customer_id", "code"].into_iter().find(|name| {
            let has = |source: &Source| source.columns.iter().any(|column| column.name == *name);
            left.iter().filter(|source| has(source)).count() == 1 && has(&source)
        });
        let sql = match shared {
            Some(name) if self.dice.one_in(4) => {
                let alias = self.dice.one_in(4) && server_version() >= 14;
                let alias = if alias { " AS u" } else { "" };
                fill(&format!(" {kind} {{}} USING ({name}){alias}"), vec![right])
            }
            _ => {
                let one = self.join_key(&left);
                let other = self.join_key(std::slice::from_ref(&source));
                let keyed = one != "1" && other != "1";
                let kind = if keyed { kind } else { "JOIN" };
                fill(&format!(" {kind} {{}} ON {one} = {other}"), vec![right])
            }
        };
        self.see(source);
        sql
    }

    /// A number that makes joins small: keys if there are any.
    fn join_key(&mut self, sources: &[Source]) -> String {
        let mut keys = Vec::new();
        let mut numbers = Vec::new();
        for source in sources {
            for column in source.columns.iter().filter(|column| column.sort == Sort::Int) {
                let name = format!("{}.{}", source.alias, column.name);
                match column.name.as_str() {
                    "id" | "customer_id" | "order_id" | "ticket_id" => keys.push(name),
                    _ => numbers.push(name),
                }
            }
        }
        let from = if keys.is_empty() { numbers } else { keys };
        if from.is_empty() { "1".into() } else { self.dice.pick(&from).clone() }
    }

    fn item(&mut self, may_nest: bool) -> (Sql, Source) {
        match self.dice.roll(12) {
            0 if self.budget > 0 => self.sub_select(false),
            1 => self.values(),
            2 => {
                let alias = self.fresh("g");
                let columns = vec![Seen::new("n", Sort::Int), Seen::new("o", Sort::Int)];
                let sql = format!("generate_series(1, 4) WITH ORDINALITY AS {alias}(n, o)");
                (text(sql), plain(alias, columns))
            }
            3 => {
                let alias = self.fresh("g");
                let sql = format!("unnest(ARRAY['a', 'K***', NULL]) AS {alias}(t)");
                (text(sql), plain(alias, vec![Seen::new("t", Sort::Text)]))
            }
            4 | 5 if !self.ctes.is_empty() => {
                let cte = self.dice.pick(&self.ctes).clone();
                let alias = self.fresh("w");
                (text(format!("{} AS {alias}", cte.name)), plain(alias, cte.columns))
            }
            6 if may_nest && self.budget > 0 => self.nested_join(),
            _ => self.table(),
        }
    }

    /// `(a JOIN b ON …) AS j` hides what it joins.
    fn nested_join(&mut self) -> (Sql, Source) {
        self.budget -= 1;
        let (alias, left, right) = (self.fresh("j"), self.fresh("l"), self.fresh("r"));
        let sql = format!(
            "(tickets AS {left}(a) JOIN messages AS {right}(x, y) ON {left}.a = {right}.y) AS {alias}"
        );
        let columns = vec![
            Seen::new("a", Sort::Int),
            Seen::new("y", Sort::Int),
            Seen::new("body", Sort::Text),
        ];
        (text(sql), plain(alias, columns))
    }

    fn table(&mut self) -> (Sql, Source) {
        let table = self.dice.pick(self.tables).clone();
        let only = if table.has_children && self.dice.one_in(4) { "ONLY " } else { "" };
        let schema = if table.schema == "public" && !self.dice.one_in(3) {
            String::new()
        } else {
            format!("{}.", table.schema)
        };
        let name = format!("{only}{schema}{}", table.name);
        let taken = |writer: &Self, alias: &str| {
            writer.scopes.iter().flatten().any(|source| source.alias == alias)
        };
        let unaliased = self.dice.one_in(5) && !taken(self, &table.name);
        let mut columns: Vec<Seen> = table
            .columns
            .iter()
            .map(|column| Seen {
                name: column.name.clone(),
                sort: column.sort,
                needs_cast: column.needs_cast,
            })
            .collect();
        if unaliased {
            let qualified = Some(format!("{}.{}", table.schema, table.name));
            let (alias, primary_key) = (table.name, table.primary_key);
            let renamed = false;
            return (text(name), Source { alias, columns, primary_key, renamed, qualified });
        }
        let shadow = *self.dice.pick(SHADOWS);
        let alias = match self.dice.one_in(6) && !taken(self, shadow) {
            true => shadow.to_owned(),
            false => self.fresh("a"),
        };
        if self.dice.one_in(10) {
            // Other names for the first columns.
            let count = columns.len().min(2);
            for (column, name) in columns.iter_mut().zip(["x", "y"]) {
                column.name = name.into();
            }
            let names = ["x", "y"][..count].join(", ");
            let source = Source { renamed: true, ..plain(alias.clone(), columns) };
            return (text(format!("{name} AS {alias}({names})")), source);
        }
        let sql = text(format!("{name} AS {alias}"));
        (sql, Source { primary_key: table.primary_key, ..plain(alias, columns) })
    }

    fn values(&mut self) -> (Sql, Source) {
        let alias = self.fresh("v");
        let sql = format!("(VALUES (1, 'seoul'), (2, NULL), (5, 'K***')) AS {alias}(n, t)");
        let columns = vec![Seen::new("n", Sort::Int), Seen::new("t", Sort::Text)];
        (text(sql), plain(alias, columns))
    }

    /// `(SELECT …) AS s`; a lateral one sees its neighbours.
    fn sub_select(&mut self, lateral: bool) -> (Sql, Source) {
        self.budget = self.budget.saturating_sub(1);
        let neighbours = (!lateral).then(|| self.scopes.pop()).flatten();
        let (query, columns) = self.query(1, None);
        self.scopes.extend(neighbours);
        let alias = self.fresh("s");
        (fill(&format!("({{}}) AS {alias}"), vec![query]), plain(alias, columns))
    }
}

fn plain(alias: String, columns: Vec<Seen>) -> Source {
    Source { alias, columns, primary_key: Vec::new(), renamed: false, qualified: None }
}
