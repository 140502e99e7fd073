//! Precision and recall. The half `seen` was looked at while the rules were made, `sealed` was judged at the end.

use scrim::scan::{Verdict, judge};

use super::labelled::{LabelledTable, tables};

#[derive(Default)]
struct Figures {
    columns: usize,
    /// A tag was right.
    right: usize,
    /// A tag was proposed where there should be another.
    other: Vec<String>,
    /// A tag was proposed where there should be none.
    extra: Vec<String>,
    /// No tag was proposed where there should be one.
    missed: Vec<String>,
    /// Something personal was called harmless.
    opened: Vec<String>,
    /// Something was called harmless, and is.
    harmless: usize,
}

impl Figures {
    /// Of the tags that were proposed, so many are right.
    fn precision(&self) -> f64 {
        let proposed = self.right + self.other.len() + self.extra.len();
        self.right as f64 / proposed as f64
    }

    /// Of the columns that should have a tag, so many have a right one.
    fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.other.len() + self.missed.len()) as f64
    }

    fn told(&self, half: &str) -> String {
        format!(
            "{half}: {} columns, {} right, {} with another tag, {} with a tag too many, {} missed, {} harmless: precision \
             {:.3}, recall {:.3}\n  other: {}\n  extra: {}\n  missed: {}\n",
            self.columns,
            self.right,
            self.other.len(),
            self.extra.len(),
            self.missed.len(),
            self.harmless,
            self.precision(),
            self.recall(),
            self.other.join("\n    "),
            self.extra.join("\n    "),
            self.missed.join("\n    "),
        )
    }
}

/// `with_values`: whether samples are there; else names, types and comments are all there is.
fn measure(half: &str, with_values: bool) -> Figures {
    let mut figures = Figures::default();
    for LabelledTable { table, mut samples, labels } in tables(half) {
        if !with_values {
            samples.iter_mut().for_each(|sample| *sample = None);
        }
        for (verdict, label) in judge(&table, &samples).into_iter().zip(&labels) {
            figures.columns += 1;
            let optional = label.tags.iter().any(|tag| tag == "-");
            match verdict {
                Verdict::Personal(found)
                    if label.tags.iter().any(|tag| tag == found.kind.tag()) =>
                {
                    figures.right += 1;
                }
                Verdict::Personal(found) => {
                    let said = format!(
                        "{} as {} ({:.2})",
                        label.place,
                        found.kind.tag(),
                        found.confidence
                    );
                    if optional { figures.extra.push(said) } else { figures.other.push(said) }
                }
                Verdict::Harmless(_) if !optional => {
                    figures.opened.push(label.place.clone());
                    figures.missed.push(label.place.clone());
                }
                Verdict::Harmless(_) => figures.harmless += 1,
                Verdict::Unknown if !optional => figures.missed.push(label.place.clone()),
                Verdict::Unknown => {}
            }
        }
    }
    figures
}

/// Per half: precision and recall with values, and with names alone, less than which nobody may make it.
const FLOORS: [(&str, [f64; 2], [f64; 2]); 2] =
    [("seen", [0.98, 0.98], [0.97, 0.95]), ("sealed", [0.97, 0.97], [0.97, 0.85])];

#[test]
fn what_is_proposed_is_mostly_right_and_mostly_all() {
    let mut columns = 0;
    for (half, with_values, names_only) in FLOORS {
        for (floor, figures, how) in [
            (with_values, measure(half, true), "with values"),
            (names_only, measure(half, false), "names only"),
        ] {
            let told = figures.told(&format!("{half}, {how}"));
            crate::harness::say(&told);
            assert!(figures.opened.is_empty(), "called harmless: {:?}", figures.opened);
            let enough = figures.precision() >= floor[0] && figures.recall() >= floor[1];
            assert!(enough, "less than {floor:?}: {told}");
            if how == "with values" {
                columns += figures.columns;
            }
        }
    }
    assert!(columns >= 400, "only {columns} columns");
}
