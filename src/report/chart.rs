//! Charts as SVG inside the page. Colours come from the page's style, so that they follow light and dark; each mark has its
//! numbers as a title, and the table beside the chart has them all.

use maud::{Markup, html};

use super::sections::{Chart, number};
use super::shown::shown;
use super::words::{Language, Word};

const WIDTH: u64 = 760;
/// Days that have a place in a chart.
const DAYS_MAX: usize = 120;
/// Bars of a chart.
const BARS_MAX: usize = 15;
/// Characters of a name beside its bar.
const NAME_MAX: usize = 24;
const BAR: u64 = 22;
const NAMES: u64 = 190;
const NUMBERS: u64 = 90;

const WEEKDAYS: [Word; 7] = [
    Word::Monday,
    Word::Tuesday,
    Word::Wednesday,
    Word::Thursday,
    Word::Friday,
    Word::Saturday,
    Word::Sunday,
];

/// A chart.
pub fn drawn(title: &str, chart: &Chart, language: Language) -> Markup {
    match chart {
        Chart::Days(days) => of_days(title, days, language),
        Chart::Week(week) => of_week(title, week, language),
        Chart::Bars { parts, bars } => of_bars(title, parts, bars),
    }
}

/// `length` for `most`.
fn scaled(count: u64, most: u64, length: u64) -> u64 {
    let wide = u128::from(count).saturating_mul(u128::from(length));
    let scaled = wide.checked_div(u128::from(most)).unwrap_or_default();
    let scaled = u64::try_from(scaled).unwrap_or(length);
    // What there is can be seen.
    if count > 0 { scaled.max(1) } else { 0 }
}

fn of_days(title: &str, days: &[(String, u64, u64)], language: Language) -> Markup {
    const HEIGHT: u64 = 120;
    const TOP: u64 = 16;
    let days = days.get(days.len().saturating_sub(DAYS_MAX)..).unwrap_or_default();
    let most = days.iter().map(|(_, sent, refused)| sent.saturating_add(*refused)).max();
    let most = most.unwrap_or_default();
    let count = u64::try_from(days.len()).unwrap_or(1).max(1);
    let step = (WIDTH / count).clamp(2, 40);
    let width = step.saturating_sub(if step > 4 { 2 } else { 1 });
    let (first, last) = (days.first(), days.last());
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {}", HEIGHT + TOP + 20)) role="img" aria-label=(title) {
                text x="0" y="11" class="axis" { (number(most)) }
                line x1="0" x2=(WIDTH) y1=(TOP) y2=(TOP) class="grid" {}
                line x1="0" x2=(WIDTH) y1=(TOP + HEIGHT) y2=(TOP + HEIGHT) class="grid" {}
                @for (x, (day, sent, refused)) in (0_u64..).map(|index| index.saturating_mul(step)).zip(days) {
                    @let (up, over) = (scaled(*sent, most, HEIGHT), scaled(*refused, most, HEIGHT));
                    g {
                        title { (Word::SentAndRefused.with(language, &[day, &number(*sent), &number(*refused)])) }
                        rect class="first" x=(x) width=(width) y=((TOP + HEIGHT).saturating_sub(up)) height=(up) {}
                        rect class="second" x=(x) width=(width)
                            y=((TOP + HEIGHT).saturating_sub(up).saturating_sub(over)) height=(over) {}
                    }
                }
                @if let Some((day, ..)) = first {
                    text x="0" y=(TOP + HEIGHT + 14) class="axis" { (day) }
                }
                @if let Some((day, ..)) = last.filter(|_| days.len() > 8) {
                    text x=(step.saturating_mul(count).min(WIDTH)) y=(TOP + HEIGHT + 14) class="axis end" { (day) }
                }
            }
            (legend(&[Word::Sent.of(language), Word::Refused.of(language)]))
        }
    }
}

fn of_week(title: &str, week: &[[u64; 24]; 7], language: Language) -> Markup {
    const CELL: u64 = 26;
    const LEFT: u64 = 40;
    let most = week.iter().flatten().copied().max().unwrap_or_default();
    // Five shades: a square of one shade is a part of the largest.
    let shade = |count: u64| scaled(count, most, 5).min(5);
    let x = |hour: u64| LEFT.saturating_add(hour.saturating_mul(CELL));
    html! {
        figure {
            svg viewBox=(format!("0 0 {} {}", x(24) + 4, 7 * CELL + 22)) role="img" aria-label=(title) {
                @for hour in (0_u64..24).step_by(3) {
                    text x=(x(hour)) y="12" class="axis" { (format!("{hour:02}")) }
                }
                @for (y, (name, hours)) in (0_u64..).map(|day| day * CELL + 18).zip(WEEKDAYS.iter().zip(week)) {
                    text x="0" y=(y + 17) class="axis" { (name.of(language)) }
                    @for (hour, count) in (0_u64..).zip(hours) {
                        rect class=(format!("shade{}", shade(*count))) x=(x(hour)) y=(y)
                            width=(CELL - 2) height=(CELL - 2) rx="3" {
                            title { (name.of(language)) " " (format!("{hour:02}:00")) ": " (number(*count)) }
                        }
                    }
                }
            }
            figcaption { (Word::StrongestSquare.with(language, &[&number(most)])) }
        }
    }
}

fn of_bars(title: &str, parts: &[&str; 2], bars: &[(String, u64, u64)]) -> Markup {
    let mut bars: Vec<&(String, u64, u64)> = bars.iter().collect();
    bars.sort_by_key(|(_, one, other)| std::cmp::Reverse(one.saturating_add(*other)));
    bars.truncate(BARS_MAX);
    let most = bars.iter().map(|(_, one, other)| one.saturating_add(*other)).max();
    let most = most.unwrap_or_default();
    let room = WIDTH - NAMES - NUMBERS;
    let height = u64::try_from(bars.len()).unwrap_or_default().saturating_mul(BAR);
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {}", height + 4)) role="img" aria-label=(title) {
                @for (y, (name, one, other)) in (0_u64..).map(|index| index * BAR).zip(bars) {
                    @let (first, second) = (scaled(*one, most, room), scaled(*other, most, room));
                    g {
                        title {
                            (shown(name)) ": " (number(*one)) " " (parts[0])
                            @if !parts[1].is_empty() { ", " (number(*other)) " " (parts[1]) }
                        }
                        text x=(NAMES - 8) y=(y + 16) class="name" { (cut(&shown(name))) }
                        rect class="first" x=(NAMES) y=(y + 3) width=(first) height=(BAR - 6) {}
                        rect class="second" x=(NAMES + first) y=(y + 3) width=(second) height=(BAR - 6) {}
                        text x=(NAMES + first + second + 6) y=(y + 16) class="axis" {
                            (number(one.saturating_add(*other)))
                        }
                    }
                }
            }
            (legend(parts))
        }
    }
}

fn legend(parts: &[&str; 2]) -> Markup {
    html! {
        figcaption {
            span class="key first" {} " " (parts[0])
            @if !parts[1].is_empty() { " " span class="key second" {} " " (parts[1]) }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(NAME_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
