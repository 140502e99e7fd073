//! The page of results: targets and ratios first, then what was measured, then on what.

use crate::figures::{Quantity, Runs};
use crate::machine::Machine;
use crate::scenarios::{Case, Effort, Scenario};
use crate::targets::{self, Verdict};

/// Writes the page. `plots` are titles and files beside it; `failed` are runs that came to nothing.
pub fn page(
    scenarios: &[Scenario],
    effort: Effort,
    runs: &Runs,
    machine: &Machine,
    plots: &[(String, String)],
    failed: &[String],
) -> String {
    let mut page = String::from("# What Scrim costs\n\n");
    page.push_str(&format!(
        "Measured by `cargo xtask bench` in one go: {} rounds, {} seconds a run, the ways of a case in turn. A ratio is the \
         median of the rounds' ratios; a figure is the median of the rounds, with the least and the greatest in brackets. \
         pgbench, the proxy and PostgreSQL share the machine. [benches/README.md](../README.md) explains.\n",
        effort.rounds, effort.seconds
    ));
    if effort.is_quick {
        page.push_str("\n**A quick run, to see that it works: no figures to go by.**\n");
    }
    if !failed.is_empty() {
        page.push_str("\n**Failed:**\n\n");
        failed.iter().for_each(|text| page.push_str(&format!("- {}\n", text.replace('\n', " "))));
    }
    page.push_str("\n## Targets\n\n");
    page.push_str(&targets_table(runs));
    page.push_str("\n## Ratios\n");
    for scenario in scenarios {
        page.push_str(&format!("\n### {}\n\n{}\n", scenario.title, scenario.about));
        scenario.cases.iter().for_each(|case| page.push_str(&ratios(scenario, case, runs)));
    }
    page.push_str("\n## Figures\n");
    for scenario in scenarios {
        page.push_str(&format!("\n### {}, measured\n\n", scenario.title));
        page.push_str(&figures(scenario, runs));
        for (_, file) in plots.iter().filter(|(name, _)| name == scenario.name) {
            page.push_str(&format!("\n![{}]({file})\n", scenario.title));
        }
    }
    page.push_str("\n## Machine\n\n");
    let lines = machine.lines().into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    page.push_str(&table(&["", ""], lines.collect()));
    page
}

fn targets_table(runs: &Runs) -> String {
    let rows = targets::all().into_iter().map(|target| {
        let Verdict { what, wanted, found, is_met } = target.judge(runs);
        let (found, verdict) = match found {
            Some(found) => (format!("{found:.2}"), if is_met { "met" } else { "**missed**" }),
            None => ("–".into(), "not measured"),
        };
        vec![what, wanted, found, verdict.into()]
    });
    table(&["target", "wanted", "measured", ""], rows.collect())
}

/// The quantities of a case of which there is any figure.
fn quantities(scenario: &Scenario, case: &Case, runs: &Runs) -> Vec<Quantity> {
    let all = [
        Quantity::Rate,
        Quantity::ProxyMicroseconds,
        Quantity::ServerMicroseconds,
        Quantity::P50Milliseconds,
        Quantity::P99Milliseconds,
        Quantity::P999Milliseconds,
        Quantity::KibibytesEach,
        Quantity::Connections,
    ];
    let has = |quantity: &Quantity| {
        let any = |way: &str| !runs.of(scenario.name, &case.name, way, *quantity).is_empty();
        case.ways.iter().any(|way| any(way.name))
    };
    all.into_iter().filter(has).collect()
}

/// One table a case: its ways, divided by each of its bases.
fn ratios(scenario: &Scenario, case: &Case, runs: &Runs) -> String {
    let quantities: Vec<Quantity> = quantities(scenario, case, runs)
        .into_iter()
        .filter(|quantity| *quantity != Quantity::Connections)
        .collect();
    let columns: Vec<(Quantity, &str)> = quantities
        .iter()
        .flat_map(|quantity| case.bases.iter().map(|base| (*quantity, *base)))
        .filter(|(quantity, base)| {
            runs.median(scenario.name, &case.name, base, *quantity).is_some()
        })
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    let heading = |(quantity, base): &(Quantity, &str)| {
        format!("{} ÷ {base}", quantity.heading(scenario.unit))
    };
    let mut headings = vec![case.name.clone()];
    headings.extend(columns.iter().map(heading));
    let row = |way: &crate::scenarios::Way| {
        let cell = |(quantity, base): &(Quantity, &str)| {
            let ratio = runs.ratio(scenario.name, &case.name, (way.name, base), *quantity);
            match ratio {
                _ if way.name == *base => String::new(),
                Some(ratio) => format!("{ratio:.2}"),
                None => "–".into(),
            }
        };
        std::iter::once(way.name.to_owned()).chain(columns.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = case.ways.iter().map(row).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    format!("\n{}", table(&headings, rows))
}

/// One table a scenario: every way of every case, as it was measured.
fn figures(scenario: &Scenario, runs: &Runs) -> String {
    let mut wanted: Vec<Quantity> =
        scenario.cases.iter().flat_map(|case| quantities(scenario, case, runs)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut headings = vec!["case".to_owned(), "way".to_owned()];
    headings.extend(wanted.iter().map(|quantity| quantity.heading(scenario.unit)));
    let mut rows = Vec::new();
    for case in &scenario.cases {
        for way in &case.ways {
            let cell = |quantity: &Quantity| {
                let (name, case) = (scenario.name, case.name.as_str());
                let median = runs.median(name, case, way.name, *quantity);
                match (median, runs.range(name, case, way.name, *quantity)) {
                    (Some(median), Some((low, high))) if low < high => {
                        format!("{} ({} – {})", short(median), short(low), short(high))
                    }
                    (Some(median), _) => short(median),
                    (None, _) => "–".into(),
                }
            };
            let names = [case.name.clone(), way.name.to_owned()];
            rows.push(names.into_iter().chain(wanted.iter().map(cell)).collect());
        }
    }
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    table(&headings, rows)
}

/// A number with three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        it if it >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A table in Markdown, its columns as wide as they must be.
fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect::<String>();
    let mut lines = all.iter().map(|row| line(row));
    let first = lines.next().unwrap_or_default();
    format!("{first}|{rule}\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let shown = [12345.6, 123.4, 12.34, 1.234, 0.1234].map(short);
        assert_eq!(shown, ["12346", "123", "12.3", "1.23", "0.123"]);
    }

    #[test]
    fn tables_line_up() {
        let text = table(&["a", "µs"], vec![vec!["direct".into(), "1".into()]]);
        assert_eq!(text, "| a      | µs  |\n|--------|-----|\n| direct | 1   |\n");
    }
}
