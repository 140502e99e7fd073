//! Non-interference: through Scrim, nothing tells two desks apart that look the same to the role.
//!
//! Each statement of the pages, attacks and honest ones, goes to both, and the bytes that come back are the same: rows,
//! errors with their positions, notices, tags, the end of a transaction. Where a statement names no order, rows may come in
//! another one, for the planner knows true values. What legitimately differs says so on its page: `differs: why`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::page::{Case, Page};
use super::{pages, run};
use crate::canary;
use crate::harness::client::{Client, Form};
use crate::lookalikes::{World, lookalike, original};

/// One statement in so many may say that it differs.
const SAME_PER_DIFFERENT_MIN: usize = 50;

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn no_statement_tells_desks_apart_that_look_the_same() {
    let _alone = crate::lookalikes::alone();
    let pages: Vec<Page> = ["attacks", "cases"]
        .iter()
        .flat_map(|folder| pages(folder))
        .map(|(_, page)| page)
        .collect();
    let cases: Vec<(&Page, &Case)> = pages
        .iter()
        .flat_map(|page| page.cases.iter().map(move |case| (page, case)))
        .filter(|(page, case)| case.role != "admin" && super::is_chosen(page, case))
        .collect();
    let next = AtomicUsize::new(0);
    let doubted: Mutex<Vec<(&Page, &Case, Objection)>> = Mutex::default();
    let work = || {
        while let Some((page, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(what) = objection(page, case) {
                doubted.lock().expect("no panic holds it").push((page, case, what));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let different = cases.iter().filter(|(_, case)| case.differs.is_some()).count();
    println!("{} statements on both desks, {different} may differ", cases.len());
    let mut lines = Vec::new();
    for (page, case, what) in doubted.into_inner().expect("threads are done") {
        // What a busy machine ended is asked again, alone. A canary that was seen was seen.
        let what = if what.is_canary { Some(what) } else { objection(page, case) };
        let Some(Objection { text, .. }) = what else { continue };
        let sql = case.sql.replace('\n', "\n    ");
        let place = format!("tests/{}:{}", page.name, case.line);
        lines.push(format!("{place} role `{}`\n    {sql}\n  {text}", case.role));
    }
    assert!(lines.is_empty(), "{} of {}:\n{}", lines.len(), cases.len(), lines.join("\n"));
    let filtered = super::is_filtered();
    assert!(filtered || different * SAME_PER_DIFFERENT_MIN <= cases.len(), "{different} differ");
}

/// Why a statement is not as its page says.
struct Objection {
    text: String,
    is_canary: bool,
}

impl From<String> for Objection {
    fn from(text: String) -> Self {
        Self { text, is_canary: false }
    }
}

fn objection(page: &Page, case: &Case) -> Option<Objection> {
    let found = std::panic::catch_unwind(|| difference(page, case))
        .unwrap_or_else(|_| Some("a panic: the connection broke".to_owned().into()));
    match (found, &case.differs) {
        (Some(what), Some(_)) if what.is_canary => Some(what),
        (Some(what), None) => Some(what),
        (None, Some(why)) if !why.starts_with("sometimes") => {
            Some("does not differ, though its page says so".to_owned().into())
        }
        _ => None,
    }
}

/// Where the two answers part; nothing: they are the same.
fn difference(page: &Page, case: &Case) -> Option<Objection> {
    // Honest statements are many, and their binary form is held against the masked copy.
    let forms = if page.name.starts_with("attacks") { 2 } else { 1 };
    for form in [Form::Simple, Form::ExtendedBinary].into_iter().take(forms) {
        let (one, other) =
            (answer(case, &original(), form), answer(case, &lookalike(&case.role), form));
        let found = canary::find(&one);
        if !found.is_empty() && canary::find(case.sql.as_bytes()).is_empty() {
            let text = format!("{form:?}: a canary reached the client: {found:?}");
            return Some(Objection { text, is_canary: true });
        }
        if one == other {
            continue;
        }
        let ordered = run::ordered(&case.sql);
        let (one, other) = (frames(&one, ordered), frames(&other, ordered));
        let at = one.iter().zip(&other).position(|(one, other)| one != other);
        if at.is_none() && one.len() == other.len() {
            continue;
        }
        let at = at.unwrap_or(one.len().min(other.len()));
        let show = |frames: &[Vec<u8>]| {
            frames.get(at).map(|frame| String::from_utf8_lossy(frame).escape_debug().to_string())
        };
        return Some(format!("{form:?}: `{:?}` and `{:?}`", show(&one), show(&other)).into());
    }
    None
}

/// All bytes from the statement to the end of its answers.
fn answer(case: &Case, world: &World, form: Form) -> Vec<u8> {
    let options: Vec<(&str, &str)> =
        case.search_path.iter().map(|path| ("search_path", path.as_str())).collect();
    let mut client: Client = world.connect(&case.role, &options);
    if case.is_undone() {
        client.simple("BEGIN");
    }
    client.take_received();
    client.data = case.data.clone().map(String::into_bytes);
    client.run(form, &case.sql, &run::statements(&case.sql));
    client.take_received()
}

/// The messages; rows sorted among themselves where the statement names no order.
fn frames(bytes: &[u8], ordered: bool) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut rest = bytes;
    while let Some((header, _)) = rest.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize + 1;
        let (frame, after) = rest.split_at(length);
        frames.push(frame.to_vec());
        rest = after;
    }
    if !ordered {
        let is_row = |frame: &Vec<u8>| matches!(frame[0], b'D' | b'd');
        frames.chunk_by_mut(|one, other| is_row(one) && is_row(other)).for_each(<[_]>::sort);
    }
    frames
}
