//! Lookups by parameters, and what they cost, end to end.

use std::path::Path;

use scrim::demo::{Desk, RunningScrim, sample_password};

use crate::harness::client::{Answer, Client, text};
use crate::harness::sample_verifier;

/// What a user of `finder` may look up in a minute.
const BUDGET: usize = 3;

struct Finders {
    scrim: RunningScrim,
    _desk: Desk,
}

impl Finders {
    /// `finder` sees only customers who agreed, and so does `other`, a second user of the role.
    fn open() -> Finders {
        let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let verifier = sample_verifier();
        let rules = format!(
            "roles:
  finder:
    extends: analyst
    lookup: [person.name, identity]
    limits: {{lookups_per_minute: {BUDGET}}}
users:
  finder: {{role: finder, password: \"{verifier}\"}}
  other: {{role: finder, password: \"{verifier}\"}}
"
        );
        std::fs::write(desk.folder().join("masking-rules/60-finders.yaml"), rules).expect("rules");
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk)
            .unwrap_or_else(|error| panic!("{error}"));
        Finders { scrim, _desk: desk }
    }

    fn connect(&self, user: &str) -> Client {
        let password = sample_password("alice");
        Client::connect(self.scrim.address(), user, &password, "desk", &[])
            .unwrap_or_else(|error| panic!("{error:?}: {}", self.scrim.said()))
    }
}

fn value(answer: &Answer) -> Result<String, String> {
    match &answer.error {
        Some(error) => Err(format!(
            "{} {} {}",
            error.code,
            error.message,
            error.hint.clone().unwrap_or_default()
        )),
        None => Ok(text(answer.rows[0][0].as_deref().expect("a value"))),
    }
}

fn ask(client: &mut Client, statement: &str) -> Result<String, String> {
    value(client.simple(statement).last().expect("an answer"))
}

#[test]
fn a_lookup_sees_only_the_rows_of_the_role() {
    let finders = Finders::open();
    let mut client = finders.connect("finder");
    // Both Kims have agreed, Lee has not.
    let count = "SELECT count(*) FROM customers WHERE name =";
    assert_eq!(ask(&mut client, &format!("{count} 'Kim Minqzxsu'")).as_deref(), Ok("2"));
    assert_eq!(ask(&mut client, &format!("{count} 'Lee Seoqzxyeon'")).as_deref(), Ok("0"));
    // A hidden column has no true value to ask for.
    let hidden = ask(&mut client, "SELECT count(*) FROM customers WHERE rrn = '850312-1904175'");
    assert!(hidden.as_ref().is_err_and(|said| said.starts_with("42703")), "{hidden:?}");
}

#[test]
fn a_user_s_budget_holds_over_sessions_and_forms() {
    let finders = Finders::open();
    let (mut first, mut second) = (finders.connect("finder"), finders.connect("finder"));
    let count = "SELECT count(*) FROM customers WHERE name";
    // Two values; then EXECUTE, which PREPARE has not counted for.
    assert_eq!(ask(&mut first, &format!("{count} IN ('a', 'b')")).as_deref(), Ok("0"));
    assert!(second.simple(&format!("PREPARE s(text) AS {count} = $1"))[0].error.is_none());
    assert_eq!(ask(&mut second, "EXECUTE s('Kim Minqzxsu')").as_deref(), Ok("2"));
    for spent in [
        ask(&mut second, "EXECUTE s('Kim Minqzxsu')"),
        ask(&mut first, &format!("{count} = 'a'")),
        ask(&mut first, &format!("EXPLAIN {count} = 'a'"))
            .map_err(|said| said.replace("EXPLAIN", "")),
        value(&first.extended(&format!("{count} = 'a'"), true)),
        value(&first.extended(&format!("COPY ({count} = 'a') TO STDOUT"), false)),
        ask(&mut first, &format!("BEGIN; DECLARE c CURSOR FOR {count} = 'a'; FETCH c; COMMIT")),
    ] {
        let said = spent.expect_err("nothing is left");
        assert!(said.starts_with("42501 scrim: "), "{said}");
        let is_budget = said.contains(&format!("may look up {BUDGET} values a minute"))
            && said.contains("wait ");
        assert!(is_budget || said.contains("not allowed for role `finder`"), "{said}");
    }
    // Other statements go on, and so does another user.
    assert_eq!(
        ask(&mut first, "ROLLBACK; SELECT count(*) FROM customers WHERE id = 1").as_deref(),
        Ok("1")
    );
    assert_eq!(
        ask(&mut finders.connect("other"), &format!("{count} = 'Kim Minqzxsu'")).as_deref(),
        Ok("2")
    );
}

#[test]
fn a_statement_that_alone_is_too_much_says_so() {
    let finders = Finders::open();
    let mut client = finders.connect("finder");
    let statement = "SELECT count(*) FROM customers WHERE name IN ('a', 'b', 'c', 'd')";
    let said = ask(&mut client, statement).expect_err("four of three");
    assert!(said.contains("the statement alone looks up more"), "{said}");
    // Nothing of it was spent.
    let three = "SELECT count(*) FROM customers WHERE name IN ('a', 'b', 'c')";
    assert_eq!(ask(&mut client, three).as_deref(), Ok("0"));
    // Of several statements in one text none runs when one is too much.
    let mut other = finders.connect("other");
    let text = format!("SELECT 1; {statement}");
    let answers = other.simple(&text);
    assert!(answers.last().is_some_and(|answer| answer.error.is_some()), "{text}");
    assert!(answers.iter().all(|answer| answer.rows.is_empty()), "{text}");
}
