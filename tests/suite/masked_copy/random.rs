//! Statements made by dice, held against the masked copy: corners that nobody thought of.
//!
//! Everything generated is an ordinary question, so a refusal fails the test too. The seed is printed with each
//! failure; `SCRIM_SEED=n` starts from another one, `SCRIM_STATEMENTS=n` asks for more.

use std::fmt::Write as _;

use super::masked_copy;
use crate::canary;
use crate::cases::compare;
use crate::harness;
use crate::harness::client::Form;

/// For each role; enough to meet every production of the grammar below many times.
const STATEMENTS: u64 = 150;
const SEED: u64 = 20_260_101;

/// What an expression is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Moment,
    Truth,
}

use Kind::{Moment, Number, Text, Truth};

struct Source {
    table: &'static str,
    columns: &'static [(&'static str, Kind)],
}

/// Columns that the roles below have all of.
const SOURCES: &[Source] = &[
    Source {
        table: "customers",
        columns: &[
            ("id", Number),
            ("name", Text),
            ("email", Text),
            ("phone", Text),
            ("card_number", Text),
            ("birth_date", Moment),
            ("address", Text),
            ("balance", Number),
            ("marketing_consent", Truth),
            ("notes", Text),
            ("tier", Text),
            ("region", Text),
            ("created_at", Moment),
        ],
    },
    Source {
        table: "orders",
        columns: &[
            ("id", Number),
            ("customer_id", Number),
            ("status", Text),
            ("total", Number),
            ("shipping_address", Text),
            ("placed_at", Moment),
        ],
    },
    Source {
        table: "public.tickets",
        columns: &[
            ("id", Number),
            ("customer_id", Number),
            ("subject", Text),
            ("priority", Number),
            ("closed_at", Moment),
        ],
    },
    Source {
        table: "payments",
        columns: &[
            ("id", Number),
            ("customer_id", Number),
            ("paid_on", Moment),
            ("amount", Number),
            ("card_number", Text),
            ("iban", Text),
        ],
    },
    Source {
        table: "products",
        columns: &[("id", Number), ("sku", Text), ("price", Number), ("in_stock", Truth)],
    },
    Source { table: "persons", columns: &[("id", Number), ("full_name", Text), ("email", Text)] },
];

/// xorshift64*: the same statements for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        value as usize % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.roll(one_in) == 0
    }
}

/// What stands in FROM, under its alias.
type Scope = Vec<(String, &'static Source)>;

struct Writer {
    dice: Dice,
    aliases: usize,
}

impl Writer {
    fn statement(&mut self) -> String {
        let query = match self.dice.roll(8) {
            0 => {
                let (left, right) = (self.typed_select(), self.typed_select());
                let operator = self.dice.pick(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
                format!("{left} {operator} {right}")
            }
            1 => {
                let inner = self.typed_select();
                format!("WITH w AS ({inner}) SELECT count(*), max(t), min(n) FROM w")
            }
            2 | 3 => self.grouped(),
            _ => self.plain(),
        };
        match self.dice.roll(6) {
            0 => format!("SELECT to_json(q) FROM ({query}) AS q"),
            1 => format!("SELECT count(*) FROM ({query}) AS q"),
            _ => query,
        }
    }

    /// Two columns of known kinds, for set operations.
    fn typed_select(&mut self) -> String {
        let (from, scope) = self.from();
        let (text, number) = (self.expression(&scope, Text, 2), self.expression(&scope, Number, 2));
        let condition = self.condition(&scope, 2);
        format!("SELECT {text} AS t, {number} AS n FROM {from} WHERE {condition}")
    }

    fn plain(&mut self) -> String {
        let (from, scope) = self.from();
        let mut items = Vec::new();
        if self.dice.chance(4) {
            let (alias, _) = self.dice.pick(&scope).clone();
            items.push(format!("{alias}.*"));
        }
        for index in 0..=self.dice.roll(4) {
            let kind = *self.dice.pick(&[Text, Text, Number, Moment, Truth]);
            items.push(format!("{} AS c{index}", self.expression(&scope, kind, 3)));
        }
        let distinct = if self.dice.chance(6) { "DISTINCT " } else { "" };
        let condition = self.condition(&scope, 3);
        format!("SELECT {distinct}{} FROM {from} WHERE {condition}", items.join(", "))
    }

    fn grouped(&mut self) -> String {
        let (from, scope) = self.from();
        let kind = *self.dice.pick(&[Text, Number, Truth]);
        let key = self.expression(&scope, kind, 2);
        let number = self.expression(&scope, Number, 2);
        let text = self.expression(&scope, Text, 2);
        let condition = self.condition(&scope, 2);
        let mut sql = format!(
            "SELECT {key} AS k, count(*), sum({number}) AS s, max({text}) AS m FROM {from} \
             WHERE {condition} GROUP BY 1"
        );
        if self.dice.chance(2) {
            let _ = write!(sql, " HAVING count(*) > {}", self.dice.roll(3));
        }
        sql
    }

    fn from(&mut self) -> (String, Scope) {
        let (mut sql, mut scope) = self.relation();
        for _ in 0..self.dice.roll(3) {
            let (right, more) = self.relation();
            let join = *self.dice.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "CROSS JOIN LATERAL"]);
            if join == "CROSS JOIN LATERAL" {
                // A product of two tables is enough; three would take the test's time.
                let column = self.column(&scope, Number).unwrap_or("1".into());
                self.aliases += 1;
                let _ = write!(sql, " {join} (SELECT {column} + 1 AS next) AS l{}", self.aliases);
                continue;
            }
            let (left_key, right_key) = (self.key(&scope), self.key(&more));
            let _ = write!(sql, " {join} {right} ON {left_key} = {right_key}");
            scope.extend(more);
        }
        (sql, scope)
    }

    fn relation(&mut self) -> (String, Scope) {
        let source = self.dice.pick(SOURCES);
        self.aliases += 1;
        let alias = format!("a{}", self.aliases);
        let sql = match self.dice.roll(5) {
            0 => {
                let inner: Scope = vec![("i".into(), source)];
                let condition = self.condition(&inner, 1);
                format!("(SELECT * FROM {} AS i WHERE {condition}) AS {alias}", source.table)
            }
            _ => format!("{} AS {alias}", source.table),
        };
        (sql, vec![(alias, source)])
    }

    fn key(&mut self, scope: &Scope) -> String {
        let (alias, source) = self.dice.pick(scope).clone();
        let keys = ["id", "customer_id"];
        let keys: Vec<&str> =
            keys.into_iter().filter(|key| source.columns.iter().any(|c| c.0 == *key)).collect();
        format!("{alias}.{}", self.dice.pick(&keys))
    }

    fn column(&mut self, scope: &Scope, kind: Kind) -> Option<String> {
        let columns: Vec<String> = scope
            .iter()
            .flat_map(|(alias, source)| {
                let columns = source.columns.iter().filter(|(_, of)| *of == kind);
                columns.map(move |(name, _)| format!("{alias}.{name}"))
            })
            .collect();
        (!columns.is_empty()).then(|| self.dice.pick(&columns).clone())
    }

    fn expression(&mut self, scope: &Scope, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.dice.chance(3) {
            let column = self.column(scope, kind);
            return column.unwrap_or_else(|| self.literal(kind));
        }
        let depth = depth - 1;
        let mut of = |kind| self.expression(scope, kind, depth);
        let choices = match kind {
            Text => vec![
                format!("upper({})", of(Text)),
                format!("lower({})", of(Text)),
                format!("left({}, 3)", of(Text)),
                format!("({} || '-' || {})", of(Text), of(Text)),
                format!("coalesce({}, 'none')", of(Text)),
                format!("replace({}, 'a', 'b')", of(Text)),
                format!("({})::text", of(Number)),
                format!("CASE WHEN {} THEN {} ELSE 'no' END", of(Truth), of(Text)),
                format!("nullif({}, '')", of(Text)),
            ],
            Number => vec![
                format!("length({})", of(Text)),
                format!("({} + 1)", of(Number)),
                format!("abs({})", of(Number)),
                format!("round({}, 1)", format_args!("({})::numeric", of(Number))),
                format!("extract(year FROM {})", of(Moment)),
                format!("position('@' IN {})", of(Text)),
                format!("greatest({}, {})", of(Number), of(Number)),
            ],
            Moment => vec![format!("({})::date", of(Moment)), of(Moment)],
            Truth => vec![of(Truth), format!("({} IS NULL)", of(Text))],
        };
        self.dice.pick(&choices).clone()
    }

    fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 {
            return match self.column(scope, Number) {
                Some(column) => format!("{column} < {}", self.dice.roll(50)),
                None => "true".into(),
            };
        }
        let depth = depth - 1;
        match self.dice.roll(9) {
            0 => format!("({} AND {})", self.condition(scope, depth), self.condition(scope, depth)),
            1 => format!("({} OR {})", self.condition(scope, depth), self.condition(scope, depth)),
            2 => format!("NOT {}", self.condition(scope, depth)),
            3 => format!("{} LIKE '{}'", self.expression(scope, Text, depth), self.pattern()),
            4 => format!("{} IS NOT NULL", self.expression(scope, Text, depth)),
            5 => {
                let column = self.key(scope);
                format!(
                    "{column} IN (SELECT customer_id FROM orders WHERE total > {})",
                    self.dice.roll(400)
                )
            }
            6 => {
                let key = self.key(scope);
                format!(
                    "EXISTS (SELECT FROM customers AS e WHERE e.id = {key} AND e.region <> 'seoul')"
                )
            }
            7 => format!(
                "{} = {}",
                self.expression(scope, Text, depth),
                self.expression(scope, Text, depth)
            ),
            _ => format!("{} > {}", self.expression(scope, Number, depth), self.dice.roll(1000)),
        }
    }

    fn pattern(&mut self) -> &'static str {
        let patterns = ["%a%", "K%", "%***%", "%@example.com", "_*%", "%qz%", "%0417%"];
        patterns[self.dice.roll(patterns.len())]
    }

    fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Text => "'seoul'".into(),
            Number => self.dice.roll(100).to_string(),
            Moment => "date '2024-02-29'".into(),
            Truth => "true".into(),
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn random_statements_follow_the_law() {
    let (seed, count) = (number("SCRIM_SEED", SEED), number("SCRIM_STATEMENTS", STATEMENTS));
    let mut wrong = Vec::new();
    for role in ["support", "analyst"] {
        let copy = masked_copy(role);
        let mut direct = copy.connect();
        let mut scrim = harness::connect(role, &[]);
        for seed in seed..seed + count {
            // Neighbouring seeds give neighbouring first rolls.
            let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let sql = Writer { dice, aliases: 0 }.statement();
            let form = Form::ALL[(seed % 3) as usize];
            let expected = direct.run(form, &sql, &[&sql]);
            let got = scrim.run(form, &sql, &[&sql]);
            let mut failures = compare::differences(&expected, &got, false, &copy.row_types);
            failures.extend(canary::find(&scrim.take_received()));
            direct.take_received();
            for failure in failures {
                wrong.push(format!("seed {seed}, role `{role}`, {form:?}: {failure}\n    {sql}"));
            }
        }
    }
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} deviate:\n{shown}", wrong.len(), 2 * count);
}
