mod rotation;

use std::io::BufReader;
use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;

use super::*;
use crate::audit::verify_chain;
use crate::audit::{Outcome, RelationRead, SessionFacts, StatementFacts, StatementRecord, Verdict};

fn record(number: u64) -> Record {
    Record::Completed(Outcome {
        session: 1,
        statement: number,
        rows: 2,
        bytes: 3,
        duration_us: 4,
        error: None,
        rows_seen: None,
    })
}

fn statement(sql: &str) -> Record {
    let facts = SessionFacts {
        session: 7,
        user: "alice".into(),
        role: "support".into(),
        client: "127.0.0.1".into(),
        via: None,
        application: "psql".into(),
        database: "desk".into(),
        rules: "1".into(),
    };
    Record::Statement(Box::new(StatementRecord {
        facts: Arc::new(facts),
        statement: 1,
        end_user: None,
        purpose: None,
        details: Arc::default(),
        verdict: Verdict::Rewrite,
        reason: None,
        rule: None,
        about: Arc::new(StatementFacts {
            relations: vec![RelationRead {
                relation: "public.customers".into(),
                clear: vec!["id".into()],
                masked: serde_json::Map::new(),
            }],
            ..StatementFacts::of_shape(sql.into())
        }),
    }))
}

fn options(folder: &Path, durability: Durability) -> AuditOptions {
    AuditOptions { durability, ..AuditOptions::of_file(folder.join("audit.jsonl")) }
}

async fn write(options: &AuditOptions, numbers: std::ops::Range<u64>) {
    let audit = Audit::open(options).unwrap();
    for number in numbers {
        audit.accept(record(number)).await.unwrap();
    }
    audit.close().await;
}

fn verify(text: &[u8]) -> Result<usize, usize> {
    verify_chain(BufReader::new(text)).map_err(|fault| fault.line)
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    for durability in [Durability::Queued, Durability::Synced] {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path(), durability);
        write(&options, 0..5).await;
        write(&options, 5..6).await;
        write(&options, 6..6).await;
        write(&options, 6..10).await;
        let text = std::fs::read(&options.file).unwrap();
        assert_eq!(verify(&text), Ok(10));
    }
}

#[tokio::test]
async fn what_was_changed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    write(&options, 0..8).await;
    let text = std::fs::read(&options.file).unwrap();
    let last_line = text.len() - lines(&text).last().unwrap().len();
    // Every byte of every line but the last: what comes after does not follow from it any more.
    for place in 0..last_line {
        let mut flipped = text.clone();
        flipped[place] ^= 1;
        assert!(verify(&flipped).is_err(), "{place}");
    }
    let lines = lines(&text);
    for gone in 0..lines.len() - 1 {
        let rest = [&lines[..gone], &lines[gone + 1..]].concat().concat();
        assert!(verify(&rest).is_err(), "{gone}");
    }
    for twice in 0..lines.len() {
        let more = [&lines[..=twice], &lines[twice..]].concat().concat();
        assert!(verify(&more).is_err(), "{twice}");
    }
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    assert_eq!(verify(&swapped.concat()), Err(3));
    let foreign = [&lines[..2], &[&b"{\"event\":\"login\"}\n"[..]], &lines[2..]].concat().concat();
    assert_eq!(verify(&foreign), Err(3));
    assert_eq!(verify(b""), Ok(0));
    assert_eq!(verify(b"\n"), Err(1));
}

/// A crash after any byte of the last line, and again after any byte of the recovery.
#[tokio::test]
async fn a_torn_line_stays_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    write(&options, 0..3).await;
    let text = std::fs::read(&options.file).unwrap();
    let whole = text.len() - lines(&text).last().unwrap().len();
    for torn in whole + 1..text.len() - 1 {
        std::fs::write(&options.file, &text[..torn]).unwrap();
        assert_eq!(verify(&text[..torn]), Err(3), "{torn}");
        write(&options, 3..4).await;
        let after = std::fs::read(&options.file).unwrap();
        assert!(after.starts_with(&text[..torn]), "nothing is taken away");
        assert_eq!(verify(&after), Ok(4), "{torn}");
        assert!(String::from_utf8(after).unwrap().contains("\"event\":\"recovered\""));
    }
    // Only the line end is missing: the line is whole.
    std::fs::write(&options.file, &text[..text.len() - 1]).unwrap();
    write(&options, 3..4).await;
    assert_eq!(verify(&std::fs::read(&options.file).unwrap()), Ok(4));
    std::fs::write(&options.file, &text[..whole + 20]).unwrap();
    write(&options, 3..4).await;
    let once = std::fs::read(&options.file).unwrap();
    for torn in [whole + 20, whole + 21, whole + 22, whole + 60, once.len() - 1] {
        std::fs::write(&options.file, &once[..torn]).unwrap();
        write(&options, 4..5).await;
        let after = std::fs::read(&options.file).unwrap();
        assert!(verify(&after).is_ok(), "{torn}");
        // What is torn is part of the chain too.
        let mut changed = after.clone();
        changed[whole + 3] ^= 1;
        assert!(verify(&changed).is_err(), "{torn}");
    }
    // The very first line.
    for torn in 1..30 {
        std::fs::write(&options.file, &text[..torn]).unwrap();
        write(&options, 0..1).await;
        assert_eq!(verify(&std::fs::read(&options.file).unwrap()), Ok(2), "{torn}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_trail_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    for text in ["listen: 127.0.0.1\n", "x", "{}\n", "\n", "{\"time\":1}\n{\"previous\":\"00\"}\n"]
    {
        std::fs::write(&options.file, text).unwrap();
        let error = Audit::open(&options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
        assert_eq!(std::fs::read_to_string(&options.file).unwrap(), text);
    }
}

#[tokio::test]
async fn one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    let audit = Audit::open(&options).unwrap();
    assert_eq!(Audit::open(&options).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    audit.close().await;
    assert_eq!(audit.accept(record(1)).await, Err(NotAccepted::Failed));
    audit.close().await;
    assert!(Audit::open(&options).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private_and_the_key_stays() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    write(&options, 0..1).await;
    let key_file = folder.path().join("audit.jsonl.key");
    let key = std::fs::read(&key_file).unwrap();
    assert_eq!(key.len(), KEY_BYTES);
    for file in [&options.file, &key_file] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    write(&options, 1..2).await;
    assert_eq!(std::fs::read(&key_file).unwrap(), key);
    std::fs::write(&key_file, b"short").unwrap();
    assert!(Audit::open(&options).is_err());
}

#[tokio::test]
async fn lines_carry_time_number_and_a_keyed_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Durability::Queued);
    let audit = Audit::open(&options).unwrap();
    for sql in ["SELECT ?", "SELECT ?", "SELECT a"] {
        audit.accept(statement(sql)).await.unwrap();
    }
    audit.close().await;
    let text = std::fs::read(&options.file).unwrap();
    let lines: Vec<serde_json::Value> =
        lines(&text).iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
    let time = lines[0]["time"].as_str().unwrap();
    assert!(time.len() == "2026-01-01T00:00:00.000000Z".len() && time.ends_with('Z'), "{time}");
    assert_eq!(lines[0]["previous"], "0".repeat(64));
    assert_eq!(lines[2]["sequence"], 3);
    assert_eq!(lines[0]["event"], "statement");
    assert_eq!(lines[0]["user"], "alice");
    let fingerprint = |index: usize| lines[index]["fingerprint"].as_str().unwrap();
    assert_eq!(fingerprint(0).len(), 16);
    assert_eq!(fingerprint(0), fingerprint(1));
    assert_ne!(fingerprint(0), fingerprint(2));
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        &std::fs::read(folder.path().join("audit.jsonl.key")).unwrap(),
    );
    let tag = hmac::sign(&key, b"SELECT a");
    assert!(fingerprint(2).starts_with(&format!("{:02x}", tag.as_ref()[0])));
}

#[tokio::test]
async fn a_full_device_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let options = AuditOptions {
        durability: Durability::Synced,
        key_file: Some(folder.path().join("key")),
        ..AuditOptions::of_file("/dev/full".into())
    };
    let audit = Audit::open(&options).unwrap();
    assert_eq!(audit.accept(record(1)).await, Err(NotAccepted::Failed));
    assert_eq!(audit.accept(record(2)).await, Err(NotAccepted::Failed));
}

/// Each append takes one answer; what is appended well is kept.
struct Told {
    answers: std_mpsc::Receiver<bool>,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl Sink for Told {
    fn append(&mut self, bytes: &[u8], _: bool) -> io::Result<()> {
        // When nobody tells any more, all is well.
        if !self.answers.recv().unwrap_or(true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.kept.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn turn(&mut self, _: u64) -> io::Result<Option<Record>> {
        Ok(None)
    }
}

fn told(durability: Durability) -> (Audit, std_mpsc::Sender<bool>, Arc<Mutex<Vec<u8>>>) {
    let (answer, answers) = std_mpsc::channel();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let sink = Told { answers, kept: kept.clone() };
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
    let audit =
        Audit::start(sink, Vec::new(), Link::first(), key, durability, Duration::ZERO).unwrap();
    (audit, answer, kept)
}

#[tokio::test]
async fn a_writer_that_fails_refuses_and_recovers() {
    let (audit, answer, kept) = told(Durability::Synced);
    answer.send(true).unwrap();
    assert_eq!(audit.accept(record(1)).await, Ok(()));
    answer.send(false).unwrap();
    assert_eq!(audit.accept(record(2)).await, Err(NotAccepted::Failed));
    // The writer waits for its next try.
    assert_eq!(audit.accept(record(3)).await, Err(NotAccepted::Failed));
    answer.send(false).unwrap();
    answer.send(true).unwrap();
    drop(answer);
    while audit.accept(record(4)).await.is_err() {
        tokio::task::yield_now().await;
    }
    audit.close().await;
    // The refused one was in the queue already: it is written late rather than lost.
    let kept = kept.lock().unwrap();
    assert_eq!(verify(&kept), Ok(3));
    assert!(!String::from_utf8_lossy(&kept).contains("\"statement\":3"));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing() {
    let (audit, answer, kept) = told(Durability::Queued);
    let mut accepted = 0;
    let refused = loop {
        match audit.accept(record(accepted)).await {
            Ok(()) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, NotAccepted::Full);
    assert!(
        (QUEUE_RECORDS_MAX..=QUEUE_RECORDS_MAX + BATCH_RECORDS_MAX).contains(&(accepted as usize))
    );
    drop(answer);
    audit.close().await;
    assert_eq!(verify(&kept.lock().unwrap()), Ok(accepted as usize));
}
