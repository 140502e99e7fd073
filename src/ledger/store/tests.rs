//! The file: what is written is read, decided once, told once; what is something else is refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::grants::Wish;

fn one() -> Grant {
    Grant {
        number: 0,
        wish: Wish {
            database: "desk".into(),
            user: "o'hana; DROP TABLE grants".into(),
            role: "helper".into(),
            masks: vec![("contact.phone".into(), "clear".into())],
            table: None,
            rows: None,
            widens: false,
            seconds: 60,
            because: "한글 '\"; --".into(),
            columns: Vec::new(),
        },
        asked_by: "hana".into(),
        asked_at: 5,
        break_glass: false,
        state: State::Asked,
        decided_by: None,
        decided_at: None,
        until: None,
        ended_by: None,
        ended_at: None,
    }
}

fn agreed(grant: Grant) -> Result<Grant, String> {
    match grant.state {
        State::Asked => Ok(Grant {
            state: State::InForce,
            decided_by: Some("lea".into()),
            decided_at: Some(10),
            until: Some(20),
            ..grant
        }),
        state => Err(state.word().to_owned()),
    }
}

#[test]
fn what_is_written_is_read_by_others_and_decided_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grants.db");
    let (mut one_process, mut other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(other.has_changed().unwrap() && !other.has_changed().unwrap());
    let added = one_process.add(one()).unwrap();
    assert!(other.has_changed().unwrap() && !other.has_changed().unwrap());
    assert_eq!(other.grants(false).unwrap(), std::slice::from_ref(&added));
    let changed = other.change(added.number, "approved", agreed).unwrap();
    let again = one_process.change(added.number, "approved", agreed);
    assert!(matches!(again, Err(Fault::Refused(why)) if why == "in force"));
    assert!(matches!(one_process.change(77, "approved", agreed), Err(Fault::NoSuch(77))));
    assert_eq!(one_process.grants(true).unwrap(), [changed]);
    assert!(!one_process.expire(19).unwrap());
    assert!(one_process.expire(20).unwrap() && !other.expire(20).unwrap());
    assert!(one_process.grants(false).unwrap().is_empty());
    let untold = other.untold().unwrap();
    let actions: Vec<&str> = untold.iter().map(|one| one.action.as_str()).collect();
    assert_eq!(actions, ["asked", "approved", "expired"]);
    for happened in untold {
        other.told(happened.number).unwrap();
    }
    assert!(one_process.untold().unwrap().is_empty());
}

#[test]
fn what_is_something_else_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grants.db");
    let mut store = Store::open(&path).unwrap();
    store.add(one()).unwrap();
    for spoilt in [
        "UPDATE grants SET state = 'in  force'",
        "UPDATE grants SET state = 'asked', wish = '{}'",
        "UPDATE grants SET wish = json_set(wish, '$.more', 1)",
    ] {
        store.connection.execute(spoilt, []).unwrap();
        assert!(matches!(store.grants(true), Err(Fault::Unknown(_))), "{spoilt}");
    }
    // Another file in its place is noticed.
    std::fs::remove_file(&path).unwrap();
    assert!(store.has_changed().is_err());
    Store::open(&path).unwrap();
    assert!(store.has_changed().is_err());
    let newer = Connection::open(folder.path().join("newer.db")).unwrap();
    newer.execute_batch("CREATE TABLE other (x); PRAGMA user_version = 2").unwrap();
    assert!(matches!(Store::open(&folder.path().join("newer.db")), Err(Fault::Unknown(_))));
    std::fs::write(folder.path().join("text"), "x".repeat(4096)).unwrap();
    assert!(Store::open(&folder.path().join("text")).is_err());
}
