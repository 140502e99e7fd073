//! `scrim diff`, the real binary: against the real database, against none, and with git.

use std::path::Path;
use std::process::{Command, Output};

use scrim::demo::SAMPLE_RULES;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness;

fn write(folder: &Path, rules: &str, change: &[(&str, &str, &str)]) {
    let folder = folder.join(rules);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in SAMPLE_RULES {
        let mut text = (*text).to_owned();
        for (_, from, to) in change.iter().filter(|(file, ..)| name.contains(file)) {
            assert!(text.contains(from), "no `{from}` in {name}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

/// The sample rules in `old`, changed in `new`.
fn two(change: &[(&str, &str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "old", &[]);
    write(folder.path(), "new", change);
    folder
}

fn scrim(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("diff").args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("scrim starts");
    (
        status.code(),
        String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr),
    )
}

/// Against the shared database.
fn live(change: &[(&str, &str, &str)]) -> (Option<i32>, String) {
    let config = harness::configuration().display().to_string();
    scrim(two(change).path(), &["old", "new", "--config", &config])
}

#[test]
fn nothing_has_changed() {
    assert_eq!(live(&[]), (Some(0), "no change\n".to_owned()));
    // Other lines, the same meaning.
    let (code, text) = live(&[(
        "roles",
        "identity: {keep_first: 2}",
        "identity.national_id: {keep_first: 2}\n      identity: {keep_first: 2}",
    )]);
    assert_eq!((code, text.as_str()), (Some(0), "no change\n"));
}

#[test]
fn who_newly_sees_what_comes_first() {
    let (code, text) = live(&[
        ("roles", "contact.email: email ", "contact.email: clear "),
        ("roles", "identity: {keep_first: 2}", "identity: redact"),
        ("roles", "text.free: redact\n      measure", "text.free: {scrub: [email]}\n      measure"),
        ("roles", "location: redact", "location: {keep_first: 5}"),
        ("customers", "balance: finance.balance", "balance: open"),
    ]);
    assert_eq!(code, Some(3), "{text}");
    let newly = text.find("newly seen\n").expect("a section");
    let less = text.find("no longer seen\n").expect("a section");
    assert!(newly == 0 && newly < less, "{text}");
    for part in [
        "+ public.customers.email: email → clear\n      agent, clerk, clerk for question, clerk for refund, reception, support; 20-customers.yaml:11, 40-roles.yaml:17\n",
        "+ public.customers.balance: {round: 1000} → clear\n",
        "+ public.customers.balance: {noise: 0.1} → clear\n",
        "+ public.messages.body: redact → {scrub: [email]}\n",
        "- public.customers.rrn: {keep_first: 2} → redact\n      agent, auditor, clerk, clerk for refund, reception, support; ",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    // The auditor's own line stands, and the administrator sees everything before and after.
    assert!(!text.contains("admin") && !text.contains("null →"), "{text}");
    // Partitions are seen as their parent is.
    assert!(!text.contains("payments_2026"), "{text}");
    assert!(text.trim_end().ends_with("less") && text.contains("changes show more"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_to_be_looked_at() {
    for (change, says) in [
        (
            ("roles", "contact.email: email ", "contact.email: phone "),
            "? public.customers.email: email → phone",
        ),
        (
            ("roles", "{keep_first: 2}", "{keep_first: 1}"),
            "? public.customers.rrn: {keep_first: 2} → {keep_first: 1}",
        ),
        // The role's line is the same, and means something else.
        (
            ("customers", "consented: marketing_consent", "consented: not marketing_consent"),
            "? public.customers.birth_date: {when: consented",
        ),
        (
            ("customers", "consented: marketing_consent", "consented: not marketing_consent"),
            "? public.customers: consented → consented",
        ),
        (
            ("roles", "region <> 'overseas'", "region <> 'jeju'"),
            "? public.customers: region <> 'overseas' → region <> 'jeju'",
        ),
        (
            (
                "roles",
                "    lookup: [contact, identity]",
                "    database_user: {user: svc_support}\n    lookup: [contact, identity]",
            ),
            "? database_user: Scrim's → svc_support",
        ),
    ] {
        let (code, text) = live(&[change]);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(says), "{says} in\n{text}");
        assert!(text.contains("somebody who looks at it"), "{text}");
    }
}

#[test]
fn what_shows_less_is_no_failure() {
    for (change, says) in [
        (
            ("roles", "contact.email: email ", "contact.email: redact "),
            "- public.customers.email: email → redact",
        ),
        (
            (
                "roles",
                "{round: 1000}\n      finance.salary: null",
                "{round: 100000}\n      finance.salary: null",
            ),
            "- public.customers.balance: {round: 1000} → {round: 100000}",
        ),
        (("customers", "      region: open\n", ""), "- public.customers.region: clear → redact"),
        (("open", "  - public.products\n", ""), "- public.products.sku: clear → redact"),
        (
            ("roles", "    lookup: [contact, identity]", "    lookup: [contact]"),
            "- public.customers.rrn: can be looked up → cannot",
        ),
        (("roles", "[read, write] ", "[read] "), "- write: yes → no"),
        (
            ("roles", "lookups_per_minute: 1000", "lookups_per_minute: 10"),
            "- lookups_per_minute: 1000 → 10",
        ),
        (("roles", "    functions: [public.distance_km]\n", ""), "- public.distance_km: yes → no"),
        (
            ("roles", "    listen: [orders_changed] ", "    listen: [] "),
            "- LISTEN orders_changed: yes → no",
        ),
        (
            (
                "roles",
                "    listen: [orders_changed] ",
                "    purposes: [call]\n    listen: [orders_changed] ",
            ),
            "- purposes: none has to be stated → call",
        ),
        (
            ("users", "roles: [analyst, support]", "roles: [analyst]"),
            "- metabase: analyst, support → analyst",
        ),
        (
            (
                "roles",
                "    rows:\n      public.customers: consented ",
                "    rows:\n      public.tickets: id > 5\n      public.customers: consented ",
            ),
            "- public.tickets: all rows → id > 5",
        ),
    ] {
        let (code, text) = live(&[change]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(says), "{says} in\n{text}");
        assert!(text.contains("nobody sees more: "), "{text}");
    }
}

/// The way back of all that, and what else opens something.
#[test]
fn everything_that_opens_something_fails() {
    for (change, says) in [
        (
            (
                "roles",
                "identity: hide\n      payment.card: null",
                "identity: redact\n      payment.card: null",
            ),
            "+ public.customers.rrn: hidden → redact",
        ),
        (
            ("customers", "      rrn: identity.national_id\n", "      rrn: open\n"),
            "+ public.customers.rrn: hidden → clear",
        ),
        (
            (
                "open",
                "  - public.products\n",
                "  - public.products\n  - public.customer_overview\n",
            ),
            "+ public.customer_overview.email: by its definition → clear",
        ),
        (
            ("open", "  - public.products\n", "  - public.products\n  - public.unlisted\n"),
            "+ public.unlisted.",
        ),
        (
            ("roles", "      staff: hide\n    rows:", "    rows:"),
            "+ public.staff.login: hidden → redact",
        ),
        (
            ("roles", "      public.payments: settled\n", ""),
            "+ public.payments: settled → all rows",
        ),
        (
            (
                "roles",
                "    lookup: [contact, identity]",
                "    lookup: [contact, identity, person.name]",
            ),
            "+ public.customers.name: cannot → can be looked up",
        ),
        (
            ("roles", "may: [read, temp_tables]", "may: [read, temp_tables, write]"),
            "+ write: no → yes",
        ),
        (
            ("roles", "lookups_per_minute: 1000", "lookups_per_minute: 2000"),
            "+ lookups_per_minute: 1000 → 2000",
        ),
        (("users", "role: agent", "roles: [agent, admin]"), "+ aria: agent → agent, admin"),
        (
            (
                "roles",
                "  admin:\n    description: Runs the database. Nothing is masked; logins and statements are still recorded.\n",
                "  other:\n    extends: admin\n  admin:\n",
            ),
            "other: none → there",
        ),
        (
            ("users", "  dba:\n", "  bob: {roles: [admin], certificate: bob}\n  dba:\n"),
            "+ bob: no user → admin",
        ),
    ] {
        let (code, text) = live(&[change]);
        let is_new_role = says.starts_with("other");
        assert_eq!(code, Some(if is_new_role { 0 } else { 3 }), "{text}");
        assert!(text.contains(says), "{says} in\n{text}");
    }
}

/// The sample's roles can be granted nothing; here the agent can, before and after.
fn granting(old: &str, new: &str, more: &[(&str, &str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, grants) in [("old", old), ("new", new)] {
        let more = more.iter().filter(|_| name == "new");
        let line = "  agent:\n";
        let with = format!("{line}    grants: {{{grants}}}\n");
        let change = ("roles", line, if grants.is_empty() { line } else { with.as_str() });
        let change: Vec<_> = std::iter::once(change).chain(more.copied()).collect();
        write(folder.path(), name, &change);
    }
    folder
}

#[test]
fn what_may_be_granted_is_told() {
    let config = harness::configuration().display().to_string();
    let diff = |folder: &TempDir, more: &[&str]| {
        let live = ["old", "new", "--config", &config];
        scrim(folder.path(), &[&live[..], more].concat())
    };
    let old = "may: [contact], longest: 1h, approvers: [auditor]";
    let new = "may: [contact.phone, identity], hidden: [identity], longest: 30m, approvers: [auditor], approval: none, \
               break_glass: true";
    let (code, text) = diff(&granting(old, new, &[]), &[]);
    assert_eq!(code, Some(3), "{text}");
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("      ")).collect();
    let last = lines.pop();
    assert_eq!(
        lines,
        [
            "grants",
            "  + may identity: cannot → can be opened for a while",
            "  + hidden identity: cannot → can be opened though it is hidden",
            "  + approval: required → none",
            "  + break_glass: no → yes",
            "  - may contact: can be opened for a while → contact.phone alone",
            "  - longest: 1h → 30m",
            "",
        ]
    );
    assert_eq!(last, Some("4 changes show more, 2 changes show less"));
    assert!(text.contains("\n      agent; 40-roles.yaml:"), "{text}");
    let (code, text) = diff(&granting("", old, &[]), &["--format", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert_eq!((code, report["more"].as_u64()), (Some(3), Some(2)));
    let all = report["changes"].as_array().expect("changes");
    assert!(all.iter().all(|change| change["subject"] == "grant" && change["effect"] == "more"));
    assert_eq!(all[0]["what"], "may contact");
    assert_eq!(all[1]["new"], "longest 1h, approval required, approvers auditor");
    let narrower = "may: [contact.phone], longest: 1h, approvers: [auditor]";
    for (from, to, code) in [(old, narrower, 0), (narrower, old, 3), (old, "", 0), (old, old, 0)] {
        let (found, text) = diff(&granting(from, to, &[]), &[]);
        assert_eq!(found, Some(code), "{text}");
    }
    // The same mask and the same grants: the column is another.
    let tag = ("customers", "rrn: identity.national_id", "rrn: contact.id");
    let (code, text) = diff(&granting(old, old, &[tag]), &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("+ public.customers.rrn: cannot → can be opened for a while"), "{text}");
}

#[test]
fn programs_read_the_same() {
    let config = harness::configuration().display().to_string();
    let folder = two(&[("roles", "contact.email: email ", "contact.email: clear ")]);
    let (code, text) =
        scrim(folder.path(), &["old", "new", "--config", &config, "--format", "json"]);
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(code, Some(3));
    assert_eq!((&report["database_asked"], &report["unclear"]), (&true.into(), &0.into()));
    let changes = report["changes"].as_array().expect("changes");
    assert_eq!(report["more"].as_u64(), u64::try_from(changes.len()).ok());
    let change =
        changes.iter().find(|change| change["what"] == "public.customers.email").expect("it");
    assert_eq!(
        change["roles"],
        serde_json::json!([
            "agent",
            "clerk",
            "clerk for question",
            "clerk for refund",
            "reception",
            "support"
        ])
    );
    assert_eq!((&change["subject"], &change["effect"]), (&"column".into(), &"more".into()));
    assert_eq!((&change["old"], &change["new"]), (&"email".into(), &"clear".into()));
    assert_eq!(change["new_rules"][1], "40-roles.yaml:17");
}

#[test]
fn without_a_database() {
    let folder = two(&[
        ("roles", "contact.email: email ", "contact.email: clear "),
        ("customers", "consented: marketing_consent", "consented: true"),
        ("customers", "      tier: open\n", ""),
    ]);
    let (code, text) = scrim(folder.path(), &["old", "new", "--offline"]);
    assert_eq!(code, Some(3), "{text}");
    for part in [
        "+ public.customers.email: email → clear",
        "? public.customers.birth_date: {when: consented",
        "- public.customers.tier: clear → redact",
        "? public.customers: consented → consented",
        "(the database was not asked)",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let (code, text) = scrim(folder.path(), &["old", "old", "--offline"]);
    assert_eq!((code, text.as_str()), (Some(0), "no change (the database was not asked)\n"));
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
    let output = command.args(arguments).output().expect("git");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn revisions_of_git() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    git(path, &["init", "--quiet", "--initial-branch", "main"]);
    write(path, "rules", &[]);
    std::fs::create_dir(path.join("rules/tests")).expect("a folder");
    std::fs::write(path.join("rules/tests/no-rules.yaml"), "tests: []\n").expect("a file");
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message", "one"]);
    write(path, "rules", &[("roles", "contact.email: email ", "contact.email: redact ")]);
    git(path, &["commit", "--quiet", "--all", "--message", "two"]);
    write(path, "rules", &[("roles", "contact.email: email ", "contact.email: clear ")]);
    let less = "- public.customers.email: email → redact";
    let more = "+ public.customers.email: redact → clear";
    let own = ["--offline", "--rules", "rules"];
    for (arguments, code, says) in [
        (&["--git", "main~1..main"][..], 0, less),
        (&["--git", "main~1.."], 0, less),
        (&["--git", "main"], 3, more),
        (&["--git", "main~1"], 3, "+ public.customers.email: email → clear"),
    ] {
        let arguments = [arguments, &own].concat();
        let (found, text) = scrim(path, &arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    let (code, text) = scrim(path, &["main~1:rules", "main:rules", "--offline"]);
    assert!(code == Some(0) && text.contains(less), "{text}");
    let (code, text) = scrim(path, &["main:rules", "rules", "--offline"]);
    assert!(code == Some(3) && text.contains(more), "{text}");
    for (arguments, says) in [
        (&["--git", "no-such-branch"][..], "git knows no folder `no-such-branch:./`"),
        (&["--git", "--help"], "a value is required"),
        (&["--git=-x"], "`-x` is no git revision"),
        (&["--git", "main...main"], "names three revisions"),
    ] {
        let arguments = [arguments, &own].concat();
        let (code, text) = scrim(path, &arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    // Nothing was checked out, and nothing else was touched.
    assert!(
        std::fs::read_to_string(path.join("rules/40-roles.yaml"))
            .expect("rules")
            .contains("contact.email: clear ")
    );
    let mut without = Command::new(env!("CARGO_BIN_EXE_scrim"));
    without.args(["diff", "--git", "main"]).args(own).current_dir(path).env("PATH", "/nowhere");
    let output = without.output().expect("scrim starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("`git` is not installed"), "{said}");
}

#[test]
fn wrong_use_is_told() {
    let folder = two(&[]);
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    write(folder.path(), "broken", &[("roles", "contact.email: email ", "contact.email: emial ")]);
    for (arguments, says) in [
        (&[][..], "required"),
        (&["old"], "NEW"),
        (&["old", "new", "--git", "main"], "cannot be used with"),
        (
            &["old", "new", "--rules", "old", "--offline"],
            "`--rules` is the folder that --git means",
        ),
        (&["old", "new"], "--offline"),
        (&["old", "nowhere", "--offline"], "nowhere"),
        (&["old", "empty", "--offline"], "no *.yaml file"),
        (&["old", "broken", "--offline"], "did you mean `email`?"),
        (&["old", "broken", "--offline"], "the rules of `broken` cannot be compared"),
        (&["nowhere:old", "new", "--offline"], "git knows no folder `nowhere:old`"),
        (&["old", "new", "--offline", "--database", "desk"], "cannot be used with"),
        (&["old", "new", "--format", "xml"], "invalid value"),
    ] {
        let (code, text) = scrim(folder.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}
