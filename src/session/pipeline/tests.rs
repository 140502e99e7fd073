use super::*;
use crate::audit::Verdict;

struct Nobody;

impl Judge for Nobody {
    fn row_description(&self, body: &[u8]) -> Result<(), Breach> {
        if body == b"bad" { Err(Breach { position: 1, table: 2, column: 3 }) } else { Ok(()) }
    }
    fn rows_max(&self) -> Option<u64> {
        Some(2)
    }
    fn breach_error(&self) -> Bytes {
        Bytes::from_static(b"breach")
    }
    fn rows_error(&self) -> Bytes {
        Bytes::from_static(b"rows")
    }
}

fn run() -> Run {
    Run { statement: 1, started_us: 0, rows: 0, bytes: 0, effect: Effect::None }
}

fn prepared(good: Option<bool>) -> Arc<Prepared> {
    let prepared = Prepared::new(String::new(), Verdict::Rewrite, Vec::new(), Effect::None, true);
    if let Some(good) = good {
        prepared.judge(good);
    }
    Arc::new(prepared)
}

fn error(code: &str) -> Vec<u8> {
    format!("SERROR\0C{code}\0Mm\0\0").into_bytes()
}

/// Plays server frames and gives the fates, one letter each: f c d, and P with what was put.
fn play(pipeline: &mut Pipeline, frames: &[(u8, &[u8])]) -> Result<String, Misfit> {
    let mut fates = String::new();
    for (tag, body) in frames {
        match pipeline.hear(*tag, body, Some(&Nobody), &mut Vec::new())? {
            Fate::Forward => fates.push('f'),
            Fate::Clean => fates.push('c'),
            Fate::Drop => fates.push('d'),
            Fate::Put(bytes) => {
                fates.push('P');
                fates.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
    Ok(fates)
}

fn unit(good: Option<bool>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for awaited in [Awaited::Parse, Awaited::Bind] {
        assert!(pipeline.push(Expected::new(awaited)).is_none());
    }
    let execute = Expected {
        runs: [run()].into(),
        prepared: Some(prepared(good)),
        ..Expected::new(Awaited::Execute)
    };
    assert!(pipeline.push(execute).is_none());
    assert!(pipeline.push(Expected::new(Awaited::Sync)).is_none());
    pipeline
}

#[test]
fn a_good_unit_passes() {
    let frames: [(u8, &[u8]); 6] =
        [(b'1', b""), (b'2', b""), (b'D', b"a"), (b'D', b"b"), (b'C', b"SELECT 2\0"), (b'Z', b"T")];
    let mut pipeline = unit(Some(true));
    assert_eq!(play(&mut pipeline, &frames).as_deref(), Ok("ffffff"));
    assert!(pipeline.is_idle());
    assert_eq!(pipeline.status(), b'T');
}

#[test]
fn rows_of_a_statement_nobody_judged_do_not_pass() {
    for good in [None, Some(false)] {
        let frames: [(u8, &[u8]); 6] = [
            (b'1', b""),
            (b'2', b""),
            (b'D', b"a"),
            (b'D', b"b"),
            (b'C', b"SELECT 2\0"),
            (b'Z', b"I"),
        ];
        assert_eq!(play(&mut unit(good), &frames).as_deref(), Ok("ffPbreachddf"));
    }
}

#[test]
fn too_many_rows_end_with_an_error() {
    let frames: [(u8, &[u8]); 8] = [
        (b'1', b""),
        (b'2', b""),
        (b'D', b"a"),
        (b'D', b"b"),
        (b'D', b"c"),
        (b'D', b"d"),
        (b'C', b"SELECT 4\0"),
        (b'Z', b"I"),
    ];
    assert_eq!(play(&mut unit(Some(true)), &frames).as_deref(), Ok("ffffProwsddf"));
}

#[test]
fn an_error_skips_to_sync() {
    for place in 0..3 {
        let mut pipeline = unit(Some(true));
        let good: [(u8, &[u8]); 2] = [(b'1', b""), (b'2', b"")];
        play(&mut pipeline, &good[..place]).unwrap();
        let body = error("22012");
        assert_eq!(play(&mut pipeline, &[(b'E', &body), (b'Z', b"I")]).as_deref(), Ok("cf"));
        assert!(pipeline.is_idle());
    }
}

#[test]
fn what_is_sent_while_the_server_skips_is_given_back() {
    let mut pipeline = Pipeline::new();
    pipeline.push(Expected::new(Awaited::Parse));
    play(&mut pipeline, &[(b'E', &error("42601"))]).unwrap();
    assert!(!pipeline.is_idle());
    assert!(pipeline.push(Expected::new(Awaited::Bind)).is_some());
    assert!(pipeline.push(Expected::new(Awaited::Simple)).is_some());
    assert!(pipeline.push(Expected::new(Awaited::Sync)).is_none());
    assert_eq!(play(&mut pipeline, &[(b'Z', b"I")]).as_deref(), Ok("f"));
}

#[test]
fn a_refusal_replaces_the_servers_error_and_nothing_of_it_passes() {
    let mut pipeline = Pipeline::new();
    let refusal = Some(Bytes::from_static(b"no"));
    pipeline.push(Expected { refusal: refusal.clone(), ..Expected::new(Awaited::Parse) });
    pipeline.push(Expected::new(Awaited::Sync));
    let body = error("42601");
    let frames: [(u8, &[u8]); 3] = [(b'E', &body), (b'N', &body), (b'Z', b"I")];
    assert_eq!(play(&mut pipeline, &frames).as_deref(), Ok("Pnodf"));
    // A poisoned statement that succeeds is an alarm.
    pipeline.push(Expected { refusal, ..Expected::new(Awaited::Simple) });
    assert!(play(&mut pipeline, &[(b'C', b"SELECT 1\0")]).is_err());
}

#[test]
fn a_raw_column_in_a_simple_query_stops_everything() {
    let mut pipeline = Pipeline::new();
    pipeline.push(Expected { runs: [run(), run()].into(), ..Expected::new(Awaited::Simple) });
    let frames: [(u8, &[u8]); 7] = [
        (b'T', b"bad"),
        (b'D', b"qzx"),
        (b'C', b"SELECT 1\0"),
        (b'T', b"fine"),
        (b'D', b"x"),
        (b'C', b"SELECT 1\0"),
        (b'Z', b"I"),
    ];
    assert_eq!(play(&mut pipeline, &frames).as_deref(), Ok("Pbreachdddddf"));
}

#[test]
fn answers_that_fit_nothing_are_an_alarm() {
    for tag in *b"12 3DCTtnsIGHWdcVKRZ" {
        let mut pipeline = Pipeline::new();
        assert!(play(&mut pipeline, &[(tag, b"I")]).is_err(), "{}", char::from(tag));
    }
    let mut pipeline = unit(Some(true));
    assert!(play(&mut pipeline, &[(b'2', b"")]).is_err());
}

#[test]
fn undo_comes_newest_first() {
    let mut pipeline = Pipeline::new();
    for name in ["a", "b"] {
        let undo = Some(Undo::Statement(name.into(), None));
        pipeline.push(Expected { undo, ..Expected::new(Awaited::Parse) });
    }
    pipeline.push(Expected::new(Awaited::Sync));
    let mut events = Vec::new();
    pipeline.hear(b'E', &error("42601"), Some(&Nobody), &mut events).unwrap();
    let names: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Undo(Undo::Statement(name, _)) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["b", "a"]);
}
