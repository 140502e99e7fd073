//! The pure core over the sample database: what a role's statement becomes, without a proxy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use scrim::catalog::{
    self, Column, Relation, RelationKind, RelationOid, SearchPath, Snapshot, TypeFamily,
};
use scrim::demo::{DATABASE, SAMPLE_PSEUDONYM_KEY};
use scrim::mask::key_settings;
use scrim::policy::{RoleView, Stated};
use scrim::rules::{self, NoEnvironment, RuleSet};
use scrim::sql::{Reading, Refusal, Speaker, plan};
use scrim::text::{Sources, render};

use super::client::{self, Answer, Client, Form, ServerError};
use super::{connect_direct, postgres};

/// The SQL that goes upstream for a text, its statements joined by `;` and a line's end; or the refusal.
pub fn sent(role: &str, search_path: Option<&str>, text: &str) -> String {
    match planned(role, search_path, text) {
        Ok(statements) => statements.join(";\n"),
        Err(refusal) => format!("refused: {refusal}"),
    }
}

/// What the core alone makes of a text: its plan, run on the sample database itself by the role's login.
/// Nothing of the shell is in between, so what fails here is not the shell's fault.
/// All in a transaction that is undone; `after` is run in it at the end, as it is.
pub fn run(
    role: &str,
    login: &str,
    search_path: Option<&str>,
    (text, data): (&str, Option<&str>),
    after: &str,
) -> Vec<Answer> {
    let statements = match planned(role, search_path, text) {
        Ok(statements) => statements,
        Err(refusal) => {
            let error = ServerError {
                severity: "ERROR".into(),
                code: refusal.code.into(),
                message: refusal.message,
                hint: refusal.hint,
                ..ServerError::default()
            };
            return vec![Answer { error: Some(error), ..Answer::default() }];
        }
    };
    let server = postgres();
    let key = key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes());
    let key = key.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (folder, port) = (server.socket_folder(), server.port());
    let mut connection = Client::connect_unix_with(folder, port, login, DATABASE, &key);
    if let Some(path) = search_path {
        connection.simple(&format!("SET search_path TO {path}"));
    }
    let mut statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    if statements.is_empty() {
        statements.push("");
    }
    let undone = role == "agent";
    if undone {
        connection.simple("BEGIN");
    }
    connection.data = data.map(|data| data.as_bytes().to_vec());
    let mut answers = connection.run(Form::ExtendedText, text, &statements);
    if !after.is_empty() {
        answers.extend(connection.simple(after));
    }
    answers.iter_mut().for_each(guarded);
    answers
}

/// What the guard makes of an error, whose text may be Scrim's own.
fn guarded(answer: &mut Answer) {
    let Some(error) = &mut answer.error else { return };
    let mut body = Vec::new();
    for (kind, text) in [(b'S', &error.severity), (b'C', &error.code), (b'M', &error.message)] {
        body.push(kind);
        client::put_string(&mut body, text);
    }
    body.push(0);
    let clean = scrim::guard::clean_error_fields(&body).expect("fields of an error");
    let fields = clean.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    for (kind, text) in fields {
        match kind {
            b'C' => error.code = client::text(text),
            b'M' => error.message = client::text(text),
            b'H' => error.hint = Some(client::text(text)),
            _ => {}
        }
    }
}

/// Reads and rewrites a text over relations of these names and columns, whatever the rules say of what it calls.
pub fn read_over(
    text: &str,
    relations: &BTreeMap<(String, String), Vec<String>>,
) -> Result<Vec<Reading>, Refusal> {
    static BASE: OnceLock<Arc<Snapshot>> = OnceLock::new();
    let mut over = Snapshot::clone(BASE.get_or_init(|| {
        let mut base = Snapshot::clone(&snapshot());
        base.relations.retain(|_, relation| relation.is_system());
        base.by_name.retain(|_, oid| base.relations.contains_key(oid));
        Arc::new(base)
    }));
    // A filter that drops nothing, so that each is seen through a template.
    let mut rules = String::from(
        "roles:\n  corpus:\n    may: [read, write]\n    masks:\n      \"*\": clear\n    rows:\n",
    );
    for (at, ((schema, name), columns)) in (1_000_000..).zip(relations) {
        let oid = RelationOid(at);
        over.schemas.insert(schema.clone());
        over.by_name.insert((schema.clone(), name.clone()), oid);
        over.relations.insert(oid, relation_of(oid, schema, name, columns));
        let quoted =
            format!("\"{}\".\"{}\"", schema.replace('"', "\"\""), name.replace('"', "\"\""));
        rules.push_str(&format!("      '{}': \"true\"\n", quoted.replace('\'', "''")));
    }
    if relations.is_empty() {
        rules = rules.replace("    rows:\n", "");
    }
    let rules = rules_of(&[("corpus.yaml", rules.as_str())]);
    let view = RoleView::new("corpus", rules, Arc::new(over)).expect("the role");
    let path = SearchPath::parse("public").expect("a search_path");
    scrim::sql::read(text, Speaker::new(&view, &path, "tester", false))
}

fn relation_of(oid: RelationOid, schema: &str, name: &str, columns: &[String]) -> Relation {
    let column = |(number, name): (i16, &String)| Column {
        number,
        name: name.clone(),
        type_sql: "text".into(),
        type_oid: 25,
        type_modifier: -1,
        family: TypeFamily::Text,
        domain_over: None,
        nondeterministic_collation: None,
        generated: false,
        groupable: true,
    };
    let mut names: Vec<&String> = Vec::new();
    for name in columns {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Relation {
        oid,
        schema: schema.into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns: (1..).zip(names).map(column).collect(),
        primary_key: Vec::new(),
        parents: Vec::new(),
        definition: None,
        reads: Vec::new(),
    }
}

fn planned(role: &str, search_path: Option<&str>, text: &str) -> Result<Vec<String>, Refusal> {
    let path = search_path.unwrap_or("\"$user\", public");
    let path = SearchPath::parse(path).unwrap_or_else(|| panic!("no search_path: {path}"));
    let view = view(role);
    let speaker = Speaker::new(&view, &path, super::user_of(role), false);
    let plan = plan(text, speaker)?;
    Ok(plan.statements.iter().map(|statement| statement.sql.as_str().to_owned()).collect())
}

/// The role's view of the sample database.
fn view(role: &str) -> Arc<RoleView> {
    static VIEWS: OnceLock<Mutex<BTreeMap<String, Arc<RoleView>>>> = OnceLock::new();
    let mut views = VIEWS.get_or_init(Mutex::default).lock().expect("no panic holds it");
    let make = || {
        let mut stated = Stated::default().with("user", super::user_of(role));
        for (name, value) in super::stated_by(role) {
            stated = stated.with(name.trim_start_matches("scrim."), value);
        }
        let name = role.split(" for ").next().unwrap_or(role);
        let view = RoleView::of(name, sample_rules(), snapshot(), &stated);
        Arc::new(view.unwrap_or_else(|| panic!("there is no role `{role}`")))
    };
    Arc::clone(views.entry(role.into()).or_insert_with(make))
}

fn sample_rules() -> Arc<RuleSet> {
    rules_of(scrim::demo::SAMPLE_RULES)
}

/// Rules by their files' names and texts; panics with what is wrong in them.
pub fn rules_of(files: &[(&'static str, &str)]) -> Arc<RuleSet> {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(*name, *text);
    }
    let (rules, _) = rules::load(sources, &NoEnvironment)
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    Arc::new(rules)
}

fn snapshot() -> Arc<Snapshot> {
    snapshot_over(&mut connect_direct("scrim"))
}

/// The catalog of the database that a connection is to.
pub fn snapshot_over(connection: &mut Client) -> Arc<Snapshot> {
    let mut rows_of = |query: &&str| -> Vec<Vec<Option<String>>> {
        let answers = connection.simple(query);
        let rows = answers.into_iter().flat_map(|answer| answer.rows);
        rows.map(|row| row.iter().map(|value| value.as_deref().map(client::text)).collect())
            .collect()
    };
    let answers: Vec<_> = catalog::QUERIES.iter().map(&mut rows_of).collect();
    Arc::new(catalog::read_snapshot(&answers).unwrap_or_else(|error| panic!("{error}")))
}
