//! The matrix, and one column's story.

use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, column_path, shown};
use super::sheet::{Cell, Kind, Line, Lines, Rows, Sheet};
use super::words::Word;
use crate::explain::{Sight, WhoSees};

/// Columns of the database on one page.
const COLUMNS_OF_PAGE: usize = 250;

/// What of the matrix is wanted.
struct Wanted<'a> {
    tag: &'a str,
    name: String,
    seen: Option<Kind>,
    /// Places of roles; all where none is chosen.
    roles: Vec<usize>,
    page: usize,
}

impl<'a> Wanted<'a> {
    fn read(fields: &'a Fields, sheet: &Sheet) -> Wanted<'a> {
        let is_chosen = |name: &str| fields.all("role").any(|role| role == name);
        let chosen: Vec<usize> = (0..)
            .zip(&sheet.roles)
            .filter_map(|(place, role)| is_chosen(&role.name).then_some(place))
            .collect();
        let seen = fields.text("seen");
        Wanted {
            tag: fields.text("tag"),
            name: fields.text("name").to_ascii_lowercase(),
            seen: Kind::ALL.into_iter().find(|kind| kind.word() == seen),
            roles: if chosen.is_empty() { (0..sheet.roles.len()).collect() } else { chosen },
            page: fields.text("page").parse().unwrap_or_default(),
        }
    }

    fn cells<'c>(&'c self, line: &'c Line) -> impl Iterator<Item = &'c Cell> {
        self.roles.iter().filter_map(|place| line.cells.get(*place))
    }

    /// A tag stands for those below it, as in the rules.
    fn takes(&self, relation: &Lines, line: &Line) -> bool {
        let is_below =
            |tag: &str| tag.strip_prefix(self.tag).is_some_and(|rest| rest.starts_with('.'));
        let has_tag = self.tag.is_empty() || line.tag == self.tag || is_below(&line.tag);
        let full =
            format!("{}.{}.{}", relation.schema, relation.name, line.name).to_ascii_lowercase();
        has_tag
            && full.contains(&self.name)
            && self.seen.is_none_or(|kind| self.cells(line).any(|cell| cell.kind == kind))
    }
}

/// The page.
pub fn matrix(look: &Look, sheet: &Sheet, database: &str, fields: &Fields) -> String {
    let wanted = Wanted::read(fields, sheet);
    let found: Vec<(&Lines, &Line)> = sheet
        .relations
        .iter()
        .flat_map(|relation| relation.columns.iter().map(move |line| (relation, line)))
        .filter(|(relation, line)| wanted.takes(relation, line))
        .collect();
    let start = wanted.page.saturating_mul(COLUMNS_OF_PAGE).min(found.len());
    let end = start.saturating_add(COLUMNS_OF_PAGE).min(found.len());
    let part = found.get(start..end).unwrap_or_default();
    let body = html! {
        p class="lead" { (look.say(Word::MatrixHelp)) }
        (filter(look, sheet, fields, &wanted))
        (legend(look))
        p class="soft" role="status" {
            (look.say(Word::ShownColumns)) ": "
            (found.len()) " · " (look.say(Word::Database)) ": " (shown(database))
        }
        @if part.is_empty() {
            p class="nothing" { (look.say(Word::NothingFits)) }
        } @else {
            div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::Matrix)) {
                (table(look, sheet, &wanted, part))
            }
        }
        (pages(look, fields, wanted.page, end < found.len()))
    };
    look.page(look.say(Word::Matrix), Some(Tab::Matrix), &body)
}

fn filter(look: &Look, sheet: &Sheet, fields: &Fields, wanted: &Wanted<'_>) -> Markup {
    // Whole branches of tags can be chosen too.
    let mut tags: std::collections::BTreeSet<&str> =
        sheet.tags.iter().map(String::as_str).collect();
    for tag in &sheet.tags {
        tags.extend(tag.match_indices('.').filter_map(|(at, _)| tag.get(..at)));
    }
    html! {
        form class="filter" method="get" action="/console" role="search" aria-label=(look.say(Word::Filter)) {
            label { span { (look.say(Word::FilterTag)) }
                select name="tag" {
                    option value="" { (look.say(Word::FilterAll)) }
                    @for tag in tags { option value=(tag) selected[tag == wanted.tag] { (shown(tag)) } }
                }
            }
            label { span { (look.say(Word::FilterName)) }
                input type="search" name="name" value=(fields.text("name")) maxlength="200" autocomplete="off";
            }
            label { span { (look.say(Word::FilterSeen)) }
                select name="seen" {
                    option value="" { (look.say(Word::FilterAll)) }
                    @for kind in Kind::ALL {
                        option value=(kind.word()) selected[Some(kind) == wanted.seen] { (look.say(kind.meaning())) }
                    }
                }
            }
            details open[fields.has("role")] {
                summary { (look.say(Word::FilterRoles)) }
                fieldset {
                    legend class="unseen" { (look.say(Word::FilterRoles)) }
                    @for role in &sheet.roles {
                        label class="check" {
                            input type="checkbox" name="role" value=(role.name)
                                checked[fields.all("role").any(|chosen| chosen == role.name)];
                            " " (shown(&role.name))
                        }
                    }
                }
            }
            span class="buttons" {
                button type="submit" class="main" { (look.say(Word::FilterShow)) }
                a href="/console" { (look.say(Word::FilterReset)) }
            }
        }
    }
}

fn legend(look: &Look) -> Markup {
    html! {
        details class="legend" {
            summary { (look.say(Word::Legend)) }
            ul {
                @for kind in Kind::ALL {
                    li class={ "kind " (kind.word()) } {
                        span class="mark" aria-hidden="true" { (kind.mark()) } " " (look.say(kind.meaning()))
                    }
                }
            }
        }
    }
}

fn table(look: &Look, sheet: &Sheet, wanted: &Wanted<'_>, part: &[(&Lines, &Line)]) -> Markup {
    let roles: Vec<_> = wanted.roles.iter().filter_map(|place| sheet.roles.get(*place)).collect();
    let groups = part.chunk_by(|(one, _), (other, _)| std::ptr::eq(*one, *other));
    html! {
        table class="matrix" {
            caption class="unseen" { (look.say(Word::Matrix)) }
            thead { tr {
                th scope="col" { (look.say(Word::Column)) }
                th scope="col" { (look.say(Word::Holds)) }
                @for role in roles { th scope="col" title=[role.description.as_deref().map(shown)] { (shown(&role.name)) } }
            } }
            @for group in groups {
                tbody {
                    @if let Some((relation, _)) = group.first() {
                        tr class="relation" {
                            th scope="rowgroup" colspan="2" {
                                (shown(&relation.schema)) "." strong { (shown(&relation.name)) }
                            }
                            @for place in &wanted.roles { td { (rows(look, relation.rows.get(*place))) } }
                        }
                    }
                    @for (relation, line) in group {
                        tr {
                            th scope="row" {
                                a href=(column_path(&relation.schema, &relation.name, &line.name)) { (shown(&line.name)) }
                            }
                            td class="tag" { (shown(&line.tag)) }
                            @for cell in wanted.cells(line) { (drawn(look, cell, line.tag == "open")) }
                        }
                    }
                }
            }
        }
    }
}

fn rows(look: &Look, rows: Option<&Rows>) -> Markup {
    match rows {
        None | Some(Rows::All) => html! { span class="soft" { (look.say(Word::AllRows)) } },
        Some(Rows::Where(filter)) => {
            html! { (look.say(Word::OnlyRowsWhere)) " " code { (shown(filter)) } }
        }
        Some(Rows::None(kind)) => html! { span class="soft" { (look.say(kind.meaning())) } },
    }
}

/// What is open to everybody shall not look like something that one role sees alone.
fn drawn(look: &Look, cell: &Cell, is_open: bool) -> Markup {
    html! {
        td class={ "kind " (cell.kind.word()) @if is_open { " open" } } title=[cell.rule.as_deref()] {
            span class="mark" aria-hidden="true" { (cell.kind.mark()) } " "
            @match cell.kind {
                Kind::Part | Kind::Keyed | Kind::Blank => (shown(&cell.label)),
                kind => (look.say(kind.meaning())),
            }
            @if cell.lookup { span class="lookup" { (look.say(Word::LookupYes)) } }
        }
    }
}

fn pages(look: &Look, fields: &Fields, page: usize, has_more: bool) -> Markup {
    let to = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in ["tag", "name", "seen", "role"] {
            for value in fields.all(name) {
                query.append_pair(name, value);
            }
        }
        query.append_pair("page", &page.to_string());
        format!("/console?{}", query.finish())
    };
    html! {
        @if page > 0 || has_more {
            p class="buttons" {
                @if let Some(before) = page.checked_sub(1) { a href=(to(before)) rel="prev" { (look.say(Word::PreviousPage)) } }
                @if has_more { a href=(to(page.saturating_add(1))) rel="next" { (look.say(Word::NextPage)) } }
            }
        }
    }
}

/// One column's story.
pub fn column(look: &Look, found: &WhoSees, sheet: &Sheet, place: (&str, &str, &str)) -> String {
    let (schema, relation, name) = place;
    let lines =
        sheet.relations.iter().find(|lines| lines.schema == schema && lines.name == relation);
    let line = lines.and_then(|lines| lines.columns.iter().find(|line| line.name == name));
    let kind = |role: &str| {
        let index = sheet.roles.iter().position(|known| known.name == role)?;
        line?.cells.get(index).map(|cell| cell.kind)
    };
    let body = html! {
        dl class="about" {
            div { dt { (look.say(Word::Type)) } dd { code { (shown(&found.type_sql)) } } }
            div { dt { (look.say(Word::Holds)) } dd { (shown(&found.tag)) } }
            div { dt { (look.say(Word::ClassifiedAt)) } dd {
                @match &found.classified_at {
                    Some(place) => (look.origin(place)),
                    None => (look.say(Word::NotClassified)),
                }
            } }
        }
        div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::FilterRoles)) {
            table class="stack" {
                thead { tr {
                    @for word in [Word::Role, Word::Seen, Word::DecidedBy, Word::Rows, Word::Users] {
                        th scope="col" { (look.say(word)) }
                    }
                } }
                tbody { @for sight in &found.roles { (sight_row(look, sight, &found.tag, kind(&sight.role))) } }
            }
        }
        @if !found.read_by.is_empty() {
            h2 { (look.say(Word::ReadBy)) }
            ul { @for reader in &found.read_by { li { code { (shown(&reader.relation)) } " – " (reader.kind) } } }
        }
        p { a href="/console" { (look.say(Word::Back)) } }
    };
    look.page(&shown(&found.column), Some(Tab::Matrix), &body)
}

fn sight_row(look: &Look, sight: &Sight, tag: &str, kind: Option<Kind>) -> Markup {
    let kind = kind.unwrap_or(Kind::Hidden);
    html! {
        tr {
            th scope="row" { (shown(&sight.role)) }
            td data-label=(look.say(Word::Seen)) class={ "kind " (kind.word()) } {
                span class="mark" aria-hidden="true" { (kind.mark()) } " "
                @match kind {
                    Kind::Part | Kind::Keyed | Kind::Blank => code { (shown(&sight.seen)) },
                    kind => (look.say(kind.meaning())),
                }
                @if sight.lookup { span class="lookup" { (look.say(Word::LookupYes)) } }
            }
            td data-label=(look.say(Word::DecidedBy)) {
                @match (&sight.decided_at, tag) {
                    (Some(place), _) => (look.origin(place)),
                    (None, "open") => (look.say(Word::OpenToAll)),
                    (None, "by its definition") => (look.say(Word::ByDefinition)),
                    (None, _) => (look.say(Word::NoLine)),
                }
            }
            td data-label=(look.say(Word::Rows)) {
                @match (&sight.rows, &sight.closed) {
                    (_, Some(reason)) => (shown(reason)),
                    (Some(rows), None) => {
                        (look.say(Word::OnlyRowsWhere)) " " code { (shown(&rows.filter)) }
                        @if let Some(place) = &rows.decided_at { " " (look.origin(place)) }
                    },
                    (None, None) => (look.say(Word::AllRows)),
                }
            }
            td data-label=(look.say(Word::Users)) {
                @if sight.users.is_empty() { (look.say(Word::NobodyHasIt)) } @else { (shown(&sight.users.join(", "))) }
            }
        }
    }
}
