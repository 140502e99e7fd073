//! The command against a real PostgreSQL: what it prints, what it writes, what it asks of the server, and what it must never
//! show. Every value of the database holds `qzx` or `90417`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use scrim::demo::{SAMPLE_RULES, SERVICE_LOGIN, sample_password};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::client::Client;
use crate::harness::postgres;

const DATABASE: &str = "scan_me";

/// Marks of values; some stand in keys of documents, in comments and in an error that a policy raises.
const MARKS: [&str; 2] = ["qzx", "90417"];

const SQL: &str = r#"
CREATE TABLE public.clients (
    id int PRIMARY KEY, full_name text, e_mail text, tel text, rrn text, card_number text, home_addr text,
    notes text, profile jsonb, others text[], created_at timestamptz, active boolean, amount numeric, blob bytea);
COMMENT ON COLUMN public.clients.amount IS 'ask qzx at 90417';
INSERT INTO public.clients
SELECT i, 'Maria Qzxsmith', 'maria' || i || 'qzx@example.com', '010-9041-7' || lpad(i::text, 3, '0'),
    '850312-1904175', '4539-0417-1234-5671', i || ' Qzx Street, Leeds', 'please call 010-9041-7123, says qzx',
    jsonb_build_object('email', 'a' || i || 'qzx@example.com', 'qzx' || i || '@example.com', 90417, 'qzx_key', '90417'),
    ARRAY['b' || i || '.qzx@example.com'], now(), true, 90417, '\x90417a'
FROM generate_series(1, 40) AS i;
CREATE TABLE public.orders (id int PRIMARY KEY, client_mail text, client_id int REFERENCES public.clients, status text);
INSERT INTO public.orders SELECT i, 'c' || i || 'qzx@example.com', i, 'paid qzx' FROM generate_series(1, 30) AS i;
CREATE TABLE public.leaky (sku text, owner_email text);
INSERT INTO public.leaky SELECT 'x', 'd' || i || 'qzx@example.com' FROM generate_series(1, 30) AS i;
CREATE TABLE public.closed (password text);
CREATE TABLE public.held (email text);
CREATE FUNCTION public.shout(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'value %', $1; END$$;
CREATE TABLE public.shouting (email text);
INSERT INTO public.shouting VALUES ('qzx@example.com');
ALTER TABLE public.shouting ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.shouting USING (public.shout(email));
CREATE TABLE public."Odd ""name" ("a: b" text, "new
line" text, "메일 주소" text, "true" text);
INSERT INTO public."Odd ""name" SELECT 'e' || i || 'qzx@example.com', 'f' || i || 'qzx@example.com', 'g' || i || 'qzx@example.com',
    'h' || i || 'qzx@example.com' FROM generate_series(1, 10) AS i;
CREATE TABLE public.parts (id int, phone text) PARTITION BY RANGE (id);
CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (100);
CREATE TABLE public.large (mail text, filler text);
INSERT INTO public.large SELECT 'i' || i || 'qzx@example.com', repeat('x', 1500) FROM generate_series(1, 7000) AS i;
ANALYZE public.large;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO scrim;
REVOKE ALL ON public.closed FROM scrim;
"#;

const ROLES: &str =
    "roles:\n  support: {may: [read], masks: {\"*\": redact, contact.email: email}}\n";

fn database() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        postgres().create_database(DATABASE, None).expect("a database");
        postgres().run(DATABASE, SQL).expect("tables");
    });
    DATABASE
}

/// A folder with scrim.yaml and rules.
struct Place(TempDir);

impl Place {
    fn new(rules: &[(&str, &str)]) -> Place {
        Place::of(database(), rules)
    }

    fn of(database: &str, rules: &[(&str, &str)]) -> Place {
        let folder = TempDir::new().expect("a folder");
        let configuration = format!(
            "database: {{host: 127.0.0.1, port: {}, user: {SERVICE_LOGIN}, name: {}, password: {}, tls: disable}}\n\
             rules: rules\n",
            postgres().port(),
            database,
            sample_password(SERVICE_LOGIN)
        );
        std::fs::write(folder.path().join("scrim.yaml"), configuration).expect("scrim.yaml");
        std::fs::create_dir(folder.path().join("rules")).expect("a folder");
        let place = Place(folder);
        rules.iter().for_each(|(name, text)| place.put(name, text));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("rules").join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
        let output =
            command.args(arguments).current_dir(self.0.path()).output().expect("scrim starts");
        for said in [&output.stdout, &output.stderr] {
            let said = String::from_utf8_lossy(said);
            for mark in MARKS {
                assert!(
                    !said.to_ascii_lowercase().contains(mark),
                    "scrim {arguments:?} shows a value:\n{said}"
                );
            }
        }
        output
    }

    /// Standard output and standard error of what goes well.
    fn scan(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(&[&["scan"], arguments].concat());
        let texts = (utf8(&output.stdout), utf8(&output.stderr));
        assert!(output.status.success(), "scan {arguments:?}: {}", texts.1);
        texts
    }

    fn wrong(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["scan"], arguments].concat());
        assert!(!output.status.success(), "scan {arguments:?} should fail");
        assert_eq!(utf8(&output.stdout), "", "scan {arguments:?} fails on standard output");
        utf8(&output.stderr)
    }

    fn check(&self) {
        let output = self.run(&["check"]);
        assert!(output.status.success(), "check: {}", utf8(&output.stderr));
    }
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The line of a column.
fn line<'t>(text: &'t str, column: &str) -> &'t str {
    let start = format!("{column}: ");
    let found = text.lines().find(|line| line.trim_start().starts_with(&start));
    found.unwrap_or_else(|| panic!("no line for `{column}`:\n{text}"))
}

fn has_no_marks(text: &str) {
    let folded = text.to_ascii_lowercase();
    assert!(MARKS.iter().all(|mark| !folded.contains(mark)), "a value:\n{text}");
}

#[test]
fn an_unknown_database_becomes_rules_that_load() {
    let place = Place::new(&[]);
    let (yaml, told) = place.scan(&[]);
    for (column, tag) in [
        ("full_name", "person.name"),
        ("e_mail", "contact.email"),
        ("tel", "contact.phone"),
        ("rrn", "identity.national_id"),
        ("card_number", "payment.card"),
        ("home_addr", "location.address"),
        ("notes", "text.free"),
        ("profile", "person.profile"),
        ("others", "contact.email"),
        ("client_mail", "contact.email"),
        ("password", "secret.password"),
        ("phone", "contact.phone"),
        ("\"a: b\"", "contact.email"),
        ("\"new\\u000aline\"", "contact.email"),
        ("id", "open"),
        ("created_at", "open"),
    ] {
        let line = line(&yaml, column);
        assert!(
            line.contains(&format!(": review.{tag} ")) && line.contains("# review: "),
            "{line}"
        );
    }
    assert!(
        line(&yaml, "e_mail").contains("values: 40 of 40 look like e-mail addresses"),
        "{yaml}"
    );
    assert!(yaml.contains("# scan: $.email looks like contact.email"), "{yaml}");
    assert!(!yaml.contains("parts_1"), "a partition is its parent's:\n{yaml}");
    for column in ["amount", "filler", "blob"] {
        assert!(!yaml.contains(&format!(" {column}: review")), "{column}:\n{yaml}");
    }
    // What cannot be read is named, without what the server says of it.
    assert!(
        told.contains("public.closed was not sampled: the service account may not read it (42501)"),
        "{told}"
    );
    assert!(
        told.contains("public.shouting was not sampled: the database answered P0001"),
        "{told}"
    );
    assert!(
        told.contains("contact.email") && !told.contains('\r') && !told.contains('\u{1b}'),
        "{told}"
    );
    // As it stands it loads, and nobody sees more by it.
    place.put("10-roles.yaml", ROLES);
    let explained = |place: &Place| {
        let statement = "SELECT e_mail, id, created_at FROM clients";
        utf8(&place.run(&["explain", "--role", "support", statement]).stdout)
    };
    let before = explained(&place);
    place.put("20-found.yaml", &yaml);
    place.check();
    let sent = |text: &str| text.lines().filter(|line| line.contains("SELECT")).collect::<String>();
    assert!(!sent(&before).is_empty());
    assert_eq!(sent(&explained(&place)), sent(&before));
}

#[test]
fn a_table_that_is_locked_does_not_stop_it() {
    let place = Place::new(&[]);
    let mut holder =
        Client::connect_unix(postgres().socket_folder(), postgres().port(), "postgres", database());
    holder.simple("BEGIN; LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE");
    let (yaml, told) = place.scan(&["--table", "public.held", "--table", "public.orders"]);
    assert!(told.contains("public.held was not sampled: somebody has locked it (55P03)"), "{told}");
    assert!(line(&yaml, "email").contains("values: not looked at"), "{yaml}");
    line(&yaml, "client_mail");
}

#[test]
fn lines_that_a_person_has_approved_are_kept() {
    let place = Place::new(&[("10-roles.yaml", ROLES)]);
    let write =
        ["--write", "rules/20-found.yaml", "--table", "public.orders", "--table", "public.clients"];
    let (found, told) = place.scan(&write);
    assert!(found.is_empty() && told.contains("written: "), "{found}{told}");
    place.check();
    let first = place.text("20-found.yaml");
    has_no_marks(&first);
    // A person approves one, decides about another, and writes things of their own.
    let edited = first
        .replace("client_mail: review.contact.email", "client_mail: contact.email")
        .replace("e_mail: review.contact.email", "e_mail: contact.work")
        .replace(
            "  public.orders:\n",
            "  public.orders:   # of the shop\n    conditions:\n      mine: id > 0\n",
        );
    assert_ne!(edited, first);
    place.put("20-found.yaml", &edited);
    place.check();
    let (_, told) = place.scan(&write);
    assert!(told.contains("2 classified by the rules"), "{told}");
    let second = place.text("20-found.yaml");
    let mut kept = second.lines();
    for line in edited.lines().filter(|line| !line.contains("review.") && !line.contains("# scan:"))
    {
        assert!(
            line.trim().is_empty() || kept.any(|kept| kept == line),
            "`{line}` is lost:\n{second}"
        );
    }
    assert_eq!(second.matches("client_mail:").count(), 1, "{second}");
    assert_eq!(second.matches("full_name: review.person.name").count(), 1, "{second}");
    place.check();
    // Once more: the same, whatever the dice of the sample say.
    place.scan(&write);
    assert_eq!(place.text("20-found.yaml"), second);
}

#[test]
fn what_other_files_say_is_left_to_them() {
    let tables = "open: [public.leaky]\ntables:\n  public.clients:\n    columns: {id: open, e_mail: contact.email}\n";
    let place = Place::new(&[("10-roles.yaml", ROLES), ("15-tables.yaml", tables)]);
    let (_, told) = place.scan(&["--write", "rules/20-found.yaml"]);
    let text = place.text("20-found.yaml");
    assert!(
        text.contains("# scan: public.clients stands in 15-tables.yaml:3; lines to put there:"),
        "{text}"
    );
    assert!(text.contains("# scan:   full_name: review.person.name"), "{text}");
    assert!(!text.contains(" e_mail:") && !text.contains("  public.clients:\n"), "{text}");
    assert!(told.contains("public.leaky is open by 15-tables.yaml:1, but its column `owner_email` looks like contact.email"), "{told}");
    assert!(text.contains("# scan: public.leaky is open by 15-tables.yaml:1"), "{text}");
    assert_eq!(place.text("15-tables.yaml"), tables);
    has_no_marks(&text);
    place.check();
}

#[test]
fn json_for_programs() {
    let place = Place::new(&[]);
    let (found, _) = place.scan(&["--format", "json", "--rows", "10", "--schema", "public"]);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let tables = found["tables"].as_array().expect("a list");
    let table =
        |name: &str| tables.iter().find(|table| table["relation"] == name).expect("a table");
    assert_eq!(found["database"], DATABASE);
    assert_eq!(table("public.clients")["rows_sampled"], 10);
    assert!(
        table("public.large")["rows_sampled"].as_u64().is_some_and(|rows| (1..=10).contains(&rows))
    );
    let columns = table("public.clients")["proposed"].as_array().expect("a list");
    let mail = columns.iter().find(|column| column["column"] == "e_mail").expect("a column");
    assert_eq!(
        (mail["tag"].as_str(), mail["type"].as_str()),
        (Some("contact.email"), Some("text"))
    );
    assert!(mail["confidence"].as_f64().is_some_and(|sure| sure > 0.9), "{mail}");
}

/// Tags of the sample that no column can be seen to deserve: numbers and times whose meaning is the desk's own.
const UNRECOGNISABLE: [&str; 7] = [
    "staff.id",
    "web.visitor",
    "web.time",
    "event.time",
    "event.day",
    "measure.small",
    "measure.float",
];

/// The sample desk, whose rules were written by people: nothing that they mask is called harmless, and of what they give a tag
/// little is missed.
#[test]
fn the_sample_desk_is_judged_like_its_rules() {
    let place = Place::of(scrim::demo::DATABASE, &[]);
    let (found, _) = place.scan(&["--format", "json"]);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let yaml = |index: usize| -> serde_yaml::Value {
        serde_yaml::from_str(SAMPLE_RULES[index].1).expect("YAML")
    };
    let rules = [yaml(1), yaml(2)];
    let (mut tagged, mut missed) = (0, Vec::new());
    for (relation, table) in
        rules.iter().flat_map(|file| file["tables"].as_mapping().expect("tables"))
    {
        let relation = relation.as_str().expect("a name");
        let tables = found["tables"].as_array().expect("tables");
        let Some(seen) = tables.iter().find(|table| table["relation"] == relation) else {
            continue;
        };
        let proposed = seen["proposed"].as_array().expect("a list");
        for (column, tag) in table["columns"].as_mapping().expect("columns") {
            let (column, tag) = (column.as_str().expect("a name"), tag.as_str().expect("a tag"));
            let proposal = proposed.iter().find(|proposal| proposal["column"] == column);
            let proposal = proposal.and_then(|proposal| proposal["tag"].as_str());
            if tag != "open" && !UNRECOGNISABLE.contains(&tag) {
                assert_ne!(proposal, Some("open"), "{relation}.{column}");
                tagged += 1;
                if proposal.is_none() {
                    missed.push(format!("{relation}.{column}"));
                }
            }
        }
    }
    assert!(tagged >= 25, "only {tagged}");
    assert!(missed.len() * 10 <= tagged * 2, "{} of {tagged} missed: {missed:?}", missed.len());
}

#[test]
fn names_alone_are_enough_for_names_only() {
    let place = Place::new(&[]);
    let (yaml, told) = place.scan(&["--names-only"]);
    assert!(line(&yaml, "e_mail").contains("values: not looked at"), "{yaml}");
    // The policy that shouts has not been run: nothing was read.
    assert!(!told.contains("not sampled"), "{told}");
    assert!(!yaml.contains("\"a: b\": review"), "{yaml}");
}

#[test]
fn every_wrong_use_is_explained() {
    let place = Place::new(&[("10-roles.yaml", ROLES)]);
    let said = place.wrong(&["--write", "rules/10-roles.yaml"]);
    assert!(said.contains("`scrim scan` did not write it"), "{said}");
    assert_eq!(place.text("10-roles.yaml"), ROLES);
    let said = place.wrong(&["--table", "public.client"]);
    assert!(said.contains("called `public.client`; did you mean `public.clients`?"), "{said}");
    assert!(place.wrong(&["--table", "clients"]).contains("needs its schema"));
    let said = place.wrong(&["--schema", "publik"]);
    assert!(said.contains("did you mean `public`?"), "{said}");
    assert!(place.wrong(&["--rows", "0"]).contains("--rows"));
    assert!(place.wrong(&["--timeout", "0"]).contains("--timeout"));
    assert!(place.wrong(&["--names-only", "--rows", "5"]).contains("cannot be used with"));
    assert!(place.wrong(&["--format", "xml"]).contains("possible values"));
    assert!(place.wrong(&["--write", "no-such-folder/x.yaml"]).contains("no-such-folder"));
    assert!(place.wrong(&["--config", "no.yaml"]).contains("no.yaml"));
    assert!(place.wrong(&["--database", "no_such"]).contains("3D000"));
    place.put(
        "11-more.yaml",
        "roles:\n  odd: {may: [read], masks: {\"*\": redact, review.contact: clear}}\n",
    );
    let said = place.wrong(&["--write", "rules/20-found.yaml"]);
    assert!(said.contains("role `odd` has a line for tags below `review`"), "{said}");
    assert!(!place.path("20-found.yaml").exists());
    place.put("11-more.yaml", "roles: [");
    assert!(place.wrong(&[]).contains("11-more.yaml"));
}
