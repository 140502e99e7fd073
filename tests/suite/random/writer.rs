//! Expressions over what is in scope. Queries are written in `query`, FROM in `from`.

use super::productions::{LITERALS, Production, RISKY, SAFE};
use super::schema::{Sort, Table};
use super::tree::{Sql, fill, text};
use crate::dice::Dice;

/// What a name in FROM stands for.
#[derive(Debug, Clone)]
pub struct Source {
    pub alias: String,
    pub columns: Vec<Seen>,
    /// Names of the primary key's columns, where they are unrenamed.
    pub primary_key: Vec<String>,
    /// Some columns have other names here than in the table. PostgreSQL makes JSON of a whole row of a table with
    /// the table's own names even then, of a sub-select with the new ones: the one answer that is known to differ.
    pub renamed: bool,
    /// `public.customers`, where columns may be qualified by it.
    pub qualified: Option<String>,
}

/// A column of a [`Source`].
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: String,
    pub sort: Sort,
    pub needs_cast: bool,
}

impl Seen {
    pub fn new(name: impl Into<String>, sort: Sort) -> Seen {
        Seen { name: name.into(), sort, needs_cast: false }
    }
}

/// A common table expression in scope.
#[derive(Debug, Clone)]
pub struct Cte {
    pub name: String,
    pub columns: Vec<Seen>,
}

/// A parameter: its type, and its value in text form.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub type_oid: u32,
    pub value: Option<&'static str>,
}

pub struct Writer<'a> {
    pub dice: Dice,
    pub tables: &'a [Table],
    /// FROM clauses in scope, the innermost last.
    pub scopes: Vec<Vec<Source>>,
    pub ctes: Vec<Cte>,
    pub names: usize,
    /// Some expression may fail on ordinary values.
    pub risky: bool,
    /// How many sub-selects may still be opened: a statement must end.
    pub budget: usize,
    /// Given where literals may be parameters.
    pub parameters: Option<Vec<Parameter>>,
}

impl<'a> Writer<'a> {
    pub fn new(dice: Dice, tables: &'a [Table]) -> Writer<'a> {
        Writer {
            dice,
            tables,
            scopes: Vec::new(),
            ctes: Vec::new(),
            names: 0,
            risky: false,
            budget: 4,
            parameters: None,
        }
    }

    pub fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// An expression of the sort.
    pub fn expression(&mut self, sort: Sort, depth: usize) -> Sql {
        if depth == 0 || self.dice.one_in(3) {
            return self.leaf(sort);
        }
        if self.budget > 0 && self.dice.one_in(14) {
            self.budget -= 1;
            return self.scalar_query(sort);
        }
        let risky = self.risky && self.dice.one_in(6);
        let from = if risky { RISKY } else { SAFE };
        let fitting: Vec<&Production> = from.iter().filter(|(gives, ..)| *gives == sort).collect();
        if fitting.is_empty() {
            return self.leaf(sort);
        }
        let (_, template, holes) = **self.dice.pick(&fitting);
        let parts: Vec<Sql> = holes.iter().map(|sort| self.expression(*sort, depth - 1)).collect();
        let mut instead = vec![simplest(sort)];
        let alike = holes.iter().zip(&parts).filter(|(of, _)| **of == sort);
        instead.extend(alike.map(|(_, part)| part.clone()));
        Sql::Or(Box::new(fill(template, parts)), instead)
    }

    /// A column, or a literal where there is none.
    pub fn leaf(&mut self, sort: Sort) -> Sql {
        if !self.dice.one_in(5)
            && let Some(column) = self.column(sort)
        {
            return Sql::Or(Box::new(column), vec![simplest(sort)]);
        }
        self.literal(sort)
    }

    /// A column of the sort; of an outer query now and then.
    fn column(&mut self, sort: Sort) -> Option<Sql> {
        let levels = self.scopes.len();
        let level = if levels > 1 && self.dice.one_in(4) {
            self.dice.roll(levels)
        } else {
            levels.checked_sub(1)?
        };
        let mut all = Vec::new();
        for source in &self.scopes[level] {
            for column in source.columns.iter().filter(|column| column.sort == sort) {
                all.push((source.alias.clone(), source.qualified.clone(), column.clone()));
            }
        }
        if all.is_empty() {
            return None;
        }
        let (alias, qualified, column) = self.dice.pick(&all).clone();
        let qualifier = match qualified {
            Some(name) if self.dice.one_in(2) => name,
            _ => alias,
        };
        let name = format!("{qualifier}.{}", column.name);
        Some(text(if column.needs_cast { format!("{name}::text") } else { name }))
    }

    fn literal(&mut self, sort: Sort) -> Sql {
        let fitting: Vec<&str> =
            LITERALS.iter().filter(|(of, _)| *of == sort).map(|(_, literal)| *literal).collect();
        if fitting.is_empty() {
            return simplest(sort);
        }
        if self.dice.one_in(2)
            && let Some(parameters) = &mut self.parameters
        {
            let (type_oid, value) = match sort {
                Sort::Text => (25, Some("seoul")),
                Sort::Int => (23, Some("7")),
                Sort::Num => (1700, Some("12.50")),
                Sort::Bool => (16, None),
                Sort::Date => (1082, Some("2026-03-01")),
                _ => return simplest(sort),
            };
            parameters.push(Parameter { type_oid, value });
            return text(format!("${}", parameters.len()));
        }
        text(*self.dice.pick(&fitting))
    }

    /// An expression by which rows may be grouped, made distinct or compared by a set operation: what is equal is
    /// the same text too. `1.0` and `1.00` are equal, and which of them represents a group is chance.
    pub fn key(&mut self, sort: Sort, depth: usize) -> (Sql, Sort) {
        let value = self.expression(sort, depth);
        as_key(value, sort)
    }

    /// `(SELECT …)` with one value at most.
    fn scalar_query(&mut self, sort: Sort) -> Sql {
        let depth_of_scopes = self.scopes.len();
        let from = self.from(1);
        let condition = self.expression(Sort::Bool, 2);
        let value = match sort {
            Sort::Int => text("count(*)"),
            Sort::Num => {
                let inner = self.expression(Sort::Num, 1);
                fill("round(sum({}), 2)", vec![inner])
            }
            Sort::Text | Sort::Date | Sort::StampTz | Sort::Stamp => {
                let inner = self.expression(sort, 1);
                fill("max({})", vec![inner])
            }
            Sort::Bool => {
                self.scopes.truncate(depth_of_scopes);
                return self.truth_of_query();
            }
            _ => {
                let (inner, order) = (self.expression(sort, 1), self.whole_rows());
                let query = format!("{{}} FROM {{}} WHERE {{}} ORDER BY {order} LIMIT 1");
                self.scopes.truncate(depth_of_scopes);
                let sql = fill(&format!("(SELECT {query})"), vec![inner, from, condition]);
                return Sql::Or(Box::new(sql), vec![simplest(sort)]);
            }
        };
        self.scopes.truncate(depth_of_scopes);
        let sql = fill("(SELECT {} FROM {} WHERE {})", vec![value, from, condition]);
        Sql::Or(Box::new(sql), vec![simplest(sort)])
    }

    /// EXISTS, IN, ANY, ALL, ARRAY and rows.
    fn truth_of_query(&mut self) -> Sql {
        let sort = *self.dice.pick(&[Sort::Text, Sort::Int, Sort::Date]);
        let outside = self.leaf(sort);
        let second = self.leaf(Sort::Text);
        let depth_of_scopes = self.scopes.len();
        let from = self.from(1);
        let (inner, other) = (self.expression(sort, 1), self.expression(Sort::Text, 1));
        let condition = self.expression(Sort::Bool, 2);
        self.scopes.truncate(depth_of_scopes);
        let sql = match self.dice.roll(7) {
            0 => fill("EXISTS (SELECT FROM {} WHERE {})", vec![from, condition]),
            1 => fill("(NOT EXISTS (SELECT 1 FROM {} WHERE {}))", vec![from, condition]),
            2 => {
                fill("({} IN (SELECT {} FROM {} WHERE {}))", vec![outside, inner, from, condition])
            }
            3 => fill(
                "({} NOT IN (SELECT {} FROM {} WHERE {}))",
                vec![outside, inner, from, condition],
            ),
            4 => fill(
                "({} >= ALL (SELECT {} FROM {} WHERE {}))",
                vec![outside, inner, from, condition],
            ),
            5 => fill(
                "(({}, {}) = ANY (SELECT {}, {} FROM {} WHERE {}))",
                vec![outside, second, inner, other, from, condition],
            ),
            _ => fill(
                "({} = ANY (ARRAY(SELECT {} FROM {} WHERE {})))",
                vec![outside, inner, from, condition],
            ),
        };
        Sql::Or(Box::new(sql), vec![simplest(Sort::Bool)])
    }

    /// An order of the rows of the innermost FROM that leaves only rows unordered that nothing tells apart.
    pub fn whole_rows(&self) -> String {
        let sources = self.scopes.last().into_iter().flatten();
        sources.map(|source| format!("({}.*)::text", source.alias)).collect::<Vec<_>>().join(", ")
    }
}

/// See [`Writer::key`].
pub fn as_key(value: Sql, sort: Sort) -> (Sql, Sort) {
    match sort {
        Sort::Num => (fill("round({}, 2)", vec![value]), Sort::Num),
        Sort::Float | Sort::Span | Sort::Json | Sort::Other => {
            (fill("({})::text", vec![value]), Sort::Text)
        }
        Sort::Text
        | Sort::Int
        | Sort::Bool
        | Sort::Date
        | Sort::Stamp
        | Sort::StampTz
        | Sort::Array => (value, sort),
    }
}

pub fn simplest(sort: Sort) -> Sql {
    text(match sort {
        Sort::Text => "'a'::text",
        Sort::Int => "1",
        Sort::Num => "1.0",
        Sort::Float => "1::float8",
        Sort::Bool => "true",
        Sort::Date => "date '2026-03-01'",
        Sort::Stamp => "timestamp '2026-03-01'",
        Sort::StampTz => "timestamptz '2026-03-01'",
        Sort::Span => "interval '1 day'",
        Sort::Json => "'[]'::jsonb",
        Sort::Array => "ARRAY['a']",
        Sort::Other => "'00000000-0000-0000-0000-000000000000'::uuid",
    })
}
