//! One test of a page: through Scrim and on the masked copy, in every form.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::compare;
use super::page::{Case, Expectation};
use crate::canary;
use crate::harness::{
    self,
    client::{Answer, Client, Form},
};
use crate::masked_copy::{RowTypes, masked_copy};

/// The role that sees everything: its copy is the original, and canaries are its daily bread.
const CLEAR_ROLE: &str = "admin";

/// What came of a test.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In words; empty: it holds.
    pub failures: Vec<String>,
    /// For `--update`: the table that the page should show, and may.
    pub new_table: Option<NewTable>,
}

/// Lines of a page to be replaced.
#[derive(Debug)]
pub struct NewTable {
    pub block: Range<usize>,
    pub lines: Vec<String>,
}

/// [`run`], where a panic (a connection that broke, a malformed message) is a failure like any other.
pub fn run_guarded(case: &Case, update: bool) -> Outcome {
    std::panic::catch_unwind(|| run(case, update)).unwrap_or_else(|panic| Outcome {
        failures: vec![format!("panic: {}", panic_text(&*panic))],
        new_table: None,
    })
}

/// The case by the core alone: its plan on the database against the copy, its refusal against the page.
pub fn run_core(case: &Case) -> Vec<String> {
    let guarded = std::panic::catch_unwind(|| {
        let copy = masked_copy(&case.role);
        let answers = harness::core::run(
            &case.role,
            &copy.login,
            case.search_path.as_deref(),
            (&case.sql, case.data.as_deref()),
            "",
        );
        let mut failures = Vec::new();
        // Two servers may stop at different words of what they do not have.
        let mut law_holds = case.compared && !case.is_missing();
        for expectation in &case.expected {
            match expectation {
                Expectation::Refused { code, lines } => {
                    law_holds = false;
                    failures.extend(refusal_differs(code, lines, &answers));
                }
                Expectation::Table { .. }
                | Expectation::Error { .. }
                | Expectation::Sent(_)
                | Expectation::After { .. }
                | Expectation::Fails
                | Expectation::Audit(_) => {}
            }
        }
        if law_holds {
            failures.extend(law(case, Form::ExtendedText, &statements(&case.sql), &answers));
        }
        failures
    });
    guarded.unwrap_or_else(|panic| vec![format!("panic: {}", panic_text(&*panic))])
}

/// What PostgreSQL cannot parse goes as it is, in one piece.
pub fn statements(sql: &str) -> Vec<&str> {
    let statements = pg_query::split_with_parser(sql).unwrap_or_default();
    if statements.len() < 2 { vec![sql] } else { statements }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn run(case: &Case, update: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let statements = statements(&case.sql);
    for form in Form::ALL {
        let failures = run_form(case, form, &statements, update, &mut outcome.new_table);
        let named = failures.into_iter().map(|failure| format!("{form:?}: {failure}"));
        outcome.failures.extend(named);
        // The same complaint three times helps nobody.
        if !outcome.failures.is_empty() {
            break;
        }
    }
    for expectation in &case.expected {
        if let Expectation::Sent(expected) = expectation {
            let sent = harness::core::sent(&case.role, case.search_path.as_deref(), &case.sql);
            if sent.trim() != expected.trim() {
                outcome.failures.push(format!("sent upstream:\n{sent}\n  expected:\n{expected}"));
            }
        }
    }
    for expectation in &case.expected {
        if let Expectation::After { sql, lines } = expectation {
            let path = case.search_path.as_deref();
            let answers = harness::core::run(
                &case.role,
                "scrim",
                path,
                (&case.sql, case.data.as_deref()),
                sql,
            );
            let last = &answers[answers.len().saturating_sub(1)..];
            let wrong = table_differs(lines, last, ordered(sql));
            outcome.failures.extend(wrong.map(|wrong| format!("the true database: {wrong}")));
        }
    }
    if !outcome.failures.is_empty() {
        outcome.new_table = None;
    }
    outcome
}

fn run_form(
    case: &Case,
    form: Form,
    statements: &[&str],
    update: bool,
    new_table: &mut Option<NewTable>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let application = application_name();
    let mut scrim = connect(case, form, &application);
    if case.is_undone() {
        scrim.simple("BEGIN");
    }
    scrim.data = case.data.clone().map(String::into_bytes);
    let answers = scrim.run(form, &case.sql, statements);
    let clear = case.role == CLEAR_ROLE;
    let check_bytes = |client: &mut Client, failures: &mut Vec<String>| {
        let found = if clear { Vec::new() } else { canary::find(&client.take_received()) };
        failures.extend(found.iter().map(|what| format!("a canary reached the client: {what}")));
    };
    check_bytes(&mut scrim, &mut failures);

    let mut table_ok = None;
    let mut refusal_expected = false;
    for expectation in &case.expected {
        match expectation {
            Expectation::Table { lines, block } => {
                // Tables are written in text form; the binary form is held against the copy alone.
                if form != Form::ExtendedBinary {
                    let wrong = table_differs(lines, &answers, ordered(&case.sql));
                    table_ok = Some((wrong.is_none(), block.clone()));
                    if !update {
                        failures.extend(wrong);
                    }
                }
            }
            Expectation::Refused { code, lines } => {
                refusal_expected = true;
                failures.extend(refusal_differs(code, lines, &answers));
            }
            Expectation::Error { code, message } => {
                failures.extend(error_differs(code, message.as_deref(), &answers));
            }
            Expectation::Sent(_) | Expectation::After { .. } => {}
            Expectation::Fails => {
                if !answers.iter().any(is_failure) {
                    failures
                        .push("this server has it: the page's `since` or `until` is wrong".into());
                }
            }
            Expectation::Audit(expected) => {
                failures.extend(harness::audit_differs(&application, expected));
            }
        }
    }
    let error_expected =
        case.expected.iter().any(|e| matches!(e, Expectation::Error { .. } | Expectation::Fails));
    if !refusal_expected {
        if !error_expected && let Some(answer) = answers.iter().find(|answer| is_failure(answer)) {
            failures.push(format!("expected an answer, got {}", compare::summary(answer)));
        }
        if case.compared && !case.is_missing() {
            failures.extend(law(case, form, statements, &answers));
        }
    }
    if failures.is_empty()
        && update
        && form == Form::Simple
        && let Some((false, block)) = table_ok
    {
        *new_table = Some(NewTable { block, lines: results(&answers).concat() });
    }

    if scrim.transaction != b'I' {
        scrim.simple("ROLLBACK");
    }
    let after = scrim.simple("SELECT 1");
    if after.first().and_then(|answer| answer.rows.first()) != Some(&vec![Some(b"1".to_vec())]) {
        failures.push(format!("the session did not survive: {after:?}"));
    }
    check_bytes(&mut scrim, &mut failures);
    failures
}

/// Some types have no binary form; PostgreSQL then says so, and that is the law's answer.
fn is_failure(answer: &Answer) -> bool {
    answer.error.as_ref().is_some_and(|error| {
        !(error.code == "42883" && error.message.starts_with("no binary output function"))
    })
}

/// The law: what PostgreSQL says on the masked copy.
fn law(case: &Case, form: Form, statements: &[&str], answers: &[Answer]) -> Vec<String> {
    let copy = (case.role != CLEAR_ROLE).then(|| masked_copy(&case.role));
    let mut client = match copy.as_deref() {
        Some(copy) => copy.connect(),
        None => harness::connect_direct("scrim"),
    };
    if let Some(path) = &case.search_path {
        client.simple(&format!("SET search_path TO {path}"));
    }
    if case.is_undone() {
        client.simple("BEGIN");
    }
    client.data = case.data.clone().map(String::into_bytes);
    let expected = client.run(form, &case.sql, statements);
    let none = RowTypes::default();
    let row_types = copy.as_deref().map_or(&none, |copy| &copy.row_types);
    compare::differences(&expected, answers, ordered(&case.sql), row_types)
}

/// Half of the sessions get their search_path by SET, half by a startup parameter.
pub fn connect(case: &Case, form: Form, application: &str) -> Client {
    let mut options = vec![("application_name", application)];
    if let (Some(path), true) = (&case.search_path, form != Form::Simple) {
        options.push(("search_path", path));
    }
    let mut client = harness::connect(&case.role, &options);
    if let (Some(path), true) = (&case.search_path, form == Form::Simple) {
        let answers = client.simple(&format!("SET search_path TO {path}"));
        assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    }
    client
}

/// By which the audit records of a session are found again.
fn application_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("case-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Does the text say in which order rows come?
pub fn ordered(sql: &str) -> bool {
    let words = sql.split_whitespace().map(str::to_ascii_lowercase).collect::<Vec<_>>();
    words.join(" ").contains("order by")
}

/// The answers that have columns, as pages show them: one after the other.
fn results(answers: &[Answer]) -> Vec<Vec<String>> {
    let tables = answers.iter().filter(|answer| answer.columns.is_some() && answer.error.is_none());
    tables.map(compare::render).collect()
}

fn table_differs(expected: &[String], answers: &[Answer], ordered: bool) -> Option<String> {
    let results = results(answers);
    if results.is_empty() {
        let got: Vec<String> = answers.iter().map(compare::summary).collect();
        return Some(format!("expected a table, got {}", got.join("; ")));
    }
    // Where one table ends and the next begins cannot be seen on the page, so several keep their order.
    let ordered = ordered || results.len() > 1;
    let sorted = |lines: &[String]| {
        let mut lines: Vec<String> = lines.iter().map(|line| line.trim_end().to_owned()).collect();
        if let (false, Some(rows)) = (ordered, lines.get_mut(1..)) {
            rows.sort();
        }
        lines
    };
    let (left, right) = (sorted(expected), sorted(&results.concat()));
    (left != right).then(|| {
        let indented = |lines: &[String]| format!("      {}", lines.join("\n      "));
        format!("expected\n{}\n    got\n{}", indented(&left), indented(&right))
    })
}

fn refusal_differs(code: &str, lines: &[String], answers: &[Answer]) -> Vec<String> {
    let Some(error) = answers.iter().find_map(|answer| answer.error.as_ref()) else {
        let got: Vec<String> = answers.iter().map(compare::summary).collect();
        return vec![format!("expected a refusal {code}, got {}", got.join("; "))];
    };
    let mut wrong = Vec::new();
    if error.code != code {
        wrong.push(format!("expected {code}, got {} {}", error.code, error.message));
    }
    if code == "42501" && !error.message.starts_with("scrim: ") {
        wrong.push(format!("not Scrim's own refusal: {}", error.message));
    }
    for line in lines {
        let (place, part, whole) = match line.strip_prefix("hint: ") {
            Some(part) => ("hint", part, error.hint.as_deref().unwrap_or_default()),
            None => ("message", line.as_str(), error.message.as_str()),
        };
        if !whole.contains(part.trim_end()) {
            wrong.push(format!("the {place} should contain `{part}`, it is `{whole}`"));
        }
    }
    wrong
}

fn error_differs(code: &str, message: Option<&str>, answers: &[Answer]) -> Option<String> {
    let Some(error) = answers.iter().find_map(|answer| answer.error.as_ref()) else {
        return Some(format!("expected error {code}, got an answer"));
    };
    let message = message.unwrap_or_default();
    (error.code != code || !error.message.contains(message))
        .then(|| format!("expected {code} {message}, got {} {}", error.code, error.message))
}

/// Replaces the tables of a page.
pub fn rewrite_tables(file: &Path, mut tables: Vec<NewTable>) {
    let text = std::fs::read_to_string(file).expect("a page");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.block.start));
    for table in tables {
        lines.splice(table.block, table.lines);
    }
    std::fs::write(file, lines.join("\n") + "\n").expect("a page that can be written");
}
