//! Plots of the figures, as SVG: a group of bars for each case, a bar for each way, a line from the least to the greatest.

use std::path::Path;

use plotters::prelude::{
    ChartBuilder, Color as _, IntoDrawingArea as _, IntoFont as _, PathElement, RGBColor,
    Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, TextStyle};

use crate::figures::{Quantity, Runs};
use crate::scenarios::{Scenario, ways};

const HEIGHT: u32 = 420;
/// For scales and a legend.
const MARGIN: u32 = 260;
const WIDTH_OF_A_BAR: u32 = 15;
const WIDTH_MIN: u32 = 640;
/// What lies between two groups, in bars.
const GAP: f64 = 1.0;

/// What is drawn where there are figures of it.
const DRAWN: [(Quantity, &str); 4] = [
    (Quantity::Rate, "rate"),
    (Quantity::ProxyMicroseconds, "proxy"),
    (Quantity::P99Milliseconds, "p99"),
    (Quantity::KibibytesEach, "memory"),
];

/// The same colour for a way everywhere: what goes direct is grey, PgBouncer blue, Scrim orange to red.
fn colour(way: &str) -> RGBColor {
    match way {
        ways::DIRECT => RGBColor(90, 90, 90),
        ways::DIRECT_BY_HAND => RGBColor(150, 150, 150),
        ways::DIRECT_SCRIMS_SQL => RGBColor(195, 195, 195),
        ways::PGBOUNCER => RGBColor(31, 95, 160),
        ways::PGBOUNCER_SESSION => RGBColor(80, 140, 200),
        ways::PGBOUNCER_BY_HAND => RGBColor(150, 190, 225),
        ways::SCRIM | ways::SCRIM_WRITER => RGBColor(200, 60, 30),
        ways::SCRIM_SESSION | ways::SCRIM_WRITER_SESSION => RGBColor(235, 130, 50),
        ways::SCRIM_UNTOUCHED | ways::SCRIM_UNTOUCHED_SESSION => RGBColor(240, 190, 90),
        _ => BLACK,
    }
}

/// Draws all plots of a scenario into a folder, as `STEM-scenario-quantity.svg`, and gives the files' names.
pub fn draw(
    scenario: &Scenario,
    runs: &Runs,
    folder: &Path,
    stem: &str,
) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for (quantity, word) in DRAWN {
        let groups = groups(scenario, runs, quantity);
        if groups.is_empty() {
            continue;
        }
        let file = format!("{stem}-{}-{word}.svg", scenario.name);
        let title = format!("{}: {}", scenario.title, quantity.heading(scenario.unit));
        let svg = svg(&title, &groups).map_err(|error| format!("{file}: {error}"))?;
        let path = folder.join(&file);
        std::fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))?;
        files.push(file);
    }
    Ok(files)
}

/// The bars of a case.
struct Group {
    name: String,
    bars: Vec<Bar>,
}

struct Bar {
    way: &'static str,
    median: f64,
    range: (f64, f64),
}

fn groups(scenario: &Scenario, runs: &Runs, quantity: Quantity) -> Vec<Group> {
    let groups = scenario.cases.iter().map(|case| {
        let bars = case.ways.iter().filter_map(|way| {
            let (scenario, case) = (scenario.name, case.name.as_str());
            let median = runs.median(scenario, case, way.name, quantity)?;
            let range = runs.range(scenario, case, way.name, quantity)?;
            Some(Bar { way: way.name, median, range })
        });
        Group { name: case.name.clone(), bars: bars.collect() }
    });
    groups.filter(|group| !group.bars.is_empty()).collect()
}

fn svg(title: &str, groups: &[Group]) -> Result<String, Box<dyn std::error::Error>> {
    let bars: Vec<&Bar> = groups.iter().flat_map(|group| &group.bars).collect();
    let slots = groups.iter().map(|group| group.bars.len() as f64 + GAP).sum::<f64>();
    let top = bars.iter().map(|bar| bar.range.1).fold(0.0, f64::max) * 1.05;
    let width =
        ((slots as u32).saturating_mul(WIDTH_OF_A_BAR)).saturating_add(MARGIN).max(WIDTH_MIN);
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (width, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (plot, legend) = root.split_horizontally(width - 180);
        let mut chart = ChartBuilder::on(&plot)
            .caption(title, ("sans-serif", 17))
            .margin(10)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..slots, 0.0..top.max(f64::MIN_POSITIVE))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_label_formatter(&|value| crate::report::short(*value))
            .draw()?;
        let mut left = GAP / 2.0;
        let centred = Pos::new(HPos::Center, VPos::Top);
        let small: TextStyle<'_> = ("sans-serif", 12).into_font().into();
        for group in groups {
            let middle = left + group.bars.len() as f64 / 2.0;
            let (x, y) = chart.backend_coord(&(middle, 0.0));
            // Protocol and clients in a line each, so that neighbours do not run into one another.
            for (line, part) in (0_i32..).zip(group.name.split(", ")) {
                root.draw(&Text::new(part.to_owned(), (x, y + 8 + line * 15), small.pos(centred)))?;
            }
            for bar in &group.bars {
                let filled = colour(bar.way).filled();
                let corners = [(left + 0.05, 0.0), (left + 0.95, bar.median)];
                chart.draw_series([Rectangle::new(corners, filled)])?;
                let (low, high) = bar.range;
                let line = vec![(left + 0.5, low), (left + 0.5, high)];
                chart.draw_series([PathElement::new(line, BLACK)])?;
                left += 1.0;
            }
            left += GAP;
        }
        let mut named: Vec<&str> = Vec::new();
        for bar in bars {
            if !named.contains(&bar.way) {
                named.push(bar.way);
            }
        }
        for (line, way) in (0_i32..).zip(named) {
            let y = 44 + line * 20;
            legend.draw(&Rectangle::new([(2, y), (14, y + 12)], colour(way).filled()))?;
            legend.draw(&Text::new(way.to_owned(), (20, y), small.clone()))?;
        }
        root.present()?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Figures, Run};
    use crate::scenarios::{self, Effort};

    #[test]
    fn a_plot_has_a_bar_for_each_way() {
        let effort = Effort { rounds: 1, seconds: 1, is_quick: true, open_files: u64::MAX };
        let scenarios = scenarios::all(effort);
        let scenario = scenarios.iter().find(|it| it.name == "connects").expect("a scenario");
        let mut runs = Runs::default();
        for case in &scenario.cases {
            for way in &case.ways {
                runs.0.push(Run {
                    scenario: scenario.name.into(),
                    case: case.name.clone(),
                    way: way.name.into(),
                    round: 1,
                    figures: Figures::from([(Quantity::Rate, 100.0)]),
                });
            }
        }
        let groups = groups(scenario, &runs, Quantity::Rate);
        let text = svg("title", &groups).expect("a plot");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{text}");
        for way in [ways::DIRECT, ways::PGBOUNCER, ways::SCRIM] {
            let RGBColor(red, green, blue) = colour(way);
            let colour = format!("#{red:02X}{green:02X}{blue:02X}");
            // Two cases and the legend.
            assert_eq!(text.matches(&colour).count(), 3, "{way} {colour} in {text}");
        }
    }
}
