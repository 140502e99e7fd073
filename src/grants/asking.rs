//! From what somebody types to a request: which table, which rows by their keys, which columns.
//!
//! The rules are asked first, and the database only for what they allow; who calls this asks the database.

use super::{Grant, How, Rows, Wish, ask, time};
use crate::policy::{KEYS_MAX, OpenRows, Opening, RoleView};
use crate::rules::{RelationName, RuleSet, User, granted_mask, parse_relation, seconds};

/// As it was typed.
pub struct Wanted {
    /// For whom.
    pub user: String,
    /// In which role; `None`: the user's first.
    pub role: Option<String>,
    /// Where.
    pub database: String,
    /// `TAG=MASK`
    pub masks: Vec<String>,
    /// The table.
    pub table: Option<String>,
    /// A condition.
    pub rows: Option<String>,
    /// Rows that the role does not see too.
    pub widens: bool,
    /// `30m`
    pub lasts: String,
    /// Why.
    pub because: String,
}

/// A request of which the rows are not known yet.
pub struct Draft {
    wish: Wish,
    table: Option<RelationName>,
    condition: Option<String>,
    how: How,
}

/// What the rules have to say to it already.
///
/// # Errors
/// Why it may not be asked for.
pub fn draft(
    wanted: Wanted,
    by: &User,
    how: How,
    rules: &RuleSet,
    now: i64,
) -> Result<Draft, String> {
    let user = rules.user(&wanted.user);
    let user = user.ok_or_else(|| format!("there is no user `{}`", wanted.user))?;
    let role = wanted.role.or_else(|| user.roles.first().cloned()).unwrap_or_default();
    let lasts = seconds(&wanted.lasts)
        .ok_or_else(|| format!("`{}` is no time\n  90s, 30m, 8h, 2d", wanted.lasts))?;
    let mut masks = Vec::new();
    for given in &wanted.masks {
        let (tag, mask) = given
            .split_once('=')
            .ok_or_else(|| format!("`{given}` is no TAG=MASK\n  contact.phone=clear"))?;
        if masks.iter().any(|(known, _)| known == tag) {
            return Err(format!("`{tag}` is asked for twice"));
        }
        granted_mask(tag, mask)?;
        masks.push((tag.to_owned(), mask.to_owned()));
    }
    let table = wanted.table.as_deref().map(parse_relation).transpose()?;
    let wish = Wish {
        database: wanted.database,
        user: user.name,
        role,
        masks,
        table: table.as_ref().map(ToString::to_string),
        // Until it is known which.
        rows: wanted.rows.as_ref().map(|_| Rows {
            condition: String::new(),
            key: Vec::new(),
            keys: vec![Vec::new()],
        }),
        widens: wanted.widens,
        seconds: lasts,
        because: wanted.because,
        columns: Vec::new(),
    };
    let allowed = Wish {
        table: wish.table.clone().or_else(|| wanted.rows.as_ref().map(|_| "any.table".to_owned())),
        ..wish.clone()
    };
    ask(allowed, by, how, rules, now)?;
    Ok(Draft { wish, table, condition: wanted.rows, how })
}

impl Draft {
    /// In which role.
    pub fn role(&self) -> &str {
        &self.wish.role
    }

    /// Where.
    pub fn database(&self) -> &str {
        &self.wish.database
    }

    /// What the database is to be asked for the keys of the rows; `None`: nothing.
    ///
    /// # Errors
    /// Why the rows cannot be told.
    pub fn question(&mut self, view: &RoleView, now: i64) -> Result<Option<String>, String> {
        let Some(condition) = &self.condition else { return Ok(None) };
        let table = match &self.table {
            Some(table) => table.clone(),
            None => the_table(view, &self.wish, now)?,
        };
        let (query, key, condition) = view.ask_for_keys(&table, condition, self.wish.widens)?;
        self.wish.table = Some(table.to_string());
        self.wish.rows = Some(Rows { condition, key, keys: Vec::new() });
        Ok(Some(query))
    }

    /// The request, with what the database has answered; judged as a whole.
    ///
    /// # Errors
    /// Why it may not be asked for.
    pub fn request(
        self,
        found: Option<Vec<Vec<Option<String>>>>,
        view: &RoleView,
        by: &User,
        rules: &RuleSet,
        now: i64,
    ) -> Result<Grant, String> {
        let mut wish = self.wish;
        if let Some(rows) = &mut wish.rows {
            let found = found.ok_or("the database was not asked for the rows")?;
            let keys: Option<Vec<Vec<String>>> =
                found.into_iter().map(|row| row.into_iter().collect()).collect();
            rows.keys = keys.ok_or("a key is NULL")?;
            if rows.keys.len() > KEYS_MAX {
                return Err(format!(
                    "more than {KEYS_MAX} rows fulfil the condition\n  a grant opens {KEYS_MAX} rows at most"
                ));
            }
        }
        let columns = view.would_open(&opening(&wish, now)?);
        wish.columns = columns.iter().map(|(table, column)| format!("{table}.{column}")).collect();
        let grant = ask(wish, by, self.how, rules, now)?;
        if grant.wish.columns.is_empty() && !grant.wish.widens {
            return Err(format!(
                "it would open nothing: no column with such a tag that role `{}` does not see already, or whose type \
                 the mask fits",
                grant.wish.role
            ));
        }
        Ok(grant)
    }
}

/// The one table with columns that would be opened.
fn the_table(view: &RoleView, wish: &Wish, now: i64) -> Result<RelationName, String> {
    // As if all rows of all tables were meant: only to see which tables there are.
    let all = Wish { rows: None, ..wish.clone() };
    let mut tables: Vec<RelationName> =
        view.tables_with(&opening(&all, now)?).into_iter().collect();
    match (tables.pop(), tables.is_empty()) {
        (Some(table), true) => Ok(table),
        (None, _) => Err("no table has a column with such a tag".to_owned()),
        (Some(last), false) => {
            let names = tables.iter().chain([&last]).map(ToString::to_string);
            Err(format!(
                "rows are those of one table, and these have such columns: {}\n  `--table NAME` says which",
                names.collect::<Vec<_>>().join(", ")
            ))
        }
    }
}

fn opening(wish: &Wish, now: i64) -> Result<Opening, String> {
    let masks = wish.masks.iter().map(|(tag, mask)| Ok((tag.clone(), granted_mask(tag, mask)?)));
    Ok(Opening {
        grant: 0,
        masks: masks.collect::<Result<Vec<_>, String>>()?,
        table: wish.table.as_deref().map(parse_relation).transpose()?,
        rows: wish.rows.as_ref().map(|rows| OpenRows {
            condition: rows.condition.clone(),
            key: rows.key.clone(),
            keys: rows.keys.clone(),
        }),
        widens: wish.widens,
        until: time(now),
        because: wish.because.clone(),
    })
}
