//! Templates known again in a text that is to be sent, by their exact text, and replaced.
//!
//! Only the head of one is looked for, `(SELECT masks… FROM schema.name`, and its filter behind it; whatever else
//! stands around is left for the oracle to look at.

use std::sync::Arc;

use scrim::policy::{Access, ColumnAccess, ColumnVerdict, Template, Wanted};

/// The schema in which templates stand after they were known again.
pub const SCHEMA: &str = "fuzz$template";
/// The column that stands for the filter of a template.
pub const FILTER: &str = "fuzz$filter";
/// What stands for the mask of a column of the row that is written: `relation.column` of this.
pub const MASK: &str = "fuzz$mask";
/// By what the row that is written goes in what is sent.
pub const ROW: &str = "scrim$row";

/// How a template begins.
const LIST: &str = "(SELECT ";

const SYSTEM_COLUMNS: [&str; 3] = ["ctid", "xmin", "tableoid"];

/// What a template is known by.
pub struct StandIn {
    /// The template.
    pub template: Arc<Template>,
    /// Columns of the list, in order.
    items: Vec<String>,
    /// `schema.name`, quoted.
    source: String,
    /// The relation's own name, quoted.
    name: String,
    /// Masks over the row that is written with their columns, and the filter over it, as they stand in a text.
    over_row: Vec<(String, String)>,
    filter_over_row: Option<String>,
}

/// How a text is changed where a template is known again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// A name in [`SCHEMA`] and [`FILTER`].
    Names,
    /// The same template over the relation's twin.
    Twins,
}

impl StandIn {
    /// Of a relation that has a template; `None`: it has none.
    pub fn of(access: &Access) -> Option<StandIn> {
        let Access::Masked(template) = access else { return None };
        let quote = |name: &str| scrim::grammar::quote_identifier(name).to_string();
        let name = quote(&template.name);
        let source = format!("{}.{name}", quote(&template.schema));
        let columns = || template.columns.iter().map(|column| column.name.as_str());
        let item = |column: &str| {
            let columns = Some([column.to_owned()].into());
            let one = Wanted { columns, ..Wanted::all() };
            let only = template.sql(false, None, &[], &[], &one);
            let (list, _) = only.split_once(&format!(" FROM {source}"))?;
            let item = list.strip_prefix(LIST)?;
            (!item.is_empty()).then(|| item.to_owned())
        };
        Some(StandIn {
            items: columns().filter_map(item).collect(),
            over_row: columns()
                .filter_map(|column| Some((column.to_owned(), template.mask_over(ROW, column)?)))
                .collect(),
            filter_over_row: template.filter_over(ROW),
            template: Arc::clone(template),
            source,
            name,
        })
    }

    /// `schema.name`, as the oracle finds it in [`SCHEMA`].
    pub fn key(&self) -> String {
        format!("{}.{}", self.template.schema, self.template.name)
    }

    /// The schema of the relation's twin.
    pub fn twin_schema(&self) -> String {
        format!("twin_{}", self.template.schema)
    }

    /// A column, as the role sees it.
    pub fn column(&self, name: &str) -> Option<&ColumnAccess> {
        self.template.columns.iter().find(|column| column.name == name)
    }

    /// Replaces this template wherever it stands.
    fn replace(&self, text: &str, into: Into) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(LIST) {
            let list = self.list(&rest[at..]);
            let behind = &rest[at + list.len()..];
            let Some((head, filter, length)) = self.head(behind, list == LIST) else {
                let end = at + LIST.len();
                replaced.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            };
            replaced.push_str(&rest[..at]);
            match into {
                Into::Names => {
                    let follows = head.starts_with(',') || head.starts_with(" FROM ");
                    replaced.push_str(if follows { "(SELECT *" } else { "(SELECT *, " });
                    replaced.push_str(&format!("{head}\"{SCHEMA}\".\"{}\"", self.key()));
                    if let Some(sample) = filter {
                        replaced.push_str(&format!("{sample} WHERE \"{FILTER}\""));
                    }
                }
                Into::Twins => {
                    replaced.push_str(list);
                    let twin = format!("{head}\"{}\".{}", self.twin_schema(), self.name);
                    replaced.push_str(&twin);
                    replaced.push_str(&behind[head.len() + self.source.len()..length]);
                }
            }
            rest = &behind[length..];
        }
        replaced.push_str(rest);
        replaced
    }

    /// How a text begins with a list of the template's columns, of all or of some, in their order.
    fn list<'t>(&self, text: &'t str) -> &'t str {
        let mut end = LIST.len();
        for item in &self.items {
            let item = if end == LIST.len() { item.clone() } else { format!(", {item}") };
            let ends = |behind: &str| behind.starts_with(", ") || behind.starts_with(" FROM ");
            if text[end..].strip_prefix(&item).is_some_and(ends) {
                end += item.len();
            }
        }
        &text[..end]
    }

    /// What stands between the list and the relation's name, the sample behind it where a filter follows, and how
    /// much of the text that is; `None` where no template follows.
    fn head<'t>(
        &self,
        behind: &'t str,
        is_first: bool,
    ) -> Option<(&'t str, Option<&'t str>, usize)> {
        let mut at = 0;
        let separator = |at: usize| if is_first && at == 0 { "" } else { ", " };
        let next = |at: usize, column: &str| format!("{}{}.{column}", separator(at), self.name);
        while let Some(column) =
            SYSTEM_COLUMNS.iter().find(|column| behind[at..].starts_with(&next(at, column)))
        {
            at += next(at, column).len();
        }
        let from = [" FROM ", " FROM ONLY "].into_iter().find(|from| {
            let named = behind[at..].strip_prefix(&format!("{from}{}", self.source));
            named.is_some_and(ends_a_name)
        })?;
        let (head, mut end) = (&behind[..at + from.len()], at + from.len() + self.source.len());
        let Some(filter) = &self.template.filter else { return Some((head, None, end)) };
        let filter = format!(" WHERE ({filter})");
        let after = end + behind[end..].find(&filter)?;
        let sample = &behind[end..after];
        // Nothing but a sample may stand between.
        if !(sample.is_empty() || sample.starts_with(" TABLESAMPLE ")) || sample.contains("SELECT")
        {
            return None;
        }
        end = after + filter.len();
        Some((head, Some(sample), end))
    }
}

/// True for what follows a whole name: a partition's begins as its parent's does.
fn ends_a_name(behind: &str) -> bool {
    !behind.starts_with(|next: char| next.is_alphanumeric() || ['_', '$', '.', '"'].contains(&next))
}

/// Replaces all templates of a role.
pub fn replace(text: &str, stand_ins: &[StandIn], into: Into) -> String {
    let mut text = text.to_owned();
    for stand_in in stand_ins {
        text = stand_in.replace(&text, into);
        if into == Into::Names && text.contains(ROW) {
            for (column, mask) in &stand_in.over_row {
                let column = format!("{}.{column}", stand_in.template.name).replace('"', "\"\"");
                text = text.replace(mask, &format!("(\"{MASK}\".\"{column}\")"));
            }
            if let Some(filter) = &stand_in.filter_over_row {
                text = text.replace(filter, &format!("\"{FILTER}\""));
            }
        }
    }
    text
}

/// True for a column that the role sees as it is.
pub fn is_clear(column: &ColumnAccess) -> bool {
    column.verdict == ColumnVerdict::Clear
}
