//! Who asks: to a statement, `current_user` and its like are the Scrim user, not the login behind.
//!
//! Done on PostgreSQL's tree of the client's text, before anything else looks: the words become constants, and
//! functions that are told of a role, or tell of one, take the user's name for the login's. The catalogs that name
//! roles do the same (`system/roles`). So `has_table_privilege(current_user, …)` and `WHERE rolname = current_user`
//! mean what they would mean if the login had the user's name. Nothing of the law on values rests on it; a word that
//! is left somewhere is refused by the proof.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, SqlValueFunctionOp as Op, a_const};

use super::Speaker;
use crate::grammar::{children, constant_text, functions, parse, quote_identifier};

mod setting;

/// A statement that has none of them is not looked at; `u&` may write any of them otherwise.
const MARKS: [&str; 8] = [
    "user",
    "current_role",
    "current_setting",
    "_privilege",
    "has_role",
    "regrole",
    "blocking_pids",
    "u&",
];

/// What `pg_blocking_pids` is to a session for which no other one exists: nobody keeps it waiting, since it is asking.
/// The function itself stays closed: it would tell of others, whatever number it is given.
const NOBODY: &str = "CASE WHEN CAST($1 AS pg_catalog.int4) IS NULL THEN CAST(NULL AS pg_catalog.int4[]) \
                      ELSE CAST('{}' AS pg_catalog.int4[]) END";

/// The first server that has `system_user`.
const SYSTEM_USER_SINCE: u32 = 160_000;

/// `has_…_privilege`: how many arguments there are where the first is a role.
const PRIVILEGES: &[(&str, usize)] = &[
    ("has_any_column_privilege", 3),
    ("has_column_privilege", 4),
    ("has_database_privilege", 3),
    ("has_foreign_data_wrapper_privilege", 3),
    ("has_function_privilege", 3),
    ("has_language_privilege", 3),
    ("has_parameter_privilege", 3),
    ("has_schema_privilege", 3),
    ("has_sequence_privilege", 3),
    ("has_server_privilege", 3),
    ("has_table_privilege", 3),
    ("has_tablespace_privilege", 3),
    ("has_type_privilege", 3),
];

/// How deep an expression's name is looked for.
const DEPTH_MAX: usize = 100;

/// The login at the database behind a speaker.
pub(super) fn login<'a>(speaker: Speaker<'a>) -> &'a str {
    match &speaker.view.role().database_user {
        Some(own) => &own.user,
        None => &speaker.view.snapshot().login,
    }
}

/// True when a text may have to do with who asks.
pub(super) fn may_mention(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Puts the user into a statement; true when that has changed it.
pub(super) fn say(statement: &mut protobuf::RawStmt, speaker: Speaker<'_>) -> bool {
    let who = Who {
        user: speaker.user,
        login: login(speaker),
        has_system_user: speaker.view.snapshot().server_version >= SYSTEM_USER_SINCE,
    };
    statement.stmt.as_deref_mut().is_some_and(|node| who.node(node))
}

/// A setting that tells who asks, as the session has it.
pub(super) fn setting(name: &str, speaker: Speaker<'_>) -> Option<String> {
    functions::names_login(name).then(|| speaker.user.to_owned())
}

struct Who<'a> {
    user: &'a str,
    login: &'a str,
    has_system_user: bool,
}

impl Who<'_> {
    fn node(&self, node: &mut protobuf::Node) -> bool {
        // A column's name comes from its expression, which is another one afterwards.
        let name = match &node.node {
            Some(Node::ResTarget(target)) if target.name.is_empty() => {
                target.val.as_deref().and_then(|value| column_name(value, 0))
            }
            _ => None,
        };
        let mut changed = match &mut node.node {
            Some(Node::RangeFunction(function)) => self.in_from(function),
            _ => false,
        };
        if let Some(Node::RangeFunction(function)) = &mut node.node {
            changed |= self.below_calls(function);
        } else {
            for child in node.node.as_mut().map(children).unwrap_or_default() {
                changed |= self.node(child);
            }
        }
        if let Some(new) = self.instead(node) {
            *node = new;
            changed = true;
        }
        if let (true, Some(Node::ResTarget(target))) = (changed, &mut node.node) {
            let now = target.val.as_deref().and_then(|value| column_name(value, 0));
            if let Some((_, name)) = name.clone().filter(|_| now != name) {
                target.name = name;
            }
        }
        changed
    }

    /// In FROM stands a call, and a column's name is the function's: `FROM current_user`.
    fn in_from(&self, function: &mut protobuf::RangeFunction) -> bool {
        let [protobuf::Node { node: Some(Node::List(pair)) }] = function.functions.as_mut_slice()
        else {
            return false;
        };
        let Some(place) = pair.items.first_mut() else { return false };
        let Some((_, name)) = column_name(place, 0) else { return false };
        let Some(new) = self.instead(place) else { return false };
        *place = match new.node {
            Some(Node::TypeCast(_)) => match expression("pg_catalog.name($1)", new) {
                Some(call) => call,
                None => return false,
            },
            // In FROM stands no CASE; the call is refused as it is.
            Some(Node::CaseExpr(_)) => return false,
            _ => new,
        };
        let nameless = || protobuf::Alias { aliasname: name, colnames: Vec::new() };
        function.alias.get_or_insert_with(nameless);
        true
    }

    /// What stands in the calls of a FROM. Those themselves stay where there are several, whose columns have their names.
    fn below_calls(&self, function: &mut protobuf::RangeFunction) -> bool {
        let mut changed = false;
        for pair in &mut function.functions {
            let Some(Node::List(pair)) = &mut pair.node else { continue };
            let call = pair.items.first_mut().and_then(|call| call.node.as_mut());
            for child in call.map(children).unwrap_or_default() {
                changed |= self.node(child);
            }
        }
        changed
    }

    /// What a node becomes; `None`: it stays.
    fn instead(&self, node: &mut protobuf::Node) -> Option<protobuf::Node> {
        match &mut node.node {
            Some(Node::SqlvalueFunction(function)) => match Op::try_from(function.op) {
                Ok(
                    Op::SvfopCurrentRole
                    | Op::SvfopCurrentUser
                    | Op::SvfopUser
                    | Op::SvfopSessionUser,
                ) => Some(self.user_as("name")),
                _ => None,
            },
            Some(Node::FuncCall(call)) => self.call(call),
            Some(Node::TypeCast(cast)) => self.cast(cast),
            _ => None,
        }
    }

    fn call(&self, call: &mut protobuf::FuncCall) -> Option<protobuf::Node> {
        let name = builtin(&call.funcname)?.to_owned();
        let count = call.args.len();
        match (name.as_str(), call.args.as_mut_slice()) {
            ("current_user" | "session_user", []) => Some(self.user_as("name")),
            // NULL is what a server says that let somebody in without asking; how Scrim asked is not known here.
            ("system_user", []) if self.has_system_user => {
                Some(cast_to("text", protobuf::AConst { isnull: true, location: -1, val: None }))
            }
            ("current_setting", [setting, ..]) if count <= 2 => {
                let Some(known) = constant_text(Some(setting)) else {
                    return setting::of_parameter(setting, self.user).filter(|_| count == 1);
                };
                functions::names_login(&known).then(|| self.user_as("text"))
            }
            ("pg_blocking_pids", [pid]) => expression(NOBODY, pid.clone()),
            ("pg_get_userbyid", [oid]) => {
                let called = format!(
                    "pg_catalog.name({})",
                    self.login_to_user("pg_catalog.pg_get_userbyid($1)")
                );
                expression(&called, oid.clone())
            }
            ("to_regrole", [role]) => {
                *role = self.identifier(role)?;
                None
            }
            ("pg_has_role", arguments) => {
                let roles = arguments.len().checked_sub(1)?;
                for role in arguments.iter_mut().take(roles.min(2)) {
                    self.role(role, false);
                }
                None
            }
            (name, [role, ..])
                if PRIVILEGES.iter().any(|known| (known.0, known.1) == (name, count)) =>
            {
                self.role(role, true);
                None
            }
            _ => None,
        }
    }

    /// An argument that is a role, by its name or OID.
    fn role(&self, role: &mut protobuf::Node, with_public: bool) {
        if self.user == self.login {
            return;
        }
        if let Some(text) = constant_text(Some(role)) {
            if text == self.user {
                *role = constant(self.login);
            }
            return;
        }
        let is_number = match &role.node {
            Some(Node::AConst(_)) => true,
            Some(Node::TypeCast(cast)) => matches!(type_of(cast), Some("oid" | "regrole")),
            _ => false,
        };
        if is_number {
            return;
        }
        // Whether it is a name or a number is known to PostgreSQL only.
        let mut text = self.text(&format!("^{}$", pattern(self.user)), self.login, "$1");
        text = format!("pg_catalog.replace({text}, '\"', '\"\"')");
        text = format!("pg_catalog.regexp_replace({text}, '^(.*[^0-9].*)$', '\"\\1\"')");
        if with_public {
            text = format!("pg_catalog.regexp_replace({text}, '^\"public\"$', '-')");
        }
        let oid = format!("CAST(CAST({text} AS pg_catalog.regrole) AS pg_catalog.oid)");
        if let Some(new) = expression(&oid, role.clone()) {
            *role = new;
        }
    }

    /// `x::regrole`, and `x::regrole::text`.
    fn cast(&self, cast: &mut protobuf::TypeCast) -> Option<protobuf::Node> {
        if self.user == self.login {
            return None;
        }
        let to = type_of(cast)?.to_owned();
        if to == "regrole" {
            let known = constant_text(cast.arg.as_deref())?;
            if is_identifier_of(&known, self.user) {
                *cast.arg.as_deref_mut()? = constant(&quote_identifier(self.login));
            }
            return None;
        }
        let inner = match cast.arg.as_deref()?.node.as_ref()? {
            Node::TypeCast(inner) if type_of(inner) == Some("regrole") => cast.arg.as_deref()?,
            _ => return None,
        };
        if !matches!(to.as_str(), "text" | "varchar" | "name") {
            return None;
        }
        let (login, user) = (quote_identifier(self.login), quote_identifier(self.user));
        let text = self.text(&format!("^{}$", pattern(&login)), &user, "$1");
        *cast.arg.as_deref_mut()? = expression(&text, inner.clone())?;
        None
    }

    /// A role's name as SQL writes it, in a string.
    fn identifier(&self, role: &protobuf::Node) -> Option<protobuf::Node> {
        let login = quote_identifier(self.login);
        if self.user == self.login {
            return None;
        }
        if let Some(text) = constant_text(Some(role)) {
            return is_identifier_of(&text, self.user).then(|| constant(&login));
        }
        let quoted = pattern(&format!("\"{}\"", self.user.replace('"', "\"\"")));
        let names = format!("^({}|{quoted})$", pattern(&quote_identifier(self.user)));
        expression(&self.text(&names, &login, "$1"), role.clone())
    }

    fn login_to_user(&self, name: &str) -> String {
        if self.user == self.login {
            return format!("CAST({name} AS pg_catalog.text)");
        }
        self.text(&format!("^{}$", pattern(self.login)), self.user, name)
    }

    /// One name for another, computed once and NULL for NULL.
    fn text(&self, pattern: &str, name: &str, value: &str) -> String {
        let name = name.replace('\\', "\\\\");
        format!(
            "pg_catalog.regexp_replace(CAST({value} AS pg_catalog.text), {}, {})",
            literal(pattern),
            literal(&name)
        )
    }

    fn user_as(&self, type_name: &str) -> protobuf::Node {
        let sval = self.user.to_owned();
        let val = Some(a_const::Val::Sval(protobuf::String { sval }));
        cast_to(type_name, protobuf::AConst { isnull: false, location: -1, val })
    }
}

/// `current_user` and its like in an expression that nobody can put a name into.
fn cast_to(type_name: &str, value: protobuf::AConst) -> protobuf::Node {
    let names = ["pg_catalog", type_name].map(string).to_vec();
    let type_name = protobuf::TypeName { names, typemod: -1, location: -1, ..Default::default() };
    let arg = Some(Box::new(protobuf::Node { node: Some(Node::AConst(value)) }));
    let cast = protobuf::TypeCast { arg, type_name: Some(type_name), location: -1 };
    protobuf::Node { node: Some(Node::TypeCast(Box::new(cast))) }
}

fn constant(text: &str) -> protobuf::Node {
    let val = Some(a_const::Val::Sval(protobuf::String { sval: text.to_owned() }));
    protobuf::Node {
        node: Some(Node::AConst(protobuf::AConst { isnull: false, location: -1, val })),
    }
}

fn string(text: &str) -> protobuf::Node {
    protobuf::Node { node: Some(Node::String(protobuf::String { sval: text.to_owned() })) }
}

/// SQL with `$1` in it, and what stands for that.
fn expression(sql: &str, argument: protobuf::Node) -> Option<protobuf::Node> {
    let mut statements = parse(&format!("SELECT {sql}")).ok()?;
    let statement = statements.first_mut()?.stmt.as_deref_mut()?;
    let Some(Node::SelectStmt(select)) = &mut statement.node else { return None };
    let Some(Node::ResTarget(target)) = &mut select.target_list.first_mut()?.node else {
        return None;
    };
    let mut made = *target.val.take()?;
    *place_in(&mut made)? = argument;
    Some(made)
}

/// Where `$1` stands.
fn place_in(node: &mut protobuf::Node) -> Option<&mut protobuf::Node> {
    if matches!(node.node, Some(Node::ParamRef(_))) {
        return Some(node);
    }
    children(node.node.as_mut()?).into_iter().find_map(place_in)
}

/// The name of a function of PostgreSQL's own, where the text means one.
fn builtin(name: &[protobuf::Node]) -> Option<&str> {
    match name {
        [name] => text_of(name),
        [schema, name] if text_of(schema) == Some("pg_catalog") => text_of(name),
        _ => None,
    }
}

fn text_of(node: &protobuf::Node) -> Option<&str> {
    match &node.node {
        Some(Node::String(name)) => Some(name.sval.as_str()),
        _ => None,
    }
}

/// A plain type's name; `None` for arrays and what has a modifier.
fn type_of(cast: &protobuf::TypeCast) -> Option<&str> {
    let name = cast.type_name.as_ref()?;
    let is_plain = name.typmods.is_empty() && name.array_bounds.is_empty();
    builtin(&name.names).filter(|_| is_plain)
}

/// Does a text in a string, read as SQL reads a name, mean this one?
fn is_identifier_of(text: &str, name: &str) -> bool {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted {
        Some(quoted) => quoted.replace("\"\"", "\"") == name,
        None => text.to_ascii_lowercase() == name,
    }
}

/// A text as a regular expression that matches nothing else.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() && letter != '_' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// What PostgreSQL calls a column of the select list, and how sure it is (`FigureColnameInternal` in
/// parser/parse_target.c); `None` where the name does not come from what stands in the expression.
fn column_name(node: &protobuf::Node, depth: usize) -> Option<(u8, String)> {
    if depth > DEPTH_MAX {
        return None;
    }
    let inside = |place: &Option<Box<protobuf::Node>>| {
        place.as_deref().and_then(|node| column_name(node, depth.saturating_add(1)))
    };
    let last = |names: &[protobuf::Node]| {
        names.iter().rev().find_map(text_of).map(|name| (2, name.to_owned()))
    };
    match node.node.as_ref()? {
        Node::ColumnRef(column) => column.fields.last().and_then(text_of).map(|n| (2, n.into())),
        Node::FuncCall(call) => last(&call.funcname),
        Node::AIndirection(indirection) => {
            last(&indirection.indirection).or_else(|| inside(&indirection.arg))
        }
        Node::TypeCast(cast) => inside(&cast.arg).filter(|(sure, _)| *sure > 1).or_else(|| {
            let names = &cast.type_name.as_ref()?.names;
            last(names).map(|(_, name)| (1, name))
        }),
        Node::CollateClause(collation) => inside(&collation.arg),
        Node::CaseExpr(case) => inside(&case.defresult)
            .filter(|(sure, _)| *sure > 1)
            .or_else(|| Some((1, "case".to_owned()))),
        Node::SubLink(link) => match link.subselect.as_deref()?.node.as_ref()? {
            Node::SelectStmt(select) if is_scalar(link) => {
                let Some(Node::ResTarget(target)) = &leftmost(select).target_list.first()?.node
                else {
                    return None;
                };
                match target.name.as_str() {
                    "" => inside(&target.val).map(|(_, name)| (2, name)),
                    name => Some((2, name.to_owned())),
                }
            }
            _ => None,
        },
        Node::SqlvalueFunction(function) => {
            let name = match Op::try_from(function.op) {
                Ok(Op::SvfopCurrentRole) => "current_role",
                Ok(Op::SvfopCurrentUser) => "current_user",
                Ok(Op::SvfopUser) => "user",
                Ok(Op::SvfopSessionUser) => "session_user",
                _ => return None,
            };
            Some((2, name.to_owned()))
        }
        _ => None,
    }
}

fn is_scalar(link: &protobuf::SubLink) -> bool {
    link.sub_link_type == i32::from(protobuf::SubLinkType::ExprSublink)
}

fn leftmost(select: &protobuf::SelectStmt) -> &protobuf::SelectStmt {
    let mut select = select;
    while let Some(left) = select.larg.as_deref() {
        select = left;
    }
    select
}

#[cfg(test)]
mod tests;
