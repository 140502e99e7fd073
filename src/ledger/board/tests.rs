//! Until when a grant counts, whatever the clocks say.

use super::*;
use crate::grants::{State, Wish};
use crate::rules::{NoEnvironment, load};
use crate::text::Sources;

fn rules() -> RuleSet {
    let verifier = postgres_protocol::password::scram_sha_256(b"x");
    let text = format!(
        "roles:\n  free:\n    may: [read]\n    masks: {{\"*\": redact}}\n    \
         grants: {{may: [contact.phone], longest: 1h, approval: none, whole_columns: true}}\n\
         users:\n  fred: {{role: free, password: \"{verifier}\"}}\n"
    );
    let mut sources = Sources::default();
    sources.add("rules.yaml".to_owned(), text);
    load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}")).0
}

/// In force from 0 to a second, by the clock of where it is kept.
fn grant() -> Grant {
    Grant {
        number: 1,
        wish: Wish {
            database: "desk".into(),
            user: "fred".into(),
            role: "free".into(),
            masks: vec![("contact.phone".into(), "clear".into())],
            table: None,
            rows: None,
            widens: false,
            seconds: 600,
            because: "T-1".into(),
            columns: Vec::new(),
        },
        asked_by: "fred".into(),
        asked_at: 0,
        break_glass: false,
        state: State::InForce,
        decided_by: Some("fred".into()),
        decided_at: Some(0),
        until: Some(600_000),
        ended_by: None,
        ended_at: None,
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_grant_ends_by_the_clock_of_its_store_and_by_whichever_own_one_is_first() {
    let (board, rules) = (Board::default(), rules());
    let (own, instant) = (super::super::now(), Instant::now());
    let counts = |as_of: AsOf| {
        let put = board.put(&[grant()], &rules, as_of, None);
        assert!(put.1.is_empty(), "{put:?}");
        board.of("fred", "free", "desk").is_some()
    };
    // The store's clock is nowhere near that of this machine: only how much is left of it counts.
    assert!(counts(AsOf { store: 1000, own, instant }));
    assert!(
        counts(AsOf { store: 599_000, own: own + 3_000, instant }),
        "an own clock that was ahead"
    );
    assert!(!counts(AsOf { store: 600_000, own, instant }), "over, there");
    assert!(!counts(AsOf { store: i64::MAX, own, instant }));
    // It was read so long ago that it is over: by the clock that people set, or by the other one.
    assert!(!counts(AsOf { store: 1000, own: own - 600_000, instant }));
    if let Some(before) = instant.checked_sub(HOUR) {
        assert!(!counts(AsOf { store: 1000, own, instant: before }));
        assert!(!counts(AsOf { store: 1000, own: own + 7_200_000, instant: before }), "set back");
    }
    assert!(board.of("fred", "free", "other").is_none());
    assert!(board.of("fred", "other", "desk").is_none());
}

#[test]
fn what_is_not_renewed_counts_no_more() {
    let (board, rules) = (Board::default(), rules());
    let now = Instant::now();
    let put = |until: Instant| {
        let as_of = AsOf { store: 0, own: super::super::now(), instant: now };
        assert_eq!(board.put(&[grant()], &rules, as_of, Some(until)).0, 1);
        board.of("fred", "free", "desk").is_some()
    };
    assert!(put(now.checked_add(HOUR).expect("an hour")));
    assert!(!put(now));
    board.renew(now.checked_add(HOUR).expect("an hour"));
    assert!(board.of("fred", "free", "desk").is_some());
    board.renew(now);
    assert!(board.of("fred", "free", "desk").is_none());
    board.renew(now.checked_add(HOUR).expect("an hour"));
    board.clear();
    assert!(board.of("fred", "free", "desk").is_none());
}
