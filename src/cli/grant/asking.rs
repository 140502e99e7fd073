//! From what somebody types to a request: which table, which rows by their keys, which columns.

use std::sync::Arc;

use crate::cli::live;
use crate::config::Config;
use crate::grants::{Grant, How, Rows, Wish, ask as judged, time};
use crate::ledger::Ledger;
use crate::policy::{KEYS_MAX, OpenRows, Opening, RoleView};
use crate::rules::{RelationName, RuleSet, User, granted_mask, parse_relation, seconds};

/// As it was typed.
pub(super) struct Wanted {
    pub(super) user: String,
    pub(super) role: Option<String>,
    pub(super) database: Option<String>,
    pub(super) masks: Vec<String>,
    pub(super) table: Option<String>,
    pub(super) rows: Option<String>,
    pub(super) widens: bool,
    pub(super) lasts: String,
    pub(super) because: String,
}

/// The request, judged by the rules and the database.
pub(super) async fn ask(
    wanted: Wanted,
    by: &User,
    how: How,
    (config, ledger): (&Config, &mut Ledger),
    rules: RuleSet,
) -> Result<Grant, String> {
    let error = |why: String| format!("error: {why}");
    let user = rules.user(&wanted.user);
    let user = user.ok_or_else(|| format!("error: there is no user `{}`", wanted.user))?;
    let role = wanted.role.or_else(|| user.roles.first().cloned()).unwrap_or_default();
    let lasts = seconds(&wanted.lasts)
        .ok_or_else(|| format!("error: `{}` is no time\n  90s, 30m, 8h, 2d", wanted.lasts))?;
    let mut masks = Vec::new();
    for given in &wanted.masks {
        let (tag, mask) = given
            .split_once('=')
            .ok_or_else(|| format!("error: `{given}` is no TAG=MASK\n  contact.phone=clear"))?;
        if masks.iter().any(|(known, _)| known == tag) {
            return Err(format!("error: `{tag}` is asked for twice"));
        }
        granted_mask(tag, mask).map_err(error)?;
        masks.push((tag.to_owned(), mask.to_owned()));
    }
    let table = wanted.table.as_deref().map(parse_relation).transpose().map_err(error)?;
    let database = wanted.database.unwrap_or_else(|| config.database.clone());
    let mut wish = Wish {
        database,
        user: user.name,
        role,
        masks,
        table: table.as_ref().map(ToString::to_string),
        // Until it is known which: the rules are asked first, and the database only for what they allow.
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
    let now = ledger.now().await.map_err(super::told)?;
    judged(allowed, by, how, &rules, now).map_err(error)?;

    let mut connection = live::connect(config, Some(&wish.database)).await?;
    let snapshot = Arc::new(live::read(&mut connection).await?);
    let rules = Arc::new(rules);
    let view = RoleView::new(&wish.role, Arc::clone(&rules), snapshot)
        .ok_or_else(|| format!("error: there is no role `{}`", wish.role))?;
    if let Some(condition) = &wanted.rows {
        let table = match table {
            Some(table) => table,
            None => the_table(&view, &wish)?,
        };
        let (query, key, condition) =
            view.ask_for_keys(&table, condition, wish.widens).map_err(error)?;
        let found = live::rows_of(&mut connection, &query).await?;
        let keys: Option<Vec<Vec<String>>> =
            found.into_iter().map(|row| row.into_iter().collect()).collect();
        let keys = keys.ok_or("error: a key is NULL")?;
        if keys.len() > KEYS_MAX {
            return Err(format!(
                "error: more than {KEYS_MAX} rows fulfil the condition\n  a grant opens {KEYS_MAX} rows at most"
            ));
        }
        wish.table = Some(table.to_string());
        wish.rows = Some(Rows { condition, key, keys });
    }
    let opening = opening(&wish)?;
    let columns = view.would_open(&opening);
    wish.columns = columns.iter().map(|(table, column)| format!("{table}.{column}")).collect();
    // The database may have thought for a while.
    let now = ledger.now().await.map_err(super::told)?;
    let grant = judged(wish, by, how, &rules, now).map_err(error)?;
    if grant.wish.columns.is_empty() && !grant.wish.widens {
        return Err(format!(
            "error: it would open nothing: no column with such a tag that role `{}` does not see already, or whose type \
             the mask fits",
            grant.wish.role
        ));
    }
    Ok(grant)
}

/// The one table with columns that would be opened.
fn the_table(view: &RoleView, wish: &Wish) -> Result<RelationName, String> {
    // As if all rows of all tables were meant: only to see which tables there are.
    let all = Wish { rows: None, ..wish.clone() };
    let mut tables: Vec<RelationName> = view.tables_with(&opening(&all)?).into_iter().collect();
    match (tables.pop(), tables.is_empty()) {
        (Some(table), true) => Ok(table),
        (None, _) => Err("error: no table has a column with such a tag".to_owned()),
        (Some(last), false) => {
            let names = tables.iter().chain([&last]).map(ToString::to_string);
            Err(format!(
                "error: rows are those of one table, and these have such columns: {}\n  `--table NAME` says which",
                names.collect::<Vec<_>>().join(", ")
            ))
        }
    }
}

fn opening(wish: &Wish) -> Result<Opening, String> {
    let masks = wish.masks.iter().map(|(tag, mask)| Ok((tag.clone(), granted_mask(tag, mask)?)));
    let masks: Result<Vec<_>, String> = masks.collect();
    let table = wish.table.as_deref().map(parse_relation).transpose();
    Ok(Opening {
        grant: 0,
        masks: masks.map_err(|why| format!("error: {why}"))?,
        table: table.map_err(|why| format!("error: {why}"))?,
        rows: wish.rows.as_ref().map(|rows| OpenRows {
            condition: rows.condition.clone(),
            key: rows.key.clone(),
            keys: rows.keys.clone(),
        }),
        widens: wish.widens,
        // It is never in force.
        until: time(0),
        because: wish.because.clone(),
    })
}
