//! PostgreSQL is killed, stopped, slow or full, the network is cut: no session gets another's rows, nothing is reported
//! committed that is not, nothing hangs, and the pool is as it was.

mod stalls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use scrim::demo::sample_password;

use crate::harness::cable::{Cable, Flow, Way};
use crate::harness::client::{Client, Frame};
use crate::harness::own::{Own, code, value};

/// A place to write to, as the security team would open it.
const MARKS: &str =
    "CREATE TABLE public.marks (mark text PRIMARY KEY); GRANT ALL ON public.marks TO scrim";
/// What is acknowledged is on disk: a crash shall not be an excuse.
const DURABLE: &str = "ALTER SYSTEM SET synchronous_commit = on";

fn prepare(own: &scrim::demo::Desk) {
    let server = own.server();
    for sql in [MARKS, DURABLE, "SELECT pg_reload_conf()", "CHECKPOINT"] {
        server.run("desk", sql).unwrap_or_else(|error| panic!("{error}"));
    }
    let file = own.folder().join("masking-rules/10-open.yaml");
    let rules = std::fs::read_to_string(&file).expect("rules");
    std::fs::write(&file, rules.replacen("open:\n", "open:\n  - public.marks\n", 1))
        .expect("rules");
}

/// Scrim reaches its PostgreSQL by the cable.
fn behind_a_cable(more: &str) -> (Own, Cable) {
    let mut cable = None;
    let own = Own::open_changed(|desk, text| {
        prepare(desk);
        let port = desk.server().port();
        let made = Cable::to(SocketAddr::from(([127, 0, 0, 1], port)));
        let other = format!("  port: {}\n", made.address().port());
        cable = Some(made);
        text.replacen(&format!("  port: {port}\n"), &other, 1) + more
    });
    (own, cable.expect("made"))
}

fn open(more: &str) -> Own {
    Own::open_changed(|desk, text| {
        prepare(desk);
        text + more
    })
}

fn query(client: &mut Client, sql: &str) {
    client.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
}

fn well(client: &mut Client, sql: &str) {
    let answers = client.simple(sql);
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{sql}: {answers:?}");
}

/// Everything up to the end of the connection.
fn to_the_end(client: &mut Client) -> Vec<Frame> {
    std::iter::from_fn(|| client.next_frame()).collect()
}

fn says(frame: &Frame, what: &str) -> bool {
    String::from_utf8_lossy(&frame.body).contains(what)
}

fn is_last_word(frame: &Frame) -> bool {
    frame.kind == b'E' && says(frame, "FATAL") && !says(frame, "qzx")
}

/// In use and waiting, of masked sessions; it needs a database that answers.
fn busy(own: &Own) -> (String, String) {
    let Ok(mut dba) = own.try_connect("dba") else { return ("?".into(), "?".into()) };
    let answers = dba.simple("SHOW scrim.pools");
    let row = answers[0].rows.iter().find(|row| row[2].as_deref() == Some(b"masked"));
    let text = |place: usize| {
        let value = row.and_then(|row| row[place].clone()).unwrap_or_else(|| b"0".to_vec());
        String::from_utf8(value).expect("a number")
    };
    (text(4), text(6))
}

fn all_is_as_it_was(own: &Own) {
    own.wait("a database that answers", || own.try_connect("dba").is_ok());
    own.wait("a pool that is free again", || busy(own) == ("0".into(), "0".into()));
    let mut client = own.connect("alice");
    assert_eq!(value(&client.simple("SELECT email FROM customers WHERE id = 1")[0]), EMAIL);
}

const EMAIL: &str = "m***@example.com";

fn marks(own: &Own) -> BTreeSet<String> {
    let text = own.desk.server().run("desk", "SELECT mark FROM marks").expect("marks");
    text.lines().map(str::to_owned).collect()
}

/// Some may have ended by themselves: when one is killed, the database ends the others.
fn signal(signal: &str, processes: &[String]) {
    let kill = |process: &&String| {
        let done = Command::new("kill").arg(format!("-{signal}")).arg(process).output();
        done.expect("kill").status.success()
    };
    assert!(processes.iter().filter(kill).count() > 0, "{signal} {processes:?}");
}

/// All processes of the database.
fn processes(own: &Own) -> Vec<String> {
    let folder = own.desk.server().socket_folder();
    let pid = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("postmaster.pid");
    let postmaster = pid.lines().next().expect("a number").to_owned();
    let children = Command::new("pgrep").args(["-P", &postmaster]).output().expect("pgrep").stdout;
    let children = String::from_utf8(children).expect("numbers");
    children.lines().chain([postmaster.as_str()]).map(str::to_owned).collect()
}

/// The answer to COMMIT is cut off at each byte: the client is told of a commit only where there was one, and of the loss
/// in any case.
#[test]
fn a_commit_whose_answer_is_lost_is_an_error() {
    let (own, cable) = behind_a_cable("pool: {size: 2}\n");
    let mut reported = BTreeSet::new();
    // `COMMIT` takes 12 bytes, ReadyForQuery 6. An untouched session hears it no other way.
    for (user, bytes) in
        ["aria", "dba"].into_iter().flat_map(|user| (0..=18).map(move |n| (user, n)))
    {
        let mark = format!("{user}: cut after {bytes}");
        let mut client = own.connect(user);
        cable.follow("INTO public.marks");
        well(&mut client, &format!("BEGIN; INSERT INTO public.marks VALUES ('{mark}')"));
        cable.cut_followed_after(bytes);
        query(&mut client, "COMMIT");
        let first = client.frame();
        if first.kind == b'C' {
            assert!(says(&first, "COMMIT") && bytes >= 12, "{mark}: {first:?}");
            reported.insert(mark.clone());
        } else {
            assert!(is_last_word(&first) && says(&first, "C08006"), "{mark}: {first:?}");
            assert!(bytes < 12, "{mark}");
        }
        if bytes == 18 {
            assert_eq!(client.frame().kind, b'Z');
        } else if bytes >= 12 {
            let last = to_the_end(&mut client);
            assert!(last.len() == 1 && is_last_word(&last[0]), "{mark}: {last:?}");
        } else {
            assert!(client.next_frame().is_none());
        }
        cable.spare();
    }
    assert!(reported.is_subset(&marks(&own)), "{reported:?}");
    assert_eq!(reported.len(), 14);
    // COMMIT that never arrives.
    let mut aria = own.connect("aria");
    well(&mut aria, "BEGIN; INSERT INTO marks VALUES ('never')");
    cable.set(Way::Up, Flow::CutAfter(0));
    query(&mut aria, "COMMIT");
    assert!(is_last_word(&aria.frame()));
    cable.set(Way::Up, Flow::Free);
    all_is_as_it_was(&own);
    assert!(!marks(&own).contains("never"));
}

/// Whole rows or none, and never a wrong one; then the reason, where no row has begun.
#[test]
fn a_network_cut_in_the_middle_of_a_row() {
    let (own, cable) = behind_a_cable("pool: {size: 2}\n");
    let sql = "SELECT id, email, repeat('y', 40000) FROM customers ORDER BY id";
    let whole = own.connect("alice").simple(sql).remove(0).rows;
    assert_eq!(whole.len(), 40);
    for bytes in [1, 90, 200, 30_000, 40_300, 123_456, 700_001] {
        let mut alice = own.connect("alice");
        well(&mut alice, "BEGIN");
        cable.follow("repeat");
        cable.cut_followed_after(bytes);
        query(&mut alice, sql);
        let mut frames = to_the_end(&mut alice);
        cable.spare();
        let last = frames.pop().unwrap_or_else(|| panic!("{bytes}: nothing was said"));
        assert!(is_last_word(&last) && says(&last, "C08006"), "{bytes}: {last:?}");
        let rows: Vec<Frame> = frames.into_iter().filter(|frame| frame.kind == b'D').collect();
        assert!(rows.len() < whole.len(), "{bytes}");
        for (row, expected) in rows.iter().zip(&whole) {
            let email = expected[1].as_deref().unwrap_or_default();
            assert!(row.body.windows(email.len()).any(|part| part == email), "{bytes}: {row:?}");
        }
    }
    assert_eq!(cable.cuts(), 7);
    all_is_as_it_was(&own);
    // On the client's side: what runs is ended, and what has begun is undone.
    let client = Cable::to(own.address());
    for bytes in [1, 90, 30_000, 123_456] {
        let password = sample_password("aria");
        let aria = Client::connect(client.address(), "aria", &password, "desk", &[]);
        let mut aria = aria.unwrap_or_else(|error| panic!("{error:?}"));
        well(&mut aria, &format!("BEGIN; INSERT INTO marks VALUES ('client {bytes}')"));
        client.set(Way::Down, Flow::CutAfter(bytes));
        query(&mut aria, sql);
        to_the_end(&mut aria);
        client.set(Way::Down, Flow::Free);
    }
    assert_eq!(client.cuts(), 4);
    all_is_as_it_was(&own);
    assert_eq!(marks(&own), BTreeSet::new());
}

#[test]
fn a_slow_network_is_only_slow() {
    let (own, cable) = behind_a_cable("pool: {size: 2}\n");
    let client = Cable::to(own.address());
    let all = [&cable, &client];
    for slow in all {
        for way in [Way::Up, Way::Down] {
            slow.set(way, Flow::Trickle(Duration::ZERO));
        }
    }
    let alice = Client::connect(client.address(), "alice", &sample_password("alice"), "desk", &[]);
    let mut alice = alice.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value(&alice.simple("SELECT email FROM customers WHERE id = 1")[0]), EMAIL);
    let prepared = alice.extended("SELECT id, name FROM customers ORDER BY id LIMIT 3", true);
    assert_eq!(prepared.rows.len(), 3);
    // While one waits for the network, another does not wait for him.
    cable.set(Way::Down, Flow::Free);
    cable.set(Way::Up, Flow::Free);
    client.set(Way::Down, Flow::Stalled);
    query(&mut alice, "SELECT email FROM customers WHERE id = 1");
    let mut other = own.connect("alice");
    assert_eq!(value(&other.simple("SELECT email FROM customers WHERE id = 1")[0]), EMAIL);
    own.wait("a free pool", || busy(&own).0 == "0");
    client.set(Way::Down, Flow::Free);
    assert_eq!(value(&alice.answers()[0]), EMAIL);
}

#[test]
fn a_database_that_is_killed_in_the_middle() {
    let own = open("pool: {size: 4}\n");
    for round in 0..3 {
        let (mut reading, mut writing) = (own.connect("alice"), own.connect("aria"));
        let mut idle = own.connect("alice");
        well(&mut idle, "SELECT 1");
        well(&mut writing, &format!("BEGIN; INSERT INTO marks VALUES ('kept {round}'); COMMIT"));
        well(&mut writing, &format!("BEGIN; INSERT INTO marks VALUES ('lost {round}')"));
        // More than all buffers hold: the server is in the middle of it.
        query(
            &mut reading,
            "SELECT id, repeat('y', 1000) FROM customers, generate_series(1, 10000)",
        );
        assert_eq!(reading.frame().kind, b'T');
        // Scrim itself looks at the catalog every second, and is not one of them.
        let sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'scrim' AND state <> 'idle'
            AND (backend_xid IS NOT NULL OR query LIKE '%repeat%')";
        let busy = own.desk.server().run("desk", sql).expect("activity");
        let busy: Vec<String> = busy.lines().map(str::to_owned).collect();
        assert_eq!(busy.len(), 2, "{busy:?}");
        signal("KILL", &busy);
        for client in [&mut reading, &mut writing] {
            let frames = to_the_end(client);
            let last = frames.last().expect("last words");
            assert!(is_last_word(last), "{last:?}");
            assert!(frames.iter().all(|frame| frame.kind != b'C'), "complete");
        }
        own.wait("a database that is back", || {
            own.desk.server().run("desk", "SELECT 1").is_ok() && own.try_connect("dba").is_ok()
        });
        all_is_as_it_was(&own);
        // Who had no connection has lost none; one at rest may have been found dead, and is not lent.
        well(&mut idle, "SELECT 1");
    }
    let expected = (0..3).map(|round| format!("kept {round}")).collect();
    assert_eq!(marks(&own), expected);
}

/// A COMMIT that a crash overtakes.
#[test]
fn what_is_reported_committed_outlives_a_crash() {
    let own = open("pool: {size: 4}\n");
    let is_over = AtomicBool::new(false);
    let reported = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (own, is_over) = (&own, &is_over);
                scope.spawn(move || {
                    let mut reported = Vec::new();
                    let mut client = None;
                    for number in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let Some(aria) = client.as_mut() else {
                            client = own.try_connect("aria").ok();
                            continue;
                        };
                        let mark = format!("{writer}-{number}");
                        if committed(aria, &mark) {
                            reported.push(mark);
                        } else {
                            client = None;
                        }
                    }
                    reported
                })
            })
            .collect();
        for _ in 0..3 {
            let before = marks(&own).len();
            own.wait("more marks", || {
                let count = own.desk.server().run("desk", "SELECT count(*) FROM marks");
                count.is_ok_and(|count| {
                    count.trim().parse::<usize>().expect("a number") > before + 20
                })
            });
            let sql = "SELECT min(pid) FROM pg_stat_activity WHERE usename = 'scrim'";
            let one = own.desk.server().run("desk", sql).expect("activity");
            signal("KILL", &[one.trim().to_owned()]);
            own.wait("a database that is back", || {
                own.desk.server().run("desk", "SELECT 1").is_ok()
            });
        }
        is_over.store(true, Ordering::Relaxed);
        let reported = writers.into_iter().flat_map(|writer| writer.join().expect("a writer"));
        reported.collect::<BTreeSet<String>>()
    });
    let there = marks(&own);
    let lost: Vec<_> = reported.difference(&there).collect();
    assert!(lost.is_empty() && reported.len() > 60, "{} reported, lost: {lost:?}", reported.len());
    all_is_as_it_was(&own);
}

/// True where the client was told of a COMMIT.
fn committed(client: &mut Client, mark: &str) -> bool {
    let text = format!("BEGIN; INSERT INTO marks VALUES ('{mark}'); COMMIT");
    let sent = catch_unwind(AssertUnwindSafe(|| query(client, &text)));
    if sent.is_err() {
        return false;
    }
    let mut is_committed = false;
    loop {
        match catch_unwind(AssertUnwindSafe(|| client.next_frame())).unwrap_or_default() {
            Some(frame) if frame.kind == b'C' => is_committed |= says(&frame, "COMMIT"),
            Some(frame) if frame.kind == b'Z' => return is_committed,
            Some(frame) if frame.kind == b'E' && says(&frame, "FATAL") => return is_committed,
            Some(_) => {}
            None => return is_committed,
        }
    }
}

#[test]
fn a_database_that_stands_still() {
    let own = open("pool: {size: 2, wait_seconds: 2}\n");
    let (mut waiting, mut vanishing) = (own.connect("alice"), own.connect("alice"));
    let mut third = own.connect("alice");
    for client in [&mut waiting, &mut vanishing] {
        well(client, "BEGIN");
    }
    // All processes of the server at once: none may notice that another has stopped.
    let all = processes(&own);
    signal("STOP", &all);
    query(&mut waiting, "SELECT email FROM customers WHERE id = 1");
    query(&mut vanishing, "SELECT email FROM customers WHERE id = 1");
    // The pool is full: who waits is told, and not later than it says.
    query(&mut third, "SELECT 1");
    let last = third.frame();
    assert!(is_last_word(&last) && says(&last, "C53300"), "{last:?}");
    // One goes: his seat is free though the server does not say so; the next one gets a new connection, or would.
    drop(vanishing);
    own.wait("an end of waiting for a server that does not answer", || {
        let Ok(mut next) = own.try_connect("alice") else { return true };
        query(&mut next, "SELECT 1");
        let last = next.frame();
        assert!(is_last_word(&last), "{last:?}");
        says(&last, "C08006") || says(&last, "C57P03")
    });
    signal("CONT", &all);
    assert_eq!(value(&waiting.answers()[0]), EMAIL);
    well(&mut waiting, "COMMIT");
    all_is_as_it_was(&own);
}

#[test]
fn a_database_without_a_connection_to_spare() {
    let own = open("pool: {size: 5, wait_seconds: 2}\n");
    all_is_as_it_was(&own);
    let limit = |count: i32| {
        let sql = format!("ALTER ROLE scrim CONNECTION LIMIT {count}");
        own.desk.server().run("desk", &sql).expect("a limit");
    };
    let open = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'scrim'";
    let open = own.desk.server().run("desk", open).expect("activity");
    limit(open.trim().parse().expect("a number"));
    let mut first = own.connect("alice");
    well(&mut first, "BEGIN");
    for _ in 0..4 {
        let refused = match own.try_connect("alice") {
            Ok(mut client) => {
                query(&mut client, "BEGIN");
                let last = client.frame();
                assert!(is_last_word(&last), "{last:?}");
                String::from_utf8_lossy(&last.body).into_owned()
            }
            Err(refused) => refused,
        };
        assert!(refused.contains("53300"), "{refused}");
    }
    well(&mut first, "SELECT 1; COMMIT");
    assert_eq!(value(&own.connect("ana").simple("SELECT 1")[0]), "1");
    limit(-1);
    all_is_as_it_was(&own);
    let mut all: Vec<Client> = (0..5).map(|_| own.connect("alice")).collect();
    all.iter_mut().for_each(|client| well(client, "BEGIN"));
}

/// Sessions that share connections over a network that is cut again and again: whatever is answered is the asker's own.
#[test]
fn no_session_gets_anothers_rows_whatever_breaks() {
    const SESSIONS: usize = 6;
    const CUTS: usize = 24;
    let (own, cable) = behind_a_cable("pool: {size: 3}\n");
    let (is_over, good) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = |session: usize| {
        let mut client: Option<Client> = None;
        for round in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let Some(one) = client.as_mut() else {
                client = own.try_connect("alice").ok();
                continue;
            };
            let token = format!("{session}-{round}");
            let sql = format!("SELECT '{token}' FROM generate_series(1, 20)");
            let answered = catch_unwind(AssertUnwindSafe(|| match round % 2 {
                0 => one.simple(&sql).remove(0),
                _ => one.extended(&sql, false),
            }));
            match answered {
                Ok(answer) if answer.error.is_none() => {
                    let expected = vec![vec![Some(token.clone().into_bytes())]; 20];
                    assert_eq!(answer.rows, expected, "{token}");
                    good.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) | Err(_) => client = None,
            }
        }
    };
    std::thread::scope(|scope| {
        let ask = &ask;
        let sessions: Vec<_> = (0..SESSIONS).map(|one| scope.spawn(move || ask(one))).collect();
        // Whatever fails here, they end.
        let sabotage = catch_unwind(AssertUnwindSafe(|| {
            for round in 0..CUTS {
                // Of ever other lengths, so that each kind of message is cut somewhere.
                let (way, most) = if round % 2 == 0 { (Way::Down, 4093) } else { (Way::Up, 701) };
                let before = cable.cuts();
                cable.set(way, Flow::CutAfter((round * 1327 + 1) % most));
                own.wait("a cut", || cable.cuts() > before);
                cable.set(way, Flow::Free);
                let before = good.load(Ordering::Relaxed);
                own.wait("answers", || good.load(Ordering::Relaxed) > before + SESSIONS);
            }
        }));
        cable.set(Way::Down, Flow::Free);
        cable.set(Way::Up, Flow::Free);
        is_over.store(true, Ordering::Relaxed);
        sessions.into_iter().for_each(|one| one.join().expect("own rows"));
        sabotage.expect("cuts and answers");
    });
    all_is_as_it_was(&own);
}

/// Scrim itself is killed: the database undoes what was not committed, and the next Scrim starts as if nothing had been.
#[test]
fn a_scrim_that_is_killed() {
    let mut own = open("");
    let mut aria = own.connect("aria");
    well(&mut aria, "INSERT INTO marks VALUES ('kept')");
    well(&mut aria, "BEGIN; INSERT INTO marks VALUES ('lost')");
    own.signal("KILL");
    assert!(to_the_end(&mut aria).iter().all(|frame| frame.kind != b'C'));
    drop(own.scrim.take());
    own.start();
    all_is_as_it_was(&own);
    assert_eq!(marks(&own), BTreeSet::from(["kept".to_owned()]));
    assert_eq!(code(&own.connect("aria").simple("INSERT INTO marks VALUES ('lost')")[0]), "");
}
