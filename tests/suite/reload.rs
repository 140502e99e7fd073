//! Rules that change while Scrim runs: in force at once and as a whole, or not at all.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::own::{Own, bind, code, execute, last_words, parse, run_prepared, value};

const EMAIL: &str = "SELECT email FROM customers WHERE id = 1";
/// Of support, in 40-roles.yaml.
const MASKED: &str = "contact.email: email              # m***@example.com";

/// A tag of 20-customers.yaml that support sees masked, where there was `open`.
fn close_tier(own: &Own) {
    let version = own.version();
    own.edit("20-customers.yaml", "tier: open", "tier: text.free");
    own.wait_for_other_rules(&version);
}

#[test]
fn changed_files_come_into_force_and_are_on_record() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    let before = own.version();
    assert_eq!(value(&client.simple(EMAIL)[0]), "m***@example.com");
    own.edit("40-roles.yaml", MASKED, "contact.email: redact");
    own.wait_for_other_rules(&before);
    assert_eq!(value(&client.simple(EMAIL)[0]), "***");
    let after = own.version();
    let is_reload = |record: &serde_json::Value| record["event"] == "reload";
    own.wait("a record of the reload", || own.audit().iter().any(is_reload));
    let records = own.audit();
    let place = records.iter().position(is_reload).expect("a record");
    assert_eq!(records[place]["before"], before);
    assert_eq!(records[place]["rules"], after);
    own.wait("a record of the statement", || {
        own.audit().iter().skip(place).any(|record| record["verdict"] == "rewrite")
    });
    for (number, record) in own.audit().iter().enumerate() {
        if record.get("verdict").is_some() {
            let expected = if number < place { &before } else { &after };
            assert_eq!(record["rules"].as_str(), Some(expected.as_str()), "{record}");
        }
    }
    assert_eq!(own.figure("scrim_reloads_total{outcome=\"good\"}"), 1.0);
}

#[test]
fn broken_rules_leave_the_old_ones_in_force_and_say_so() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    let before = own.version();
    // Two files change, one of them for the worse: neither counts.
    own.edit("20-customers.yaml", "tier: open", "tier: text.free");
    own.wait_for_other_rules(&before);
    let before = own.version();
    own.edit(
        "40-roles.yaml",
        "*\": redact\n      person.name: name",
        "*\": redcat\n      person.name: name",
    );
    own.wait("a refusal", || own.figure("scrim_reloads_total{outcome=\"bad\"}") >= 1.0);
    assert_eq!(own.version(), before);
    assert_eq!(value(&client.simple(EMAIL)[0]), "m***@example.com");
    let (status, ready) = own.readiness();
    assert_eq!(status, 200, "the rules in force are good: {ready}");
    let note = ready["checks"]["rules"]["last_reload_refused"].as_str().expect("a note");
    assert!(note.contains("redcat"), "{note}");
    assert!(own.said().contains("RELOAD REFUSED"), "{}", own.said());
    assert!(own.said().contains("40-roles.yaml:"), "{}", own.said());
    assert_eq!(own.figure("scrim_reload_failed"), 1.0);
    own.wait("a record", || own.audit().iter().any(|one| one["event"] == "reload_refused"));
    // New sessions go by the old rules too, and the next good ones are taken.
    assert_eq!(value(&own.connect("alice").simple(EMAIL)[0]), "m***@example.com");
    own.edit("40-roles.yaml", "redcat", "redact");
    own.wait("good rules", || own.figure("scrim_reload_failed") == 0.0);
    own.edit("40-roles.yaml", MASKED, "contact.email: redact");
    own.wait_for_other_rules(&before);
    assert_eq!(value(&client.simple(EMAIL)[0]), "***");
}

#[test]
fn a_signal_is_enough_and_can_be_all_there_is() {
    let own = Own::open("reload: on_signal\n");
    let before = own.version();
    own.edit("40-roles.yaml", MASKED, "contact.email: redact");
    // Longer than a change takes that is followed; nothing is to happen, so there is nothing to wait for.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(own.version(), before);
    own.signal("HUP");
    own.wait_for_other_rules(&before);
    // A key that needs a restart is warned of, and the rest is followed.
    let file = own.desk.configuration();
    let text = std::fs::read_to_string(&file).expect("configuration");
    std::fs::write(&file, text.replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:1"))
        .expect("file");
    own.signal("HUP");
    own.wait("a warning", || own.said().contains("need a restart"));
    assert!(own.said().contains("keys=listen"), "{}", own.said());
    own.connect("alice");
}

/// As Kubernetes mounts them: files are links through `..data`, which is swapped.
#[test]
fn a_mounted_volume_that_is_swapped_is_followed() {
    let own = Own::open("");
    let folder = own.desk.folder().join("masking-rules");
    let (one, two) = (folder.join("..2026_1"), folder.join("..2026_2"));
    for version in [&one, &two] {
        std::fs::create_dir(version).expect("a folder");
    }
    let names: Vec<_> = std::fs::read_dir(&folder)
        .expect("rules")
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name())
        .collect();
    let before = own.version();
    symlink("..2026_1", folder.join("..data")).expect("a link");
    for name in &names {
        let text = std::fs::read_to_string(folder.join(name)).expect("rules");
        std::fs::write(two.join(name), text.replace(MASKED, "contact.email: redact"))
            .expect("rules");
        std::fs::rename(folder.join(name), one.join(name)).expect("rules");
        let link = std::path::Path::new("..data").join(name);
        symlink(link, folder.join(name)).expect("a link");
    }
    own.wait("all rules", || own.version() == before && own.figure("scrim_reload_failed") == 0.0);
    let mut client = own.connect("alice");
    assert_eq!(value(&client.simple(EMAIL)[0]), "m***@example.com");
    symlink("..2026_2", folder.join("..data_tmp")).expect("a link");
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("a swap");
    own.wait_for_other_rules(&before);
    assert_eq!(value(&client.simple(EMAIL)[0]), "***");
}

#[test]
fn prepared_statements_are_planned_again() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    parse(&mut client, "tier", "SELECT tier FROM customers WHERE id = 1");
    parse(&mut client, "star", "SELECT * FROM customers WHERE id = 1");
    parse(&mut client, "", "SELECT tier FROM customers WHERE id = 1");
    parse(&mut client, "copy", "COPY customers (tier) TO STDOUT");
    parse(&mut client, "begin", "BEGIN");
    client.send(b'S', b"");
    client.answers();
    assert_eq!(value(&run_prepared(&mut client, "tier")), "pro");
    close_tier(&own);
    for name in ["tier", "", "tier"] {
        assert_eq!(value(&run_prepared(&mut client, name)), "***", "`{name}`");
    }
    assert!(run_prepared(&mut client, "copy").copied.starts_with(b"***\n"));
    // What is described first is planned again first.
    let version = own.version();
    own.edit("20-customers.yaml", "tier: text.free", "tier: open");
    own.wait_for_other_rules(&version);
    client.send(b'D', b"Stier\0");
    client.send(b'S', b"");
    client.answers();
    assert_eq!(value(&run_prepared(&mut client, "tier")), "pro");
    // In a transaction, in one unit with others, and with what has no rows.
    assert_eq!(code(&run_prepared(&mut client, "begin")), "");
    close_tier(&own);
    bind(&mut client, "a", "tier");
    bind(&mut client, "b", "tier");
    execute(&mut client, "a", 0);
    execute(&mut client, "b", 0);
    client.send(b'S', b"");
    let answers = client.answers();
    assert_eq!(answers.iter().map(value).collect::<Vec<_>>(), ["***", "***"]);
    assert_eq!(client.transaction, b'T');
    client.simple("COMMIT");
    assert_eq!(code(&run_prepared(&mut client, "begin")), "");
    client.simple("COMMIT");
    // What was executed is what the audit says: masked.
    own.wait("records", || {
        let records = own.audit();
        let last = records.iter().rev().find(|record| !record["relations"][0].is_null());
        last.is_some_and(|last| last["relations"][0]["masked"]["tier"] == "redact")
    });
}

#[test]
fn a_statement_that_newer_rules_refuse_is_refused_where_it_is_bound() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    parse(&mut client, "tier", "SELECT tier FROM customers WHERE id = 1");
    parse(&mut client, "star", "SELECT * FROM customers WHERE id = 1");
    client.send(b'S', b"");
    client.answers();
    let version = own.version();
    own.edit("20-customers.yaml", "tier: open", "tier: staff.tier");
    own.wait_for_other_rules(&version);
    for _ in 0..2 {
        assert_eq!(code(&run_prepared(&mut client, "tier")), "42703");
        let changed = run_prepared(&mut client, "star");
        assert_eq!(code(&changed), "0A000");
        let error = changed.error.as_ref().expect("an error");
        assert_eq!(error.message, "cached plan must not change result type");
    }
    // A failed transaction is the server's own.
    client.simple("BEGIN");
    assert_eq!(code(&run_prepared(&mut client, "tier")), "42703");
    assert_eq!(client.transaction, b'E');
    client.simple("ROLLBACK");
    // A long Bind is refused as a whole.
    let mut body = b"\0tier\0".to_vec();
    body.extend([0, 0, 0, 1]);
    body.extend(3_000_000_u32.to_be_bytes());
    body.extend(vec![b'v'; 3_000_000]);
    body.extend([0, 0]);
    client.send(b'B', &body);
    client.send(b'S', b"");
    assert_eq!(code(&client.answers()[0]), "42703");
    // When the rules allow it again, it is there again.
    let version = own.version();
    own.edit("20-customers.yaml", "tier: staff.tier", "tier: open");
    own.wait_for_other_rules(&version);
    assert_eq!(value(&run_prepared(&mut client, "tier")), "pro");
    assert_eq!(run_prepared(&mut client, "star").rows.len(), 1);
}

#[test]
fn what_was_opened_under_older_rules_is_not_read_any_further() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    client.simple("BEGIN");
    let tiers = "SELECT tier FROM customers ORDER BY id";
    assert_eq!(code(&client.simple(&format!("DECLARE c CURSOR FOR {tiers}"))[0]), "");
    assert_eq!(code(&client.simple(&format!("DECLARE h CURSOR WITH HOLD FOR {tiers}"))[0]), "");
    assert_eq!(code(&client.simple(&format!("PREPARE s AS {tiers}"))[0]), "");
    assert_eq!(value(&client.simple("FETCH c")[0]), "pro");
    parse(&mut client, "tiers", tiers);
    bind(&mut client, "p", "tiers");
    execute(&mut client, "p", 1);
    client.send(b'S', b"");
    client.answers();
    close_tier(&own);
    client.send(b'D', b"Pp\0");
    client.send(b'S', b"");
    assert_eq!(code(&client.answers()[0]), "24000");
    client.simple("ROLLBACK");
    // A unit that is kept open has a moment, and no more.
    client.simple("BEGIN");
    let version = own.version();
    parse(&mut client, "again", tiers);
    bind(&mut client, "p", "again");
    execute(&mut client, "p", 1);
    client.send(b'H', b"");
    while client.frame().kind != b's' {}
    own.edit("40-roles.yaml", "text.free: redact", "text.free: null");
    own.wait_for_other_rules(&version);
    std::thread::sleep(Duration::from_millis(1500));
    execute(&mut client, "p", 1);
    client.send(b'S', b"");
    assert_eq!(code(&client.answers()[0]), "24000");
    client.simple("ROLLBACK");
    // Each on its own, since an error ends the transaction; the cursor of a transaction goes with it.
    for (before, text, expected) in [
        ("", "EXECUTE s", "26000"),
        // As far as Scrim knows it is there: it would be, had the transaction not been rolled back.
        ("", "FETCH h", "24000"),
        ("DEALLOCATE s", "EXECUTE s", "26000"),
        (&format!("PREPARE s AS {tiers}"), "EXECUTE s", ""),
    ] {
        client.simple(before);
        assert_eq!(code(&client.simple(text)[0]), expected, "{text}");
    }
    // A cursor that is held outlives its transaction, and not the rules.
    let version = own.version();
    client.simple("BEGIN");
    client.simple(&format!("DECLARE h CURSOR WITH HOLD FOR {tiers}"));
    client.simple("COMMIT");
    assert!(client.simple("FETCH h")[0].rows[0][0].is_none());
    own.edit("40-roles.yaml", MASKED, "contact.email: redact");
    own.wait_for_other_rules(&version);
    for text in ["FETCH h", "MOVE h"] {
        assert_eq!(code(&client.simple(text)[0]), "24000", "{text}");
    }
    client.simple("BEGIN");
    client.simple(&format!("CLOSE h; DECLARE h CURSOR FOR {tiers}"));
    assert!(client.simple("FETCH h")[0].rows[0][0].is_none());
    client.simple("ROLLBACK");
}

/// A result that began under the older rules comes to its end; what comes behind it goes by the newer ones.
#[test]
fn what_runs_finishes_under_its_own_rules() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    let many = "SELECT tier FROM customers, generate_series(1, 100000) WHERE id = 1";
    for text in [many, "SELECT tier FROM customers WHERE id = 1"] {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        client.send(b'Q', &body);
        if text == many {
            // The first rows are here, and the client reads no further: the rest waits in Scrim and in the server.
            while client.frame().kind != b'D' {}
            close_tier(&own);
        }
    }
    let answers = client.answers();
    assert!(answers[0].rows.len() > 90_000, "{:?}", answers[0].error);
    assert!(answers[0].rows.iter().all(|row| row[0].as_deref() == Some(b"pro")));
    assert_eq!(value(&client.answers()[0]), "***");
}

#[test]
fn sessions_that_the_rules_no_longer_have_end_at_once() {
    let own = Own::open("");
    let mut idle = own.connect("ana");
    let mut reading = own.connect("alice");
    let mut all = own.connect("dba");
    let mut other = own.connect("otto");
    let text = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)\0";
    reading.send(b'Q', text.as_bytes());
    while reading.frame().kind != b'D' {}
    all.send(b'Q', b"BEGIN\0");
    all.answers();
    // One file, all at once: a user goes, a password changes, a role sees less.
    let users = own.rules_file("50-users.yaml");
    let text = std::fs::read_to_string(&users).expect("users");
    let (head, rest) = text.split_once("  alice:").expect("alice");
    let (_, rest) = rest.split_once("  aria:").expect("aria");
    let text = format!("{head}  aria:{rest}")
        .replace("veloDrUlyp4C5xg+Pdskng==", "AAAAAAAAAAAAAAAAAAAAAA==");
    let version = own.version();
    std::fs::write(&users, text).expect("users");
    own.edit("40-roles.yaml", "\"*\": clear", "\"*\": redact");
    own.wait_for_other_rules(&version);
    for (client, said) in [
        (&mut idle, "the password of user `ana` has changed"),
        (&mut reading, "user `alice` is not in the rules any more"),
        (&mut all, "role `admin` does not see everything any more"),
    ] {
        let words = last_words(client);
        assert!(words.contains("C57P01") && words.contains(said), "{words}");
    }
    assert!(own.try_connect("alice").is_err());
    assert_eq!(code(&other.simple("SELECT 1")[0]), "");
}

#[test]
fn rules_that_change_under_load_are_one_or_the_other() {
    let own = Own::open("");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for number in 0..6 {
            let (own, is_over) = (&own, &is_over);
            clients.push(scope.spawn(move || {
                let mut client = own.connect("alice");
                // Two columns of two files: one rule set never shows one of either.
                let sql = "SELECT email, tier FROM customers WHERE id = 1";
                parse(&mut client, "s", sql);
                client.send(b'S', b"");
                client.answers();
                let (mut old, mut new) = (0, 0);
                while !is_over.load(Ordering::Relaxed) {
                    let answer = match number % 2 {
                        0 => client.simple(sql).remove(0),
                        _ => run_prepared(&mut client, "s"),
                    };
                    let row: Vec<String> = answer.rows.first().map_or_else(
                        || panic!("{:?}", answer.error),
                        |row| {
                            row.iter()
                                .flatten()
                                .map(|v| String::from_utf8_lossy(v).into_owned())
                                .collect()
                        },
                    );
                    match (row[0].as_str(), row[1].as_str()) {
                        ("m***@example.com", "pro") => old += 1,
                        ("***", "***") => new += 1,
                        other => panic!("{other:?}"),
                    }
                }
                (old, new)
            }));
        }
        let roles = own.rules_file("40-roles.yaml");
        let customers = own.rules_file("20-customers.yaml");
        let (old_roles, old_customers) = (
            std::fs::read_to_string(&roles).expect("rules"),
            std::fs::read_to_string(&customers).expect("rules"),
        );
        let put = |file: &std::path::Path, text: &str| {
            let new = file.with_extension("new");
            std::fs::write(&new, text).expect("rules");
            std::fs::rename(&new, file).expect("rules");
        };
        let new_roles = old_roles.replace(MASKED, "contact.email: redact");
        let new_customers = old_customers.replace("tier: open", "tier: text.free");
        for round in 0..4 {
            let version = own.version();
            // A file between the two would be a state of its own; one broken file keeps it from coming into force.
            put(&roles, "roles: [");
            put(&customers, if round % 2 == 0 { &new_customers } else { &old_customers });
            put(&roles, if round % 2 == 0 { &new_roles } else { &old_roles });
            own.wait_for_other_rules(&version);
            std::thread::sleep(Duration::from_millis(200));
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            let (old, new) = client.join().expect("a client");
            assert!(old > 0 && new > 0, "{old} old, {new} new");
        }
    });
}
