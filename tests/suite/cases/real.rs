//! Each attack is one: run past Scrim it gives what Scrim does not.
//!
//! It is run as the service account, as a superuser, and as a superuser who has become somebody lesser. It is proven when
//! it brings out a mark; or answers otherwise on a look-alike, and so tells what masks hide; or answers otherwise where what
//! is hidden does not exist; or has an effect that Scrim refuses. What is proven by none of these is a control, and says
//! so on its page: `control: why`. A control that is proven is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};

use scrim::demo::{DATABASE, SAMPLE_PSEUDONYM_KEY};
use scrim::mask::key_settings;

use super::page::{Case, Expectation, Page};
use super::{kinds, pages, run};
use crate::canary;
use crate::harness::client::{Answer, Client, Form};
use crate::lookalikes::{World, bare, lookalike, original};

/// By what an attack is shown to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// A true value is in the bytes, those of a friend's session and of a file that the server wrote among them.
    Mark,
    /// The answer depends on what masks and row filters hide.
    Lookalike,
    /// The answer depends on whether the hidden exists.
    Existence,
    /// It changed rows, objects, rights, settings or what the session keeps, and Scrim refuses it.
    Effect,
}

/// What a statement may take, in milliseconds: some would never end.
const TIME_MS: u32 = 2_000;
/// The same for what is tried again with nobody beside it.
const TIME_ALONE_MS: u32 = 20_000;

/// Who runs it: a login, and what they do first.
const SPEAKERS: [(&str, &str); 3] = [
    ("scrim", ""),
    ("postgres", ""),
    ("postgres", "SET SESSION AUTHORIZATION scrim; SET ROLE svc_support"),
];

/// What an attack gave.
struct Outcome {
    bytes: Vec<u8>,
    answers: Vec<Answer>,
    /// Before and after, where the state was asked for.
    states: Option<(Answer, Answer)>,
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn every_attack_is_real() {
    let _alone = crate::lookalikes::alone();
    let pages: Vec<Page> = pages("attacks").into_iter().map(|(_, page)| page).collect();
    let mut cases: Vec<(&Page, &Case)> = pages
        .iter()
        .flat_map(|page| page.cases.iter().map(move |case| (page, case)))
        .filter(|(page, case)| case.role != "admin" && super::is_chosen(page, case))
        // Where the server has nothing of the kind there is nothing to attack.
        .filter(|(_, case)| !case.is_missing())
        .collect();
    // What stays would change what those after it find.
    cases.sort_by_key(|(_, case)| case.sql.to_ascii_lowercase().contains("commit"));
    let proofs: Mutex<Vec<(&Page, &Case, Option<Proof>)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((page, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let proof = proof(case, TIME_MS);
            proofs.lock().expect("no panic holds it").push((page, case, proof));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut proofs = proofs.into_inner().expect("done");
    let mut lines = Vec::new();
    for (page, case, found) in &mut proofs {
        if objection(case, *found).is_some() {
            // A busy machine may stop what proves it, and other attacks may change what it sees: again, alone.
            *found = proof(case, TIME_ALONE_MS);
        }
        if found.is_none() && is_beyond(case) {
            continue;
        }
        if let Some(what) = objection(case, *found) {
            let place = format!("tests/{}:{} {}", page.name, case.line, case.headings.join(" › "));
            lines.push(format!("{place}: {what}\n    {}", case.sql.replace('\n', "\n    ")));
        }
    }
    let mut counts: BTreeMap<Option<Proof>, usize> = BTreeMap::new();
    proofs.iter().for_each(|(_, _, proof)| *counts.entry(*proof).or_default() += 1);
    for (proof, count) in &counts {
        println!("{count} {}", proof.map_or("controls".into(), |proof| format!("{proof:?}")));
    }
    assert!(lines.is_empty(), "{} of {}:\n{}", lines.len(), cases.len(), lines.join("\n"));
    if super::is_filtered() {
        return;
    }
    let proven: BTreeSet<(&str, usize)> = proofs
        .iter()
        .filter(|(_, _, proof)| proof.is_some())
        .map(|(page, case, _)| (page.name.as_str(), case.line))
        .collect();
    assert!(proven.len() >= super::ATTACKS_MIN, "{} attacks are proven", proven.len());
    let covered = kinds::covered(|page, line| proven.contains(&(page, line)));
    for kind in kinds::all().iter().filter(|kind| kind.is_clients) {
        let count = covered.get(&kind.name).copied().unwrap_or_default();
        println!("{count:4} proven: {}", kind.name);
        assert!(count > 0, "no proven attack covers `{}`", kind.name);
    }
}

/// An older server than those on which the pages are proven does not take it, where Scrim refuses it on all of them.
fn is_beyond(case: &Case) -> bool {
    crate::harness::server_version() < 15
        && SPEAKERS.iter().all(|speaker| {
            let outcome = attempt(case, TIME_ALONE_MS, &original(), *speaker, DATABASE, false);
            outcome.answers.iter().any(|answer| answer.error.is_some())
        })
}

/// What is wrong with what the page says of it.
fn objection(case: &Case, proof: Option<Proof>) -> Option<String> {
    match (proof, &case.control) {
        (None, None) => Some("not proven, and no `control: why`".to_owned()),
        (Some(proof), Some(why)) if !why.starts_with("sometimes") => {
            Some(format!("a control that is an attack: {proof:?}"))
        }
        _ => None,
    }
}

/// The first proof there is; a statement may take so long.
fn proof(case: &Case, time_ms: u32) -> Option<Proof> {
    // What stands in the text comes back in errors and plans: then a mark proves nothing.
    let echoes = !canary::find(case.sql.as_bytes()).is_empty();
    let refused = case.expected.iter().any(|e| matches!(e, Expectation::Refused { .. }));
    let here = original();
    // A machine that is busy is no answer, unless sleeping is the question.
    let is_late = |outcome: &Outcome| {
        let code = |answer: &Answer| answer.error.as_ref().is_some_and(|e| e.code == "57014");
        !case.sql.contains("pg_sleep") && outcome.answers.iter().any(code)
    };
    let differ = |one: &Outcome, other: &Outcome| {
        one.answers != other.answers && !is_late(one) && !is_late(other)
    };
    let mut outcomes = Vec::new();
    for speaker in SPEAKERS {
        let outcome = attempt(case, time_ms, &here, speaker, DATABASE, false);
        if !echoes && holds_mark(&outcome.bytes) {
            return Some(Proof::Mark);
        }
        outcomes.push(outcome);
    }
    for (speaker, outcome) in SPEAKERS.into_iter().zip(&outcomes) {
        let steady =
            || attempt(case, time_ms, &here, speaker, DATABASE, false).answers == outcome.answers;
        // Keyed masks change with the values; past Scrim there are none.
        let there = lookalike(if case.role == "researcher" { "support" } else { &case.role });
        if differ(&attempt(case, time_ms, &there, speaker, DATABASE, false), outcome) && steady() {
            return Some(Proof::Lookalike);
        }
        if differ(&attempt(case, time_ms, &here, speaker, bare(&case.role), false), outcome)
            && steady()
        {
            return Some(Proof::Existence);
        }
    }
    let effect = |speaker| {
        let outcome = attempt(case, time_ms, &here, speaker, DATABASE, true);
        let well = outcome.answers.iter().all(|answer| answer.error.is_none());
        well && outcome.states.is_some_and(|(before, after)| {
            before.error.is_none() && after.error.is_none() && before != after
        })
    };
    (refused && SPEAKERS.into_iter().any(effect)).then_some(Proof::Effect)
}

/// A canary, or a part of the key.
fn holds_mark(bytes: &[u8]) -> bool {
    let seen = String::from_utf8_lossy(bytes);
    let pads = key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()).map(|(_, pad)| pad);
    pads.iter().any(|pad| seen.contains(&pad[..24])) || !canary::find(bytes).is_empty()
}

/// Runs the attack in a transaction that ends with the connection, unless it has transactions of its own.
fn attempt(
    case: &Case,
    time_ms: u32,
    world: &World,
    (login, first): (&str, &str),
    database: &str,
    with_state: bool,
) -> Outcome {
    // Who throws the neighbour out is alone in the house, and so is who writes the file that is looked at then.
    static HOUSE: RwLock<()> = RwLock::new(());
    let alone = ["pg_terminate_backend", "/tmp/loot"].iter().any(|word| case.sql.contains(word));
    let _others = (!alone).then(|| HOUSE.read().expect("no panic holds it"));
    let _nobody = alone.then(|| HOUSE.write().expect("no panic holds it"));
    let folder = world.folder();
    let sql = case.sql.replace("/tmp/", &format!("{}/", folder.display()));
    let mut client = world.direct(login, database);
    for statement in [&*format!("SET statement_timeout = {time_ms}"), PLANTED, first] {
        client.simple(statement);
    }
    if let Some(path) = &case.search_path {
        client.simple(&format!("SET search_path TO {path}"));
    }
    let words = case.sql.to_ascii_lowercase();
    if !OWN_TRANSACTION.iter().any(|word| words.contains(word)) {
        client.simple("BEGIN");
    }
    let ask = |client: &mut Client| {
        client.simple("SELECT current_user, session_user, current_setting('role'), proof.state()")
    };
    let before = with_state.then(|| ask(&mut client));
    client.take_received();
    client.data = case.data.clone().map(String::into_bytes);
    // A connection that the attack ends gives nothing more.
    let answers = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.run(Form::Simple, &sql, &run::statements(&sql))
    }));
    let mut answers = answers.unwrap_or_default();
    let states = match (before, client.transaction) {
        (Some(mut before), b'I' | b'T') if !answers.is_empty() => {
            before.pop().zip(ask(&mut client).pop())
        }
        _ => None,
    };
    // A friend would hear it; here it is the session itself.
    if words.contains("pg_notify") {
        client.simple("LISTEN news; COMMIT");
    }
    if words.contains("alter system") {
        client.simple("ALTER SYSTEM RESET ALL");
    }
    let mut bytes = client.take_received();
    drop(client);
    world.revive_neighbours();
    bytes.extend(std::fs::read(folder.join("loot")).unwrap_or_default());
    let _ = std::fs::remove_file(folder.join("loot"));
    for answer in &mut answers {
        if !run::ordered(&case.sql) {
            answer.rows.sort();
        }
        // A temporary table has another number each time.
        answer.columns.iter_mut().flatten().for_each(|column| column.table = 0);
        if let Some(error) = &mut answer.error {
            error.message = error.message.replace(&*folder.to_string_lossy(), "/tmp");
        }
    }
    Outcome { bytes, answers, states }
}

/// What the session has made before: a cursor and a prepared statement, with a mark in their texts.
const PLANTED: &str = "DECLARE planted CURSOR WITH HOLD FOR SELECT 'qzx' AS planted; \
                       PREPARE planted AS SELECT 'qzx' AS planted";

const OWN_TRANSACTION: [&str; 7] = [
    "begin",
    "commit",
    "rollback",
    "start transaction",
    "vacuum",
    "prepare transaction",
    "alter system",
];
