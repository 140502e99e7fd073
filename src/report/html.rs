//! The report as one HTML page: no script, nothing from elsewhere, light and dark, and fit to be printed.
//!
//! INVARIANT: whatever stands in the trail goes through the template's escaping; `PreEscaped` is for what stands in this
//! room. The page forbids scripts and everything from elsewhere to itself as well.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart;
use super::head::{figures, head};
use super::sections::{Section, sections};
use super::shown::shown;
use super::told::Report;
use super::words::{Language, Word};

/// Rows of a table; more would make a page that nobody opens.
const ROWS_MAX: usize = 1000;

/// What the page may load: its own style, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("page.css");

impl Report {
    /// One page that needs nothing beside it.
    pub fn to_html(&self, language: Language) -> String {
        let sections = sections(self, language);
        let page = html! {
            (DOCTYPE)
            html lang=(language.tag()) {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    meta name="generator" content=(concat!("scrim ", env!("CARGO_PKG_VERSION")));
                    title { "Scrim: " (Word::Title.of(language)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (Word::Title.of(language)) }
                        (self.top(&sections, language))
                    }
                    main { (self.rest(&sections, language)) }
                }
            }
        };
        page.into_string()
    }

    /// What stands in that page, for one that has a heading and a style of its own.
    pub fn to_markup(&self, language: Language) -> Markup {
        let sections = sections(self, language);
        html! {
            div class="report" { (self.top(&sections, language)) (self.rest(&sections, language)) }
        }
    }

    fn top(&self, sections: &[Section], language: Language) -> Markup {
        html! {
            p class="made" { (Word::MadeBy.with(language, &[&self.made])) }
            @if let Some(fault) = &self.trail.broken {
                p class="alarm" role="alert" {
                    strong { (Word::TrailNotVerified.of(language)) " " } (shown(fault))
                }
            }
            (about(self, language))
            (totals(self, language))
            nav aria-label=(Word::Sections.of(language)) {
                @for section in sections {
                    a href={ "#" (section.id) } { (section.title) } " "
                }
            }
        }
    }

    fn rest(&self, sections: &[Section], language: Language) -> Markup {
        html! {
            @for section in sections { (drawn(section, language)) }
            @if !self.notes.is_empty() {
                section id="notes" {
                    h2 { (Word::Notes.of(language)) }
                    ul { @for note in &self.notes { li { (shown(&note.told(language))) } } }
                }
            }
        }
    }
}

fn about(report: &Report, language: Language) -> Markup {
    html! {
        dl class="about" {
            @for (what, value) in head(report, language) {
                div { dt { (what) } dd { (shown(&value)) } }
            }
        }
    }
}

fn totals(report: &Report, language: Language) -> Markup {
    html! {
        ul class="figures" {
            @for (what, count) in figures(report, language) {
                li { strong { (count) } " " span { (what) } }
            }
        }
    }
}

fn drawn(section: &Section, language: Language) -> Markup {
    let more = section.rows.len().saturating_sub(ROWS_MAX);
    html! {
        section id=(section.id) class=[(section.id == "alarms").then_some("alarm")] {
            h2 { (section.title) }
            @if let Some(words) = &section.words { p { (shown(words)) } }
            @if let Some(chart) = &section.chart { (chart::drawn(section.title, chart, language)) }
            @if section.columns.is_empty() {
            } @else if section.rows.is_empty() {
                p class="nothing" { (section.nothing.unwrap_or(Word::None.of(language))) }
            } @else {
                div class="table" tabindex="0" role="region" aria-label=(section.title) {
                    table {
                        thead { tr {
                            @for column in &section.columns {
                                th scope="col" class=[column.is_number.then_some("number")] { (column.title) }
                            }
                        } }
                        tbody {
                            @for row in section.rows.iter().take(ROWS_MAX) {
                                tr {
                                    @for (cell, column) in row.iter().zip(&section.columns) {
                                        td class=[column.is_number.then_some("number")] { (shown(cell)) }
                                    }
                                }
                            }
                        }
                    }
                }
                @if more > 0 { p class="nothing" { (Word::MoreInJson.with(language, &[&more.to_string()])) } }
            }
        }
    }
}
