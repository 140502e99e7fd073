//! psql: what a person types, and the catalog queries behind its backslash commands.

use std::process::{Command, Output};

use crate::canary;
use crate::harness;

/// Each must work for a masked role.
const BACKSLASH_COMMANDS: &[&str] = &[
    r"\d",
    r"\d+",
    r"\d customers",
    r"\d+ customers",
    r"\d payments",
    r"\d+ payments",
    r"\d payments_2026_01",
    r"\d employees",
    r"\d oddities",
    r"\d products",
    r"\d customer_overview",
    r"\d customer_emails",
    r"\d orders_customer",
    r"\d catalog.*",
    r"\dt",
    r"\dt+",
    r"\dt *.*",
    r"\dn",
    r"\dn+",
    r"\df",
    r"\df+ distance_km",
    r"\da",
    r"\du",
    r"\dg",
    r"\l",
    r"\dp",
    r"\z customers",
    r"\di",
    r"\di+",
    r"\dv",
    r"\dv+",
    r"\dm",
    r"\ds",
    r"\dT",
    r"\dT+ mood",
    r"\dD",
    r"\do",
    r"\dC",
    r"\dc",
    r"\dL",
    r"\dx",
    r"\dy",
    r"\dP",
    r"\dO",
    r"\db",
    r"\dd",
    r"\conninfo",
    r"\encoding",
];

fn psql(user: &str, arguments: &[&str]) -> Output {
    let address = harness::scrim().address;
    Command::new(harness::postgres().clients().join("psql"))
        .args(["-X", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", user, "-d", "desk", "-p"])
        .arg(address.port().to_string())
        .args(arguments)
        .env("PGPASSWORD", scrim::demo::sample_password(user))
        .env("PGCLIENTENCODING", "UTF8")
        .output()
        .expect("psql")
}

fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn backslash_commands_work_for_a_masked_role() {
    let mut wrong = Vec::new();
    for command in BACKSLASH_COMMANDS {
        let output = psql("alice", &["-c", command]);
        let text = shown(&output);
        let failed = !output.status.success() || !output.stderr.is_empty();
        if failed && fails_directly_too(command, &text) {
            harness::say(&format!("{command}: psql fails without Scrim too: {}", text.trim()));
        } else if failed {
            wrong.push(format!("{command}: {}", text.trim()));
        }
        for found in canary::find(text.as_bytes()) {
            wrong.push(format!("{command}: a canary: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} commands fail:\n{}", wrong.len(), wrong.join("\n"));
}

/// A psql that is older than the server asks for columns that are gone; then it says the same without Scrim.
fn fails_directly_too(command: &str, text: &str) -> bool {
    let server = harness::postgres();
    let output = Command::new(server.clients().join("psql"))
        .args(["-X", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "desk", "-c", command, "-h"])
        .arg(server.socket_folder())
        .args(["-p", &server.port().to_string()])
        .output()
        .expect("psql");
    // psql shows positions in its own texts, which Scrim leaves out.
    let first = |text: &str| text.lines().next().map(str::to_owned);
    !output.status.success() && first(&shown(&output)) == first(text)
}

#[test]
fn hidden_tables_are_not_listed() {
    let text = shown(&psql("alice", &["-c", r"\dt public.*"]));
    assert!(text.contains("customers"), "{text}");
    assert!(!text.contains("staff"), "{text}");
    let text = shown(&psql("dba", &["-c", r"\dt public.*"]));
    assert!(text.contains("staff"), "{text}");
}

#[test]
fn a_person_sees_masked_customers() {
    let sql = "SELECT email, phone, rrn, card_number FROM customers WHERE id = 1";
    let output = psql("alice", &["-A", "-t", "-c", sql]);
    assert_eq!(
        shown(&output),
        "m***@example.com|****-****-0001|85************|**** **** **** 5671\n"
    );
    let output = psql("dba", &["-A", "-t", "-c", sql]);
    assert_eq!(
        shown(&output),
        "minqzxsu.kim@example.com|0904-1710-0001|850312-1904175|4539 0417 1234 5671\n"
    );
}

#[test]
fn many_statements_and_copy_in_one_session() {
    let script = "BEGIN; SELECT count(*) FROM customers; COMMIT;
        SELECT nothing FROM customers;
        SELECT 'still here';";
    let output = psql(
        "alice",
        &["-A", "-t", "-v", "ON_ERROR_STOP=0", "-c", script, "-c", "SELECT 'and here'"],
    );
    let text = shown(&output);
    assert!(text.contains("nothing") && text.contains("and here"), "{text}");
}

#[test]
fn a_wrong_password_is_postgresql_s_own_error() {
    let output = Command::new(harness::postgres().clients().join("psql"))
        .args(["-X", "-h", "127.0.0.1", "-U", "alice", "-d", "desk", "-c", "SELECT 1", "-p"])
        .arg(harness::scrim().address.port().to_string())
        .env("PGPASSWORD", "wrong")
        .output()
        .expect("psql");
    assert!(!output.status.success());
    let text = shown(&output);
    assert!(text.contains("password authentication failed for user \"alice\""), "{text}");
}

#[test]
fn tls_with_the_certificate_checked() {
    let harness::Scrim { address, authority, .. } = harness::scrim();
    let connection = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=alice dbname=desk sslmode=verify-full sslrootcert={}",
        address.port(),
        authority.display()
    );
    let output = Command::new(harness::postgres().clients().join("psql"))
        .args(["-X", "-A", "-t", "-c", "SELECT tier FROM customers WHERE id = 1", &connection])
        .env("PGPASSWORD", scrim::demo::sample_password("alice"))
        .output()
        .expect("psql");
    assert_eq!(shown(&output), "pro\n");
}
