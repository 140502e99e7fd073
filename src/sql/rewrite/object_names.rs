//! Functions and casts that know every relation, by its name or its number: `'staff'::regclass`, `pg_relation_size(…)`.
//!
//! What is absent for the role must not be found by them. A name that is a plain literal is looked up here, and one that
//! is hidden gets PostgreSQL's own error. Everything else is looked up by PostgreSQL: a name of what is absent gives the
//! error of one that was never there, a number NULL.
//!
//! INVARIANT: OFFSET 0 stands behind each level of what is put around an expression. Flattened, it would be computed many
//! times, and calls within calls would make a plan that no memory holds.
//! <https://www.postgresql.org/docs/current/datatype-oid.html>

use pg_query::protobuf::node::Node;
use sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserOptions};

use super::names::{meaning, parts, quoted};
use super::{Done, Refusal, Rewriter, foreign, signatures};
use crate::grammar;
use crate::policy::{Access, ColumnVerdict, MISSING_MARK};
use crate::sql::hole::{Content, HOLE_SCHEMA, Hole};
use crate::sql::system::Beside;
use crate::sql::{system, types};

/// What an argument means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A relation, or an object that belongs to one.
    Relation,
    /// A type.
    Type,
}

/// Where a function's argument stands: from the front, or from the end.
#[derive(Debug, Clone, Copy)]
enum At {
    Front(usize),
    End(usize),
}

/// Functions by which something absent could be found.
const JUDGED: &[(&str, At, Meaning)] = &[
    ("col_description", At::Front(0), Meaning::Relation),
    ("format_type", At::Front(0), Meaning::Type),
    ("has_any_column_privilege", At::End(1), Meaning::Relation),
    ("has_column_privilege", At::End(2), Meaning::Relation),
    ("has_sequence_privilege", At::End(1), Meaning::Relation),
    ("has_table_privilege", At::End(1), Meaning::Relation),
    ("has_type_privilege", At::End(1), Meaning::Type),
    ("obj_description", At::Front(0), Meaning::Relation),
    ("oidvectortypes", At::Front(0), Meaning::Type),
    ("pg_basetype", At::Front(0), Meaning::Type),
    ("pg_column_is_updatable", At::Front(0), Meaning::Relation),
    ("pg_describe_object", At::Front(1), Meaning::Relation),
    ("pg_get_constraintdef", At::Front(0), Meaning::Relation),
    ("pg_get_indexdef", At::Front(0), Meaning::Relation),
    ("pg_get_partition_constraintdef", At::Front(0), Meaning::Relation),
    ("pg_get_partkeydef", At::Front(0), Meaning::Relation),
    ("pg_get_ruledef", At::Front(0), Meaning::Relation),
    ("pg_get_serial_sequence", At::Front(0), Meaning::Relation),
    ("pg_get_statisticsobjdef", At::Front(0), Meaning::Relation),
    ("pg_get_statisticsobjdef_columns", At::Front(0), Meaning::Relation),
    ("pg_get_statisticsobjdef_expressions", At::Front(0), Meaning::Relation),
    ("pg_get_triggerdef", At::Front(0), Meaning::Relation),
    ("pg_get_viewdef", At::Front(0), Meaning::Relation),
    ("pg_index_column_has_property", At::Front(0), Meaning::Relation),
    ("pg_index_has_property", At::Front(0), Meaning::Relation),
    ("pg_indexes_size", At::Front(0), Meaning::Relation),
    ("pg_partition_root", At::Front(0), Meaning::Relation),
    ("pg_relation_is_publishable", At::Front(0), Meaning::Relation),
    ("pg_relation_is_updatable", At::Front(0), Meaning::Relation),
    ("pg_relation_size", At::Front(0), Meaning::Relation),
    ("pg_statistics_obj_is_visible", At::Front(0), Meaning::Relation),
    ("pg_table_is_visible", At::Front(0), Meaning::Relation),
    ("pg_table_size", At::Front(0), Meaning::Relation),
    ("pg_total_relation_size", At::Front(0), Meaning::Relation),
    ("pg_type_is_visible", At::Front(0), Meaning::Type),
    ("row_security_active", At::Front(0), Meaning::Relation),
    ("to_regclass", At::Front(0), Meaning::Relation),
    ("to_regtype", At::Front(0), Meaning::Type),
    ("to_regtypemod", At::Front(0), Meaning::Type),
];

/// Functions whose argument is a text, not a number: of what is absent they are to give NULL.
const BY_TEXT: [&str; 3] = ["to_regclass", "to_regtype", "pg_get_serial_sequence"];

/// Types that nobody may cast to, and whose names tools write.
const HANDLERS: [&str; 3] = ["event_trigger", "internal", "trigger"];

/// True for functions and types by which something absent could be found.
pub fn is_judged(name: &str) -> bool {
    JUDGED.iter().any(|(judged, ..)| *judged == name) || signatures::is_judged(name)
}

/// True when a text that the rewriter has not read may hold one of them.
pub(in crate::sql) fn may_mention(canonical: &str) -> bool {
    let text = canonical.to_ascii_lowercase();
    ["regclass", "regtype", "regprocedure", "regoperator", "has_function_privilege"]
        .iter()
        .any(|name| text.contains(name))
        || JUDGED.iter().any(|(name, ..)| text.contains(name))
}

impl Rewriter<'_> {
    /// Judges a call, whose own arguments have been walked.
    pub(super) fn judge_object_names(&mut self, function: &mut Function) -> Done {
        let names = parts(&function.name).unwrap_or_default();
        let name = match names.as_slice() {
            [name] => name,
            [schema, name] if schema == "pg_catalog" => name,
            _ => return Ok(()),
        };
        if !is_judged(name) || !system::has_absent(self.speaker) {
            return Ok(());
        }
        let Some((name, at, meaning)) = JUDGED.iter().find(|(judged, ..)| judged == name).copied()
        else {
            return self.judge_signature_call(name, function);
        };
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        let count = list.args.len();
        let place = match at {
            At::Front(place) => Some(place),
            At::End(place) => count.checked_sub(place.saturating_add(1)),
        };
        let column = match name {
            "has_column_privilege" | "pg_get_serial_sequence" | "col_description" => {
                place.and_then(|place| list.args.get(place.saturating_add(1))).map(text_of)
            }
            _ => None,
        };
        let number = match list.args.get(1) {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(number))) => Some(number.clone()),
            _ => None,
        };
        let Some(argument) = place.and_then(|place| list.args.get_mut(place)) else {
            return Ok(());
        };
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
            return Err(Refusal::not_understood("arguments by name are not looked up here"));
        };
        if matches!(name, "to_regclass" | "to_regtype" | "to_regtypemod") {
            // They give NULL where others fail.
            *argument = self.known_text(argument, meaning)?;
            return Ok(());
        }
        if name == "oidvectortypes" {
            let types = self.known_numbers(&format!("CAST({argument} AS pg_catalog.oidvector)"))?;
            *argument = parsed(&format!(
                "CAST((SELECT pg_catalog.array_to_string(v.a, ' ', '0') FROM (SELECT {types}) AS v(a)) \
                 AS pg_catalog.oidvector)"
            ))?;
            return Ok(());
        }
        let relation = self.literal(argument, meaning)?;
        let beside = match name {
            "pg_indexes_size" | "pg_relation_size" | "pg_table_size" | "pg_total_relation_size" => {
                Beside::Sizes
            }
            "pg_get_partkeydef" => Beside::Keys,
            "pg_get_partition_constraintdef" => Beside::Bounds,
            _ => Beside::Nothing,
        };
        match (name, column) {
            // ORMs ask so of all columns at once.
            ("pg_get_serial_sequence", column)
                if relation.is_none() || !matches!(column, Some(Some(_))) =>
            {
                if let Some(column) = &number {
                    *argument = self.known_owner(argument, column)?;
                }
                return Ok(());
            }
            ("col_description", _) => {
                if relation.is_none() {
                    *argument = self.known(argument, meaning, beside)?;
                }
                if let Some(number) = number {
                    *argument = self.known_column(argument, &number)?;
                }
                return Ok(());
            }
            ("has_column_privilege" | "pg_get_serial_sequence", Some(column)) => {
                self.judge_column(relation.as_ref(), column)?;
            }
            _ => {}
        }
        if relation.is_none() || system::concerns(self.speaker, beside) {
            *argument = match BY_TEXT.contains(&name) {
                true => self.known_text(argument, meaning)?,
                false => self.known(argument, meaning, beside)?,
            };
        }
        Ok(())
    }

    /// Judges a cast, whose operand has been walked.
    pub(super) fn judge_object_cast(&mut self, expr: &mut Expr) -> Done {
        let Expr::Cast { expr: operand, data_type, .. } = expr else { return Ok(()) };
        let name = type_name(data_type);
        let element = name.trim_end_matches("[]");
        let signature = signatures::of_type(element);
        let meaning = match element {
            "regclass" => Meaning::Relation,
            "regtype" => Meaning::Type,
            _ if signature.is_none() => return Ok(()),
            // Of those the array is taken apart as any.
            _ => Meaning::Type,
        };
        if !system::has_absent(self.speaker) {
            return Ok(());
        }
        if let Some(signature) = signature.filter(|_| !name.ends_with("[]")) {
            return self.judge_signature(operand, signature);
        }
        if name.ends_with("[]") {
            // A text may hold names; a number that stands in a catalog is one.
            if !matches!(&**operand, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                return Err(Refusal::not_understood("an array of names is not looked up here"));
            }
            **operand = self.known_numbers(&operand.to_string())?;
            return Ok(());
        }
        if self.literal(operand, meaning)?.is_none() {
            **operand = self.known(operand, meaning, Beside::Nothing)?;
        }
        Ok(())
    }

    /// A name that is a plain literal and is there for the role; a number and everything else is `None`.
    fn literal(&self, expr: &Expr, meaning: Meaning) -> Result<Option<String>, Refusal> {
        let Some(text) = plain(expr) else { return Ok(None) };
        if text.bytes().all(|byte| byte.is_ascii_digit()) || text == "-" {
            return Ok(None);
        }
        match meaning {
            Meaning::Relation => {
                let missing = || Refusal::no_such_relation(&text);
                let (schema, name) = relation_name(&text).ok_or_else(missing)?;
                match self.visible(schema.as_deref(), &name) {
                    Some(true) => {}
                    Some(false) => return Err(missing()),
                    // An index, or nothing.
                    None => return Ok(None),
                }
            }
            Meaning::Type => {
                let missing = || Refusal::no_such_type(&text);
                let names = type_names(&text).ok_or_else(missing)?;
                let (schema, name) = match names.as_slice() {
                    [name] => (None, name),
                    [schema, name] => (Some(schema.as_str()), name),
                    _ => return Err(missing()),
                };
                if matches!(schema, None | Some("pg_catalog")) && HANDLERS.contains(&name.as_str())
                {
                    return Ok(None);
                }
                types::judge(self.speaker, schema, name).map_err(|_| missing())?;
            }
        }
        Ok(Some(text))
    }

    /// Whether there is such a relation for the role; `None` where the catalog has none of the name.
    fn visible(&self, schema: Option<&str>, name: &str) -> Option<bool> {
        let own = self.speaker.temp_tables.contains(name);
        if own && matches!(schema, None | Some("pg_temp")) {
            return Some(true);
        }
        let snapshot = self.speaker.view.snapshot();
        let relation = match schema {
            Some(schema) => snapshot.relation_named(schema, name),
            None => snapshot.resolve(self.speaker.search_path, name),
        }?;
        match self.speaker.view.access(relation.oid) {
            Access::Hidden => Some(false),
            Access::Open | Access::Masked(_) | Access::View(_) | Access::Closed { .. } => {
                Some(true)
            }
        }
    }

    /// A column by its name, of a relation by its name.
    fn judge_column(&self, relation: Option<&String>, column: Option<String>) -> Done {
        let unclear = || Refusal::not_understood("name the table and the column as plain literals");
        let relation = relation.ok_or_else(unclear)?;
        let column = column.ok_or_else(unclear)?;
        let (schema, name) = relation_name(relation).ok_or_else(unclear)?;
        let snapshot = self.speaker.view.snapshot();
        let found = match schema {
            Some(schema) => snapshot.relation_named(&schema, &name),
            None => snapshot.resolve(self.speaker.search_path, &name),
        };
        let Some(found) = found else { return Ok(()) };
        let columns = match self.speaker.view.access(found.oid) {
            Access::Masked(template) => template,
            Access::View(view) => view.template.clone(),
            Access::Open | Access::Hidden | Access::Closed { .. } => return Ok(()),
        };
        let is_hidden = columns.columns.iter().any(|known| {
            known.verdict == ColumnVerdict::Hidden
                && (known.name == column || known.number.to_string() == column)
        });
        match is_hidden {
            true => Err(Refusal::no_such_column_of(&column, &name)),
            false => Ok(()),
        }
    }

    /// The table of `col_description(table, number)`, or NULL where the column is hidden.
    fn known_column(&mut self, table: &Expr, number: &Expr) -> Result<Expr, Refusal> {
        let Some(content) = system::absent_columns(self.speaker) else { return Ok(table.clone()) };
        let hole = self.hole(content);
        parsed(&format!(
            "(SELECT CASE WHEN (k.v, k.n) IN (SELECT absent.oid, absent.number FROM {hole} AS absent) THEN NULL \
             ELSE k.v END FROM (SELECT {}, t.n FROM (SELECT CAST({table} AS pg_catalog.text), \
             CAST({number} AS pg_catalog.int4) OFFSET 0) AS t(x, n) OFFSET 0) AS k(v, n))",
            number_of(Meaning::Relation)
        ))
    }

    /// The number of what an expression names; NULL for the number of what is absent, an error for its name.
    fn known(&mut self, expr: &Expr, meaning: Meaning, beside: Beside) -> Result<Expr, Refusal> {
        let absent = self.absent_hole();
        let untold = match beside {
            Beside::Nothing => String::new(),
            Beside::Sizes | Beside::Keys | Beside::Bounds => {
                let untold = self.hole(system::absent_objects(self.speaker, beside));
                format!("WHEN j.v IN (SELECT untold.oid FROM {untold} AS untold) THEN NULL ")
            }
        };
        let reg = reg_of(meaning);
        let name = quoted(&column_name(expr).unwrap_or_else(|| reg.to_owned()));
        // Looked up by a name that nothing has, in the schema that it says, it fails as it would if it were not there.
        let missing = format!(
            "CAST(CAST(pg_catalog.regexp_replace(j.x, '^((?:(?:\"(?:[^\"]|\"\")*\"|[^\".]+)[.])*)(\"?)(.*)$', \
             '\\1\\2{MISSING_MARK}\\3') AS pg_catalog.{reg}) AS pg_catalog.oid)"
        );
        parsed(&format!(
            "CAST((SELECT CASE WHEN j.x IS NULL THEN NULL \
             WHEN j.x OPERATOR(pg_catalog.!~) '^([0-9]+|-)$' AND (j.v IS NULL OR j.gone) THEN {missing} \
             WHEN j.gone THEN NULL {untold}ELSE j.v END AS {name} \
             FROM (SELECT k.x, k.v, k.v IN (SELECT absent.oid FROM {absent} AS absent) \
             FROM (SELECT t.x, {} FROM (SELECT CAST({expr} AS pg_catalog.text) OFFSET 0) AS t(x) OFFSET 0) AS k(x, v) OFFSET 0) AS j(x, v, gone)) \
             AS pg_catalog.{reg})",
            number_of(meaning)
        ))
    }

    /// The numbers of an array, as an `oid[]`, with NULL for those of what is absent.
    fn known_numbers(&mut self, expr: &str) -> Result<Expr, Refusal> {
        let (absent, gone) = (self.absent_hole(), self.absent_hole());
        parsed(&format!(
            "(SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.unnest(t.o) AS u(v) WHERE u.v IN (SELECT absent.oid FROM {absent} AS absent)) \
             THEN ARRAY(SELECT CASE WHEN e.v IN (SELECT gone.oid FROM {gone} AS gone) THEN NULL ELSE e.v END \
             FROM pg_catalog.unnest(t.o) WITH ORDINALITY AS e(v, n) ORDER BY e.n) ELSE t.o END \
             FROM (SELECT CAST({expr} AS pg_catalog.oid[]) OFFSET 0) AS t(o))"
        ))
    }

    /// The table of `pg_get_serial_sequence(table, column)`, or NULL where it or the column is absent.
    fn known_owner(&mut self, table: &Expr, column: &Expr) -> Result<Expr, Refusal> {
        let absent = self.absent_hole();
        let hidden = match system::absent_columns(self.speaker) {
            None => String::new(),
            Some(content) => {
                let hidden = self.hole(content);
                format!(
                    "OR (k.v, k.c) IN (SELECT hidden.oid, hidden.name FROM {hidden} AS hidden) "
                )
            }
        };
        parsed(&format!(
            "(SELECT CASE WHEN k.v IS NULL OR k.v IN (SELECT absent.oid FROM {absent} AS absent) {hidden}THEN NULL \
             ELSE k.x END FROM (SELECT t.x, {}, t.c FROM (SELECT CAST({table} AS pg_catalog.text), \
             CAST({column} AS pg_catalog.name) OFFSET 0) AS t(x, c) OFFSET 0) AS k(x, v, c))",
            number_of(Meaning::Relation)
        ))
    }

    /// The text itself, or NULL where it names what is absent or nothing.
    fn known_text(&mut self, expr: &Expr, meaning: Meaning) -> Result<Expr, Refusal> {
        let absent = self.absent_hole();
        parsed(&format!(
            "(SELECT CASE WHEN k.v IS NULL OR k.v IN (SELECT absent.oid FROM {absent} AS absent) THEN NULL ELSE k.x END \
             FROM (SELECT t.x, {} FROM (SELECT CAST({expr} AS pg_catalog.text) OFFSET 0) AS t(x) OFFSET 0) AS k(x, v))",
            number_of(meaning)
        ))
    }

    fn absent_hole(&mut self) -> String {
        let content = system::absent_objects(self.speaker, Beside::Nothing);
        self.hole(content)
    }

    fn hole(&mut self, content: Content) -> String {
        let index = self.holes.len();
        self.holes.push(Hole {
            content,
            only: false,
            sample: None,
            lookups: Vec::new(),
            system_columns: Vec::new(),
        });
        format!("\"{HOLE_SCHEMA}\".\"{index}\"")
    }
}

fn reg_of(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Relation => "regclass",
        Meaning::Type => "regtype",
    }
}

/// Of the text `t.x`: numbers as they are, names as PostgreSQL finds them; NULL for what is not there.
fn number_of(meaning: Meaning) -> String {
    let find = match meaning {
        Meaning::Relation => "to_regclass",
        Meaning::Type => "to_regtype",
    };
    format!(
        "CASE WHEN t.x OPERATOR(pg_catalog.~) '^[0-9]+$' THEN CAST(t.x AS pg_catalog.oid) \
         ELSE CAST(pg_catalog.{find}(t.x) AS pg_catalog.oid) END"
    )
}

/// What PostgreSQL would call a column of the select list that is a cast of this (`FigureColname` in
/// parser/parse_target.c).
fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(meaning(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(meaning),
        Expr::Function(function) => parts(&function.name).and_then(|names| names.last().cloned()),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => column_name(inner),
        _ => None,
    }
}

pub(super) fn parsed(text: &str) -> Result<Expr, Refusal> {
    let dialect = PostgreSqlDialect {};
    let options = ParserOptions::new().with_unescape(false);
    Parser::new(&dialect)
        .with_options(options)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr())
        .map_err(|_| foreign("what is no expression"))
}

/// The text of a literal, also under a cast to a text type.
pub(super) fn plain(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => plain(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.replace("''", "'")),
            _ => None,
        },
        Expr::Cast { expr, data_type, .. } => {
            let is_name = matches!(
                type_name(data_type).as_str(),
                "text" | "regclass" | "regtype" | "varchar"
            );
            plain(expr).filter(|_| is_name)
        }
        _ => None,
    }
}

fn text_of(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.replace("''", "'")),
            Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => plain(expr),
        _ => None,
    }
}

pub(super) fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string().to_ascii_lowercase().replace('"', "");
    name.strip_prefix("pg_catalog.").map(str::to_owned).unwrap_or(name)
}

/// A relation's name as PostgreSQL reads it in a string.
fn relation_name(text: &str) -> Option<(Option<String>, String)> {
    let statements = grammar::parse(&format!("TABLE {text}")).ok()?;
    let [statement] = statements.as_slice() else { return None };
    let Some(Node::SelectStmt(select)) = statement.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    match select.from_clause.as_slice() {
        [from] => match from.node.as_ref()? {
            Node::RangeVar(name) if name.catalogname.is_empty() && name.alias.is_none() => {
                let schema = (!name.schemaname.is_empty()).then(|| name.schemaname.clone());
                Some((schema, name.relname.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A type's name as PostgreSQL reads it in a string.
fn type_names(text: &str) -> Option<Vec<String>> {
    let statements = grammar::parse(&format!("SELECT NULL::{text}")).ok()?;
    let [statement] = statements.as_slice() else { return None };
    let Some(Node::SelectStmt(select)) = statement.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    let [target] = select.target_list.as_slice() else { return None };
    let Some(Node::ResTarget(target)) = &target.node else { return None };
    let Some(Node::TypeCast(cast)) = target.val.as_ref().and_then(|value| value.node.as_ref())
    else {
        return None;
    };
    let part = |node: &pg_query::protobuf::Node| match &node.node {
        Some(Node::String(part)) => Some(part.sval.clone()),
        _ => None,
    };
    cast.type_name.as_ref()?.names.iter().map(part).collect()
}
