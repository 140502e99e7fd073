//! How much of a corpus of foreign SQL is refused for reading: `cargo xtask parse-rate DIR`.
//!
//! Each statement is read over a catalog that has the relations it names, for a role that may read and write and sees
//! no table without a template, so that only the reading is measured: what the rules say of functions, types and
//! settings is another matter, and counted apart where it comes first.

mod corpus;

use std::collections::BTreeMap;
use std::path::Path;

use scrim::sql::Refusal;

use crate::harness::core::read_over;
use corpus::{Statement, files, statements};

/// What was asked, and what came of it.
#[derive(Default)]
struct Rate {
    kinds: BTreeMap<&'static str, Kind>,
    /// By reader and construct: statements that the first reader does not read and another does.
    readings: BTreeMap<(&'static str, &'static str), usize>,
    /// By kind and reason: statements that are understood, and refused for what the rules say.
    understood: BTreeMap<(&'static str, &'static str), usize>,
    /// By reason: kind, how many, the shortest.
    refused: BTreeMap<(&'static str, String), (usize, String)>,
}

#[derive(Default)]
struct Kind {
    all: usize,
    refused: usize,
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn the_rate_of_a_corpus() {
    let mut rate = Rate::default();
    let Some(folder) = std::env::var_os("SCRIM_CORPUS") else {
        // Not a corpus, but what it would be measured by.
        rate.measure(
            "\\d x\nSELECT a FROM b; SELECT c, 'x;y' FROM s.d WHERE $1 = 2; CREATE TABLE t (i int, j text); SELEKT;
             INSERT INTO t VALUES (1); INSERT INTO t (j) SELECT a FROM b ON CONFLICT (i) DO UPDATE SET j = excluded.j;
             UPDATE t SET j = 'x' FROM b WHERE i = b.a RETURNING j; DELETE FROM t USING b WHERE i = a;
             MERGE INTO t USING b ON i = b.a WHEN MATCHED THEN DELETE; DECLARE c CURSOR FOR SELECT i FROM t;
             COPY (SELECT i FROM t) TO STDOUT; WITH w AS (DELETE FROM t RETURNING i) SELECT i FROM w;
             WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) CYCLE n SET l USING p SELECT n FROM r;
             SELECT i FROM t WHERE (t.*) IS NULL GROUP BY GROUPING SETS ((i), ())",
        );
        let all: usize = rate.kinds.values().map(|kind| kind.all).sum();
        assert_eq!((all, rate.kinds.len()), (12, 8));
        assert!(rate.refused.is_empty(), "{:?}", rate.refused);
        assert_eq!(rate.readings.len(), 1, "{:?}", rate.readings);
        // And that something can be refused.
        rate.measure("CREATE TABLE t (i int); UPDATE t SET i = 1 RETURNING (t).i");
        assert_eq!(rate.refused.len(), 1);
        return;
    };
    for file in files(Path::new(&folder)) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        rate.measure(&String::from_utf8_lossy(&bytes));
    }
    for ((reader, construct), count) in &rate.readings {
        println!("{count:>6}  read by {reader}: {construct}");
    }
    for ((kind, reason), count) in &rate.understood {
        println!("{count:>6}  {kind}: understood, and refused for {reason}");
    }
    for ((kind, why), (count, sample)) in &rate.refused {
        println!("{count:>6}  {kind}: {why}\n          {sample}");
    }
    let (mut all, mut refused) = (0, 0);
    for (name, kind) in &rate.kinds {
        println!("{name:<16} {:>6} of {:>6} are refused for reading", kind.refused, kind.all);
        (all, refused) = (all + kind.all, refused + kind.refused);
    }
    let percent = refused as f64 * 100.0 / all.max(1) as f64;
    println!("{refused} of {all} statements are refused for reading: {percent:.2} %");
}

impl Rate {
    fn measure(&mut self, text: &str) {
        for Statement { kind, text, relations } in statements(text) {
            let of_kind = self.kinds.entry(kind).or_default();
            of_kind.all += 1;
            match read_over(&text, &relations) {
                Ok(readings) => {
                    for reading in readings {
                        let key = (reading.reader.word(), reading.construct);
                        *self.readings.entry(key).or_default() += 1;
                    }
                }
                Err(refusal) if !refusal.is_for_reading() => {
                    *self.understood.entry((kind, refusal.reason.word())).or_default() += 1;
                }
                Err(refusal) => {
                    of_kind.refused += 1;
                    let entry = self.refused.entry((kind, why(&refusal))).or_default();
                    entry.0 += 1;
                    if entry.1.is_empty() || text.len() < entry.1.len() {
                        entry.1 = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    }
                }
            }
        }
    }
}

/// The reason, without the names in it.
fn why(refusal: &Refusal) -> String {
    let hint = refusal.hint.clone().unwrap_or_else(|| refusal.message.clone());
    let parts = hint.split('`').enumerate();
    let named = parts.map(|(at, part)| if at % 2 == 1 && part.len() < 64 { "…" } else { part });
    let reading = refusal.reading.map_or("", |reading| reading.construct);
    format!("{} ({reading})", named.collect::<Vec<_>>().join("`"))
}
