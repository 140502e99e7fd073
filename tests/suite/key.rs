//! The key of pseudonyms: where it is, and where it never is.

use scrim::demo::{DATABASE, SAMPLE_PSEUDONYM_KEY, sample_password};
use scrim::mask::{INNER_SETTING, OUTER_SETTING, key_settings};

use crate::harness::client::{Client, text};
use crate::harness::{connect, connect_direct, core, postgres, scrim};

/// What must not be seen: the pads, and the key they come from.
fn secrets() -> Vec<String> {
    let pads = key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()).map(|(_, pad)| pad);
    // A part is as good as the whole: the second half of a pad is the same for every key.
    let parts = pads.iter().flat_map(|pad| [pad[..24].to_owned(), pad[32..64].to_owned()]);
    parts.chain([SAMPLE_PSEUDONYM_KEY.to_owned()]).collect()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let seen = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    for secret in secrets() {
        assert!(!seen.contains(&secret), "{what} holds the key");
    }
}

fn one(client: &mut Client, sql: &str) -> Option<String> {
    let answers = client.simple(sql);
    let answer = answers.last().expect("an answer");
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    answer.rows.first()?.first()?.as_deref().map(text)
}

const NAME: &str = "SELECT name FROM customers WHERE id = 1";

#[test]
fn what_resets_a_session_keeps_the_key() {
    let mut client = connect("researcher", &[]);
    let before = one(&mut client, NAME).expect("a name");
    assert!(before.starts_with("p_"), "{before}");
    for reset in [
        "RESET ALL",
        "DISCARD ALL",
        "DISCARD PLANS",
        "BEGIN; RESET ALL; ROLLBACK",
        "BEGIN; RESET ALL; COMMIT",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET search_path = ''; RESET search_path",
    ] {
        client.simple(reset);
        assert_eq!(one(&mut client, NAME).as_deref(), Some(before.as_str()), "{reset}");
    }
    let mut other = connect("researcher", &[("search_path", "trap, public")]);
    assert_eq!(one(&mut other, NAME), Some(before));
}

#[test]
fn no_answer_holds_the_key() {
    let mut client = connect("researcher", &[]);
    for sql in [
        NAME,
        "SHOW ALL",
        "SELECT * FROM pg_settings",
        "SELECT * FROM pg_show_all_settings()",
        "SELECT * FROM pg_db_role_setting",
        "SELECT * FROM pg_stat_activity",
        "SHOW scrim.masks",
        "SHOW scrim.k_inner",
        "SELECT current_setting('scrim.k_inner')",
        "SELECT ('scrim.k_inner'::text).current_setting",
        "SELECT name::int FROM customers",
        "SELECT (profile -> 'nick')::int FROM customers",
        "SELECT visitor / 0, received_at, device, balance FROM intake, customers",
    ] {
        client.simple(sql);
        assert_clean(sql, &client.take_received());
    }
}

#[test]
fn no_client_brings_its_own() {
    let scrim = scrim();
    for option in [
        ("scrim.k_inner", "00"),
        ("SCRIM.K_Outer", "00"),
        ("options", "-c scrim.k_inner=00"),
        ("options", "--scrim.k-outer=00"),
    ] {
        let password = sample_password("rosa");
        let login = Client::connect(scrim.address, "rosa", &password, DATABASE, &[option]);
        let error = login.err().unwrap_or_else(|| panic!("{option:?} was taken"));
        assert_eq!(error.code, "42704", "{option:?}: {}", error.message);
    }
}

#[test]
fn only_masked_sessions_have_it() {
    let mut dba = connect("admin", &[]);
    for name in [INNER_SETTING, OUTER_SETTING] {
        let sql = format!("SELECT coalesce(current_setting('{name}', true), 'none')");
        assert_eq!(one(&mut dba, &sql).as_deref(), Some("none"));
    }
}

#[test]
fn the_server_sees_the_settings_names_only() {
    let mut client = connect("researcher", &[("application_name", "key-watch")]);
    let before = one(&mut client, NAME);
    assert!(before.is_some());
    let mut superuser = connect_direct(scrim::demo::SUPERUSER);
    let watch = "SELECT query FROM pg_stat_activity WHERE application_name = 'key-watch'";
    let query = one(&mut superuser, watch).expect("a query");
    assert!(query.contains(INNER_SETTING), "{query}");
    assert_clean("pg_stat_activity", query.as_bytes());
    // What was sent, explained where the key is set: the plan names it and does not hold it.
    let mut settings = String::new();
    for (name, value) in key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()) {
        settings.push_str(&format!("SET {name} = '{value}';"));
    }
    superuser.simple(&settings);
    superuser.take_received();
    // The view above has the first kilobyte.
    let sent = core::sent("researcher", None, NAME);
    superuser.simple(&format!("EXPLAIN (ANALYZE, VERBOSE, COSTS OFF) {sent}"));
    let plan = superuser.take_received();
    assert!(String::from_utf8_lossy(&plan).contains(INNER_SETTING), "no plan");
    assert_clean("the plan", &plan);
}

#[test]
fn neither_log_nor_audit_holds_it() {
    let mut client = connect("researcher", &[]);
    client.simple(NAME);
    client.simple("SELECT nonsense FROM customers");
    let scrim = scrim();
    let audit = std::fs::read(&scrim.audit_file).expect("the audit");
    assert!(!audit.is_empty());
    assert_clean("the audit", &audit);
    assert_clean("the log", scrim.said().as_bytes());
    assert_clean("the server's log", postgres().log().as_bytes());
}
