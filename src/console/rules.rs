//! The rules in force, with what is wrong with them. They are changed in git.

use std::sync::Arc;

use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::words::Word;
use crate::catalog::{Made, Snapshot};
use crate::explain::{Problems, idle_rules};
use crate::rules::RuleSet;
use crate::text::{Diagnostic, Severity, render};

/// Problems that are shown.
const PROBLEMS_MAX: usize = 200;
/// Lines of a file.
const LINES_MAX: usize = 20_000;

/// What is wrong with rules, made once for each version of rules and catalog.
pub struct Judged {
    /// The versions.
    pub version: (String, u64),
    /// How bad, and the whole as `check` draws it.
    pub problems: Vec<(Severity, String)>,
    /// Generated columns and indexes were looked at, too.
    pub is_whole: bool,
}

impl Judged {
    /// Of rules and a catalog; `made` is what the database has said of generated columns and indexes.
    pub fn new(rules: &Arc<RuleSet>, snapshot: &Arc<Snapshot>, made: Option<Made>) -> Judged {
        let is_whole = made.is_some();
        let mut found: Vec<Diagnostic> = idle_rules(rules);
        found.extend(Problems::new(rules, snapshot, &made.unwrap_or_default()).found);
        found.sort_by_key(|problem| problem.severity);
        let drawn = found.iter().map(|problem| {
            (problem.severity, render(&rules.sources, std::slice::from_ref(problem), false))
        });
        let version = (rules.version.clone(), snapshot.version);
        Judged { version, problems: drawn.collect(), is_whole }
    }
}

/// The page.
pub fn page(
    look: &Look,
    rules: &RuleSet,
    judged: Option<&Judged>,
    refused: Option<&str>,
    fields: &Fields,
) -> String {
    let file = fields.text("file");
    let found = rules.sources.iter().find(|(_, source)| &*source.name == file);
    if let Some((id, source)) = found {
        let text = rules.sources.shown(id).unwrap_or_default();
        let body = html! {
            p { a href=(Tab::Rules.path()) { (look.say(Word::Back)) } }
            (lines(&text, &source.name))
        };
        return look.page(&shown(&source.name), Some(Tab::Rules), &body);
    }
    let body = html! {
        p class="lead" { (look.say(Word::RulesHelp)) }
        @if let Some(refused) = refused {
            div class="alarm" role="alert" { p { (look.say(Word::LastReloadRefused)) } code { (shown(refused)) } }
        }
        h2 { (look.say(Word::Files)) }
        ul {
            @for (_, source) in rules.sources.iter() {
                li { a href=(file_path(&source.name)) { (shown(&source.name)) } }
            }
        }
        h2 { (look.say(Word::Problems)) }
        p class="soft" { (look.say(Word::ProblemsHelp)) }
        @if judged.is_some_and(|judged| !judged.is_whole) {
            p class="alarm" { (look.say(Word::ProblemsNotWhole)) }
        }
        @match judged {
            None => p class="alarm" { (look.say(Word::NoCatalog)) },
            Some(judged) if judged.problems.is_empty() => p class="nothing" { (look.say(Word::NoProblems)) },
            Some(judged) => (problems(judged)),
        }
    };
    look.page(look.say(Word::Rules), Some(Tab::Rules), &body)
}

fn file_path(name: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("{}?file={name}", Tab::Rules.path())
}

fn problems(judged: &Judged) -> Markup {
    let more = judged.problems.len().saturating_sub(PROBLEMS_MAX);
    html! {
        @for (_, drawn) in judged.problems.iter().take(PROBLEMS_MAX) { pre tabindex="0" { (by_line(drawn)) } }
        @if more > 0 { p class="nothing" { "+ " (more) } }
    }
}

/// Lines stay lines; what else is not seen is written out.
fn by_line(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

fn lines(text: &str, name: &str) -> Markup {
    html! {
        ol class="text" tabindex="0" aria-label=(shown(name)) {
            @for (number, line) in (1_usize..).zip(text.lines()).take(LINES_MAX) {
                li id={ "L" (number) } { (shown(line)) }
            }
        }
    }
}
