//! What `scrim check` says of `grants` that fit the database and open nothing.

use std::process::Command;

use crate::harness::{self, rules_folder, sample_verifier};

const DATABASE: &str = "doubtful_grants";

const TABLES: &str = "
CREATE DOMAIN plate AS text;
CREATE TABLE people (id int PRIMARY KEY, phone text, rrn text, car plate, town text);
CREATE TABLE letters (id int, body text);
CREATE TABLE codes (code text PRIMARY KEY, word text);
CREATE TABLE visits (id int, day date, note text, PRIMARY KEY (id));
CREATE TABLE visits_abroad (country text) INHERITS (visits);
CREATE TABLE steps (day date PRIMARY KEY, count int);
CREATE TABLE shelves (id int PRIMARY KEY, label text);
CREATE TABLE shelves_high () INHERITS (shelves);
";

/// Rows of `visits_abroad` are named by the key of `visits`. For who has a filter on a child alone the parent is closed.
const RULES: &str = "tables:
  public.people:
    columns: {id: open, phone: contact.phone, rrn: identity, car: car, town: place}
  public.letters:
    columns: {id: open, body: letter}
  public.codes:
    columns: {code: code.itself, word: code.word}
  public.visits:
    columns: {id: open, day: open, note: visit}
  public.visits_abroad:
    columns: {country: visit}
  public.steps:
    columns: {day: open, count: walk}
  public.shelves:
    columns: {id: open, label: shelf}
roles:
  helper:
    masks: {\"*\": redact, place: clear, identity: hide}
    rows: {public.letters: id > 5, public.shelves_high: id > 5}
    grants:
      may:
        - contact
        - contact.phnoe
        - place
        - identity
        - car
        - letter
        - code
        - visit
        - walk
      hidden: [contact]
      longest: 1h
      approvers:
        - lead
        - boss
      widen_rows: true
  whole:
    masks: {\"*\": redact, identity: hide}
    grants:
      may: [contact, identity, letter, code, walk, shelf]
      hidden: [identity]
      longest: 1h
      approval: none
      whole_columns: true
      widen_rows: true
  wider:
    masks: {\"*\": redact}
    rows: {public.letters: id > 5, public.people: id > 5}
    grants: {may: [contact], longest: 1h, approval: none, widen_rows: true}
  caller:
    masks: {\"*\": redact, contact: clear, place: clear, identity: hide}
    purposes:
      call: {masks: {contact: clear}}
      check: {masks: {contact: redact}, rows: {public.people: id > 5}}
    grants:
      may: [contact, place, identity]
      hidden: [identity]
      longest: 1h
      approval: none
      widen_rows: true
  closed:
    masks: {\"*\": redact}
    rows: {public.visits_abroad: id > 5}
    grants:
      may: [visit]
      longest: 1h
      approval: none
      whole_columns: true
      widen_rows: true
  lead:
    masks: {\"*\": redact}
  boss:
    extends: lead
users:
  helga: {roles: [helper, whole, wider, caller, closed], password: PASSWORD}
  lea: {roles: [lead], password: PASSWORD}
";

fn check(rules: &str, offline: bool) -> (bool, String) {
    let folder = rules_folder(&[]);
    let own = folder.path().join("own");
    std::fs::create_dir(&own).expect("a folder");
    let text = rules.replace("PASSWORD", &format!("\"{}\"", sample_verifier()));
    std::fs::write(own.join("r.yaml"), text).expect("rules");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.args(["check", "--rules", "own"]).current_dir(folder.path());
    match offline {
        true => command.arg("--offline"),
        false => command.args(["--database", DATABASE]),
    };
    let output = command.output().expect("scrim starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn grants_that_open_nothing_are_told() {
    let server = harness::postgres();
    server.create_database(DATABASE, None).expect("a database");
    server.run(DATABASE, TABLES).expect("tables");
    let (is_fine, said) = check(RULES, false);
    assert!(is_fine, "they are warnings: {said}");
    let below = |part: &str, lines: usize| {
        let line = RULES.lines().position(|line| line.trim() == part).expect(part);
        format!("r.yaml:{}:", line + 1 + lines)
    };
    let line = |part: &str| below(part, 0);
    for (place, says) in [
        (
            line("- contact.phnoe"),
            "no column has the tag `contact.phnoe`, so nothing is opened by it",
        ),
        (line("- contact.phnoe"), "did you mean `contact.phone`?"),
        (
            line("- place"),
            "nothing with the tag `place` can be opened to role `helper`: the role sees it clear\n",
        ),
        (
            line("- identity"),
            "nothing with the tag `identity` can be opened to role `helper`: the role has it hidden, and `hidden` does \
             not name it\n",
        ),
        (line("- identity"), "help: `hidden: [identity]` beside `may` lets it be opened"),
        (
            line("- car"),
            "nothing with the tag `car` can be opened to role `helper`: it is of a domain type\n",
        ),
        (
            line("- letter"),
            "nothing with the tag `letter` can be opened to role `helper`: it has no table with a plain primary key",
        ),
        (line("- letter"), "help: `whole_columns: true` lets a grant go without rows"),
        (
            line("- code"),
            "nothing with the tag `code` can be opened to role `helper`: it has no table",
        ),
        (
            line("- walk"),
            "nothing with the tag `walk` can be opened to role `helper`: it has no table",
        ),
        (
            line("hidden: [contact]"),
            "role `helper` has nothing with the tag `contact` hidden, so there is nothing for `hidden` to open",
        ),
        (line("- boss"), "no user has the role `boss`, so nobody agrees by it"),
        (
            below("helper:", 3),
            "no table that `rows` filters has a plain primary key that role `helper` sees clear, so there are no rows",
        ),
        (
            below("closed:", 3),
            "a plain primary key that role `closed` sees clear, so there are no rows",
        ),
        (
            below("whole:", 2),
            "role `whole` has no `rows`, so there are none for `widen_rows` to show",
        ),
        (
            line("may: [contact, place, identity]"),
            "nothing with the tag `place` can be opened to role `caller`: the role sees it clear\n",
        ),
    ] {
        let found = said.split("\n\n").any(|part| part.contains(says) && part.contains(&place));
        assert!(found, "{place} {says}\nis not in\n{said}");
    }
    assert_eq!(said.matches("can be opened to role").count(), 7, "{said}");
    assert_eq!(said.matches("widen_rows` to show").count(), 3, "{said}");
    assert_eq!(said.matches("`hidden` to open").count(), 1, "{said}");
}

#[test]
fn who_agrees_needs_no_database() {
    let said = |rules: &str| {
        let (is_fine, said) = check(rules, true);
        assert!(is_fine, "they are warnings: {said}");
        said
    };
    assert!(said(RULES).contains("no user has the role `boss`, so nobody agrees by it"));
    let two = RULES
        .replace("lea: {roles: [lead]", "lea: {roles: [boss]")
        .replace("[helper, whole", "[helper, lead, whole");
    assert!(!said(&two).contains("agree"));
    let one = two.replace("[boss], password: PASSWORD", "[boss], certificate: lea");
    let told = said(&one);
    for part in [
        "only user `helga` could agree to a grant for role `helper`, and nobody else could ask for one",
        "nobody with the role `boss` has a password, so nobody agrees by it",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}
