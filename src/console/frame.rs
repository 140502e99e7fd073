//! What stands around every page: its head, the way to the other pages, language and colours.
//!
//! INVARIANT: `PreEscaped` does not occur in this room. Whatever the rules, the database or a client has chosen goes through
//! the template's escaping, and [`shown`] writes out what would not be seen.

use maud::{DOCTYPE, Markup, html};

use super::visitors::Signed;
use super::words::{Language, Word};
pub use crate::report::shown;

/// For whom a page is.
pub struct Look {
    /// Its language.
    pub language: Language,
    /// Its colours.
    pub theme: Theme,
    /// The token of its forms.
    pub token: String,
    /// Its own address, to come back to.
    pub here: String,
    /// Who looks at it.
    pub signed: Option<Signed>,
    /// The version of the rules in force.
    pub rules: String,
}

/// The colours of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system wishes.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// By its word.
    pub fn of_word(word: &str) -> Option<Theme> {
        match word {
            "auto" => Some(Theme::Auto),
            "light" => Some(Theme::Light),
            "dark" => Some(Theme::Dark),
            _ => None,
        }
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// A page that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Columns against roles.
    Matrix,
    /// A role's statement.
    Playground,
    /// The last statements.
    Statements,
    /// Sessions and pools.
    Sessions,
    /// Grants.
    Grants,
    /// The rules.
    Rules,
    /// The report.
    Report,
}

impl Tab {
    /// In the order of the navigation.
    const ALL: [Tab; 7] = [
        Tab::Matrix,
        Tab::Playground,
        Tab::Statements,
        Tab::Sessions,
        Tab::Grants,
        Tab::Rules,
        Tab::Report,
    ];

    /// Its address.
    pub fn path(self) -> &'static str {
        match self {
            Tab::Matrix => "/console",
            Tab::Playground => "/console/playground",
            Tab::Statements => "/console/statements",
            Tab::Sessions => "/console/sessions",
            Tab::Grants => "/console/grants",
            Tab::Rules => "/console/rules",
            Tab::Report => "/console/report",
        }
    }

    /// Its title.
    pub fn title(self) -> Word {
        match self {
            Tab::Matrix => Word::Matrix,
            Tab::Playground => Word::Playground,
            Tab::Statements => Word::Statements,
            Tab::Sessions => Word::Sessions,
            Tab::Grants => Word::Grants,
            Tab::Rules => Word::Rules,
            Tab::Report => Word::Report,
        }
    }
}

impl Look {
    /// A text of the console.
    pub fn say(&self, word: Word) -> &'static str {
        word.of(self.language)
    }

    /// The hidden field of a form that changes something.
    pub fn token_field(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.token); }
    }

    /// A whole page.
    pub fn page(&self, title: &str, tab: Option<Tab>, body: &Markup) -> String {
        let theme = (self.theme != Theme::Auto).then(|| self.theme.word());
        let page = html! {
            (DOCTYPE)
            html lang=(self.language.tag()) data-theme=[theme] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content=(match self.theme {
                        Theme::Auto => "light dark",
                        Theme::Light => "light",
                        Theme::Dark => "dark",
                    });
                    title { (title) " – " (self.say(Word::Console)) }
                    link rel="icon" href="/console/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/console/assets/style.css";
                    script src="/console/assets/follow.js" defer {}
                }
                body {
                    a class="skip" href="#content" { (self.say(Word::SkipToContent)) }
                    (self.head(tab))
                    main id="content" tabindex="-1" {
                        h1 { (title) }
                        (body)
                    }
                    (self.foot())
                }
            }
        };
        page.into_string()
    }

    fn head(&self, tab: Option<Tab>) -> Markup {
        html! {
            header class="top" {
                a class="brand" href="/console" { (self.say(Word::Console)) }
                @if let Some(signed) = &self.signed {
                    nav aria-label=(self.say(Word::Pages)) {
                        ul {
                            @for known in Tab::ALL {
                                li {
                                    a href=(known.path()) aria-current=[(tab == Some(known)).then_some("page")] {
                                        (self.say(known.title()))
                                    }
                                }
                            }
                        }
                    }
                    form class="who" method="post" action="/console/sign-out" {
                        (self.token_field())
                        span { (self.say(Word::SignedInAs)) " " strong { (shown(&signed.user)) } }
                        button type="submit" { (self.say(Word::SignOut)) }
                    }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        let choice = |name: &'static str,
                      value: &'static str,
                      is_now: bool,
                      label: &str,
                      lang: Option<&str>| {
            html! {
                button type="submit" name=(name) value=(value) aria-pressed=(is_now) lang=[lang] { (label) }
            }
        };
        html! {
            footer {
                form class="settings" method="post" action="/console/settings" aria-label=(self.say(Word::Settings)) {
                    (self.token_field())
                    input type="hidden" name="back" value=(self.here);
                    span class="choices" role="group" {
                        @for (language, label) in [(Language::English, Word::English), (Language::Korean, Word::Korean)] {
                            // Each in its own, for who does not read the other.
                            (choice("language", language.tag(), self.language == language, label.of(language), Some(language.tag())))
                        }
                    }
                    span class="choices" role="group" {
                        @for (theme, label) in [
                            (Theme::Auto, Word::ThemeAuto), (Theme::Light, Word::ThemeLight), (Theme::Dark, Word::ThemeDark),
                        ] {
                            (choice("theme", theme.word(), self.theme == theme, self.say(label), None))
                        }
                    }
                }
                @if self.signed.is_some() {
                    p class="soft" { (self.say(Word::RulesVersion)) ": " code { (self.rules) } }
                }
            }
        }
    }

    /// A line of the rules, with the way to it.
    pub fn origin(&self, place: &str) -> Markup {
        match place.rsplit_once(':') {
            Some((file, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => html! {
                a class="origin" href=(rules_line(file, line)) { (shown(place)) }
            },
            _ => html! { (shown(place)) },
        }
    }
}

/// The address of a line of the rules.
fn rules_line(file: &str, line: &str) -> String {
    let file: String = form_urlencoded::byte_serialize(file.as_bytes()).collect();
    format!("/console/rules?file={file}#L{line}")
}

/// The address of a column's story.
pub fn column_path(schema: &str, relation: &str, column: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("schema", schema).append_pair("relation", relation);
    query.append_pair("column", column);
    format!("/console/column?{}", query.finish())
}
