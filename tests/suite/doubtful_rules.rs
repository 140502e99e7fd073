//! What `scrim check` says of rules that fit the database and still cannot be meant.

use std::process::Command;

use crate::harness::{self, rules_folder, sample_verifier};

const DATABASE: &str = "doubtful";

const TABLES: &str = "
CREATE TABLE people (id int PRIMARY KEY, rrn text, born text GENERATED ALWAYS AS (left(rrn, 6)) STORED, name text);
CREATE VIEW people_open AS SELECT id, rrn FROM people;
CREATE VIEW people_below AS SELECT id, rrn FROM people_open;
CREATE VIEW people_names AS SELECT id, name FROM people;
CREATE MATERIALIZED VIEW people_copy AS SELECT id, rrn AS number FROM people;
CREATE INDEX people_by_rrn ON people (left(name, 2), id);
CREATE INDEX people_rrn_itself ON people (left(rrn, 2));
CREATE INDEX people_barrnes ON people (name);
CREATE TABLE secrets (id int, word text);
CREATE TABLE visits (id int, day date, note text) PARTITION BY RANGE (day);
CREATE TABLE visits_first PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE visits_second PARTITION OF visits FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE places (id int, town text);
CREATE TABLE places_abroad (country text) INHERITS (places);
CREATE FUNCTION distance_km(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a - b';
";

const RULES: &str = "open: [public.people_below, public.people_names]
tables:
  public.people:
    columns: {id: open, rrn: identity, born: open, name: person}
    conditions:
      grown: born < '2008' and scrim.town is null
      always: 1 = 1
      unused: id > 5
      broken: no_such_column
  public.people_copy:
    columns: {id: open, number: open}
  public.secrets:
    columns: {id: secret, word: secret}
  public.visits:
    columns: {id: open}
  public.places:
    columns: {id: open}
roles:
  helper:
    masks:
      \"*\": redact
      identity: hide
      secret: hide
      person: {when: grown, then: name, else: redact}
    rows:
      public.people: always
      public.secrets: id > 1
    functions: [public.distance_kn, public.distance_km]
    details: {ticket: integer, town: text}
  seer:
    masks: {\"*\": redact, identity: {keep_last: 2}}
  spare:
    masks: {\"*\": redact}
users:
  helga: {roles: [helper, seer], certificate: helga}
";

#[test]
fn doubtful_rules_are_told() {
    let server = harness::postgres();
    server.create_database(DATABASE, None).expect("a database");
    server.run(DATABASE, TABLES).expect("tables");
    let folder = rules_folder(&[]);
    let rules = folder.path().join("own");
    std::fs::create_dir(&rules).expect("a folder");
    std::fs::write(
        rules.join("r.yaml"),
        RULES.replace(", certificate: helga", ", password: PASSWORD"),
    )
    .expect("rules");
    let verifier = sample_verifier();
    let text = std::fs::read_to_string(rules.join("r.yaml")).expect("rules");
    std::fs::write(rules.join("r.yaml"), text.replace("PASSWORD", &format!("\"{verifier}\"")))
        .expect("rules");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.args(["check", "--rules", "own", "--database", DATABASE]).current_dir(folder.path());
    let output = command.output().expect("scrim starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "they are warnings: {said}");
    for (place, says) in [
        ("r.yaml:32:3", "nobody has the role `spare`"),
        ("r.yaml:8:15", "no mask and no `rows` use the condition `unused`"),
        ("r.yaml:9:15", "no mask and no `rows` use the condition `broken`"),
        (
            "r.yaml:9:15",
            "condition `broken` cannot be used: there is no column or condition `no_such_column`",
        ),
        ("r.yaml:7:15", "condition `always` names no column"),
        ("r.yaml:26:22", "this filter names no column of `public.people`"),
        ("r.yaml:27:7", "role `helper` does not see `public.secrets`, so these rows never count"),
        ("r.yaml:28:17", "there is no function `public.distance_kn` in this database"),
        (
            "r.yaml:1:8",
            "role `helper` does not see `public.people.rrn`, and `public.people_below`, which is open",
        ),
        ("r.yaml:10:3", "sees id, number of `public.people_copy`, which holds what it took there"),
        (
            "r.yaml:4:40",
            "does not see `rrn` of `public.people`, and sees `born`, which is generated from it",
        ),
        ("r.yaml:4:25", "and sees an index whose name tells of it: `people_by_rrn`"),
        ("r.yaml:19:3", "nothing that role `helper` sees goes by its detail `ticket`"),
        // A partition is told of with its parent, and of a child what is its own.
        ("r.yaml:14:3", "columns of `public.visits` that nobody classified: day, note"),
        ("r.yaml:16:3", "columns of `public.places` that nobody classified: town"),
        (
            "= help: they are masked",
            "columns of `public.places_abroad` that nobody classified: country",
        ),
    ] {
        let found = said.split("\n\n").any(|part| part.contains(says) && part.contains(place));
        assert!(found, "{place}: {says}\nis not in\n{said}");
        assert_eq!(said.matches(says).count(), 1, "each once: {says}\n{said}");
    }
    // Who does not lose anything by it is not told of, and neither is what is used.
    for not in [
        "role `seer` does not",
        "`public.people_names`",
        "`distance_km`",
        "condition `grown`",
        "role `seer`\n",
        // It is absent with the column, and the other's name is another word.
        "people_rrn_itself",
        "people_barrnes",
        "its detail `town`",
        "visits_first",
    ] {
        assert!(!said.contains(not), "{not} in\n{said}");
    }
}

/// The sample is above doubt.
#[test]
fn the_sample_rules_are_not_doubtful() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.args(["check", "--config"]).arg(harness::configuration());
    let output = command.output().expect("scrim starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for not in ["nobody has", "no mask and no", "names no column", "does not see", "no function"] {
        assert!(!said.contains(not), "{not} in\n{said}");
    }
}
