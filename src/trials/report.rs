//! What is told of a run: for people, and as JSON. JUnit is next door.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::case::Case;
use super::compare::{self, Difference, Mark, Verdict, counted};
use super::junit;
use super::own_scrim::NotRun;
use super::{Answer, table};

/// Rows of a difference that are printed for people: so many that are as expected, and so many that are not.
const SAME_ROWS_MAX: usize = 3;
const ROWS_MAX: usize = 40;

/// A case and what came of it.
#[derive(Debug)]
pub struct Tried {
    /// The case.
    pub case: Case,
    /// What came.
    pub outcome: Result<Verdict, NotRun>,
    /// How long that took.
    pub took: Duration,
}

impl Tried {
    /// Judges what came of a case.
    pub fn new(case: Case, answer: Result<Answer, NotRun>, took: Duration) -> Tried {
        let outcome = answer.map(|answer| compare::judge(&case, &answer));
        Tried { case, outcome, took }
    }

    /// True when all that was expected came.
    pub fn holds(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|verdict| verdict.problems.is_empty())
    }
}

/// All cases of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// In order.
    pub tried: Vec<Tried>,
}

impl Report {
    /// Cases that do not hold.
    pub fn failed(&self) -> usize {
        let failed = |tried: &&Tried| tried.outcome.is_ok() && !tried.holds();
        self.tried.iter().filter(failed).count()
    }

    /// Cases that could not be tried.
    pub fn not_run(&self) -> usize {
        self.tried.iter().filter(|tried| tried.outcome.is_err()).count()
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for tried in &self.tried {
            let word = match (&tried.outcome, tried.holds()) {
                (Ok(_), true) => "ok     ",
                (Ok(_), false) => "FAILED ",
                (Err(_), _) => "NOT RUN",
            };
            let _ = writeln!(text, "{word}  {}", tried.case.name);
            if !tried.holds() {
                let _ = writeln!(text, "         --> {}, {}", tried.case.place, tried.case.who);
                for line in tried.details() {
                    let _ = writeln!(text, "         {line}");
                }
            }
        }
        let _ = write!(text, "{}", self.summary());
        text
    }

    /// `3 tests: 2 hold, 1 does not`
    pub fn summary(&self) -> String {
        let (all, failed, not_run) = (self.tried.len(), self.failed(), self.not_run());
        let mut text = format!("{}: ", counted(all, "test"));
        let held = all.saturating_sub(failed).saturating_sub(not_run);
        text.push_str(&match (held, failed.saturating_add(not_run)) {
            (1, 0) => "it holds".to_owned(),
            (_, 0) => "all hold".to_owned(),
            (held, _) => format!("{held} hold{}", if held == 1 { "s" } else { "" }),
        });
        if failed > 0 {
            text.push_str(&format!(", {failed} {} not", if failed == 1 { "does" } else { "do" }));
        }
        if not_run > 0 {
            text.push_str(&format!(", {not_run} could not be tried"));
        }
        text
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        let cases: Vec<Value> = self.tried.iter().map(Tried::to_json).collect();
        let (failed, not_run) = (self.failed(), self.not_run());
        let report = json!({
            "tests": self.tried.len(),
            "failed": failed,
            "not_run": not_run,
            "cases": cases,
        });
        serde_json::to_string_pretty(&report).unwrap_or_else(|error| format!("error: {error}"))
    }

    /// For CI systems.
    ///
    /// # Errors
    /// Why there is none.
    pub fn to_junit(&self) -> Result<String, String> {
        junit::write(self)
    }
}

impl Tried {
    /// The statement, what is wrong, and the rows side by side; a line each.
    pub(super) fn details(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            compare::statement(&self.case).lines().map(|line| format!("  {line}")).collect();
        match &self.outcome {
            Err(NotRun(why)) => lines.push(why.clone()),
            Ok(verdict) => {
                lines.extend(verdict.problems.iter().cloned());
                lines.extend(verdict.difference.iter().flat_map(drawn));
            }
        }
        lines
    }

    fn to_json(&self) -> Value {
        let Case { name, place, who, .. } = &self.case;
        let mut value = json!({
            "name": name,
            "file": place.file.as_ref(),
            "line": place.line,
            "column": place.column,
            "who": who.to_string(),
            "statement": compare::statement(&self.case),
            "seconds": self.took.as_secs_f64(),
        });
        let more = match &self.outcome {
            Err(NotRun(why)) => json!({"outcome": "not run", "problems": [why]}),
            Ok(verdict) if verdict.problems.is_empty() => json!({"outcome": "holds"}),
            Ok(verdict) => {
                let mut more = json!({"outcome": "failed", "problems": verdict.problems});
                if let (Some(Difference { columns, rows }), Some(more)) =
                    (&verdict.difference, more.as_object_mut())
                {
                    let of = |wanted: Mark| -> Value {
                        let rows = rows.iter().filter(|(mark, _)| *mark == wanted);
                        rows.map(|(_, row)| json!(row)).collect()
                    };
                    more.insert("columns".into(), json!(columns));
                    more.insert("expected_and_missing".into(), of(Mark::Missing));
                    more.insert("not_expected".into(), of(Mark::Extra));
                }
                more
            }
        };
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }
}

/// The table of a difference: `-` was expected and did not come, `+` came and was not expected.
fn drawn(difference: &Difference) -> Vec<String> {
    let Difference { columns, rows } = difference;
    let places = rows.iter().map(|(_, row)| row.len()).chain([columns.len()]).max().unwrap_or(0);
    let width = |place: usize| {
        let cells = rows.iter().map(|(_, row)| row.get(place)).chain([columns.get(place)]);
        cells.flatten().map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..places).map(width).collect();
    let line = |cells: &[String]| {
        let padded = widths.iter().enumerate().take(cells.len().max(1)).map(|(place, width)| {
            let cell = cells.get(place).map_or("", String::as_str);
            format!("{cell:width$}")
        });
        padded.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    };
    let mut lines = vec![format!("    {}", line(columns))];
    let (mut same, mut different) = (0_usize, 0_usize);
    for (mark, row) in rows {
        let (count, most, sign) = match mark {
            Mark::Same => (&mut same, SAME_ROWS_MAX, ' '),
            Mark::Missing => (&mut different, ROWS_MAX, '-'),
            Mark::Extra => (&mut different, ROWS_MAX, '+'),
        };
        *count = count.saturating_add(1);
        if *count <= most {
            lines.push(format!("  {sign} {}", line(row)));
        }
    }
    for (count, most, what) in
        [(same, SAME_ROWS_MAX, "as expected"), (different, ROWS_MAX, "that differ")]
    {
        let more = count.saturating_sub(most);
        if more > 0 {
            lines.push(format!("    … and {} more {what}", counted(more, "row")));
        }
    }
    lines.push("  - expected, + came; NULL is ".to_owned() + table::NULL);
    lines
}
