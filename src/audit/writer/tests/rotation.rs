//! Files that are closed, and sinks.

use std::os::unix::net::UnixDatagram;

use super::*;
use crate::audit::{Beginning, Chain, Checked, SinkOptions, SyslogAddress, trail_files};

fn options(folder: &Path, keep: Option<usize>) -> AuditOptions {
    AuditOptions {
        durability: Durability::Synced,
        rotation: Some(Rotation { bytes: Some(1000), daily: false, keep }),
        ..AuditOptions::of_file(folder.join("audit.jsonl"))
    }
}

fn checked(files: &[PathBuf], beginning: Beginning) -> Result<Checked, (usize, usize)> {
    let mut chain = Chain::from(beginning);
    for (index, file) in files.iter().enumerate() {
        if index > 0 {
            chain.next_file().map_err(|fault| (index - 1, fault.line))?;
        }
        let text = std::fs::read(file).unwrap();
        for line in text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n') {
            chain.push(line).map_err(|fault| (index, fault.line))?;
        }
    }
    chain.end().map_err(|fault| (0, fault.line))
}

fn first_event(file: &Path) -> serde_json::Value {
    let text = std::fs::read(file).unwrap();
    serde_json::from_slice(lines(&text).first().unwrap()).unwrap()
}

#[tokio::test]
async fn the_chain_goes_on_through_closed_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), None);
    write(&options, 0..30).await;
    // And after a restart, with and without rotation.
    write(&options, 30..60).await;
    write(&AuditOptions { rotation: None, ..options.clone() }, 60..62).await;
    let files = trail_files(&options.file).unwrap();
    assert!(files.len() > 5, "{files:?}");
    let rotated = files.len() - 1;
    let whole = checked(&files, Beginning::First).unwrap();
    assert_eq!((whole.first, whole.last), (1, 62 + rotated as u64));
    for (before, file) in files.iter().zip(&files[1..]) {
        let first = first_event(file);
        assert_eq!(first["event"], "rotated");
        assert_eq!(first["closed"], before.file_name().unwrap().to_str().unwrap());
        assert!(std::fs::metadata(before).unwrap().len() < 1400);
    }
    // A file that is gone from the middle, or from the beginning, is missed; of the latter only if nobody says so.
    for gone in 0..rotated {
        let rest = [&files[..gone], &files[gone + 1..]].concat();
        assert!(checked(&rest, Beginning::First).is_err(), "{gone}");
        assert_eq!(checked(&rest, Beginning::Anywhere).is_ok(), gone == 0);
    }
    let mut swapped = files.clone();
    swapped.swap(1, 2);
    assert!(checked(&swapped, Beginning::First).is_err());
    // A record that is cut off at the beginning of what is there.
    let text = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], lines(&text)[1..].concat()).unwrap();
    assert_eq!(checked(&files, Beginning::First), Err((0, 1)));
}

#[tokio::test]
async fn old_files_go_and_a_record_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), Some(2));
    write(&options, 0..60).await;
    let files = trail_files(&options.file).unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
    let whole = checked(&files, Beginning::First).unwrap();
    assert!(whole.first > 1 && whole.last > 60, "{whole:?}");
    let last = first_event(&options.file);
    assert_eq!(last["removed_through"], whole.first - 1);
    assert_eq!(last["removed"].as_array().unwrap().len(), 1);
    // One more than was removed is missed.
    assert_eq!(checked(&files[1..], Beginning::First), Err((0, 1)));
    assert!(checked(&files[1..], Beginning::Anywhere).is_ok());
    // The key is not one of them.
    assert!(folder.path().join("audit.jsonl.key").exists());
}

#[tokio::test]
async fn a_crash_between_two_files_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), None);
    write(&AuditOptions { rotation: None, ..options.clone() }, 0..3).await;
    for is_empty in [false, true] {
        let count = trail_files(&options.file).unwrap().len();
        let text = std::fs::read(&options.file).unwrap();
        let last: serde_json::Value = serde_json::from_slice(lines(&text).last().unwrap()).unwrap();
        let closed = format!("audit.jsonl.20261128-{:012}", last["sequence"].as_u64().unwrap());
        std::fs::rename(&options.file, folder.path().join(closed)).unwrap();
        if is_empty {
            std::fs::write(&options.file, "").unwrap();
        }
        write(&options, 3..4).await;
        let files = trail_files(&options.file).unwrap();
        assert_eq!(files.len(), count + 1);
        assert_eq!(first_event(&options.file)["event"], "rotated");
        assert!(checked(&files, Beginning::First).is_ok());
    }
    // A closed file that somebody has cut: where the chain goes on cannot be told.
    let closed = trail_files(&options.file).unwrap()[0].clone();
    for file in trail_files(&options.file).unwrap().iter().skip(1) {
        std::fs::remove_file(file).unwrap();
    }
    let text = std::fs::read(&closed).unwrap();
    std::fs::write(&closed, &text[..text.len() - 5]).unwrap();
    assert_eq!(Audit::open(&options).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_day_that_is_over_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Some(Rotation { bytes: None, daily: true, keep: None });
    let options = AuditOptions { rotation, ..options(folder.path(), None) };
    let first = format!(
        "{{\"time\":\"2020-02-29T23:59:59.000000Z\",\"sequence\":1,\"previous\":\"{}\",\"event\":\"logout\"}}\n",
        "0".repeat(64)
    );
    std::fs::write(&options.file, first).unwrap();
    write(&options, 0..3).await;
    let files = trail_files(&options.file).unwrap();
    assert_eq!(files.len(), 2, "once, and not again today");
    assert_eq!(checked(&files, Beginning::First).unwrap().records, 5);
}

#[tokio::test]
async fn what_is_no_file_is_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = Some(folder.path().join("key"));
    let options =
        AuditOptions { file: "/dev/null".into(), key_file, ..options(folder.path(), None) };
    assert!(Audit::open(&options).is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_closed_refuses_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), None);
    let audit = Audit::open(&options).unwrap();
    let mut number = 0;
    while std::fs::metadata(&options.file).unwrap().len() < 1000 {
        audit.accept(record(number)).await.unwrap();
        number += 1;
    }
    // The name that it would get is taken.
    let day = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
    let taken = folder.path().join(format!("audit.jsonl.{day}-{number:012}"));
    std::fs::write(&taken, "x").unwrap();
    assert_eq!(audit.accept(record(number)).await, Err(NotAccepted::Failed));
    assert!(!audit.is_well());
    std::fs::remove_file(&taken).unwrap();
    while audit.accept(record(number + 1)).await.is_err() {
        tokio::task::yield_now().await;
    }
    audit.close().await;
    let files = trail_files(&options.file).unwrap();
    assert_eq!(files.len(), 2);
    // The one that was refused was in the queue: it is written late rather than lost.
    assert_eq!(checked(&files, Beginning::First).unwrap().records, number + 3);
}

#[tokio::test]
async fn a_sink_that_is_not_well_refuses_and_gets_each_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let address = SyslogAddress::Unix(socket.clone());
    let options = AuditOptions {
        durability: Durability::Synced,
        sinks: vec![SinkOptions::Syslog { address, facility: 16 }],
        ..AuditOptions::of_file(folder.path().join("audit.jsonl"))
    };
    assert!(Audit::open(&options).is_err(), "nobody listens");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    let audit = Audit::open(&options).unwrap();
    audit.accept(record(1)).await.unwrap();
    drop(receiver);
    std::fs::remove_file(&socket).unwrap();
    assert_eq!(audit.accept(record(2)).await, Err(NotAccepted::Failed));
    assert!(!audit.is_well());
    let receiver = UnixDatagram::bind(&socket).unwrap();
    while audit.accept(record(3)).await.is_err() {
        tokio::task::yield_now().await;
    }
    audit.close().await;
    let text = std::fs::read(&options.file).unwrap();
    assert_eq!(verify(&text), Ok(3));
    receiver.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    let mut got = Vec::new();
    while let Ok(length) = receiver.recv(&mut buffer) {
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        got.push(text.split_once(" - ").unwrap().1.to_owned());
    }
    // What the first receiver had it took with it.
    let written = String::from_utf8(text).unwrap();
    assert_eq!(got, written.lines().skip(1).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_closed_waits_for_no_sink_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    let sinks =
        vec![SinkOptions::Syslog { address: SyslogAddress::Unix(socket.clone()), facility: 16 }];
    let options =
        AuditOptions { sinks, ..AuditOptions::of_file(folder.path().join("audit.jsonl")) };
    let audit = Audit::open(&options).unwrap();
    drop(receiver);
    let mut accepted = 0_u64;
    while audit.accept(record(accepted)).await.is_ok() {
        accepted += 1;
        tokio::task::yield_now().await;
    }
    audit.close().await;
    // What was accepted is in the file, and another may write there.
    assert_eq!(verify(&std::fs::read(&options.file).unwrap()), Ok(accepted as usize));
    let alone = AuditOptions::of_file(options.file.clone());
    Audit::open(&alone).unwrap().close().await;
}
