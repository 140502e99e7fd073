//! Who may ask, agree and take back, and whether a grant counts by the rules in force.

use super::{Grant, State, Wish, time};
use crate::policy::{KEYS_MAX, OpenRows, Opening};
use crate::rules::{GrantRules, RuleSet, User, granted_mask, parse_relation};

/// Characters of a reason.
const BECAUSE_MAX: usize = 200;

/// How it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Somebody may have to agree.
    Ask,
    /// At once, and loudly.
    BreakGlass,
}

/// Asks for something.
///
/// # Errors
/// Why it may not be asked for.
pub fn ask(wish: Wish, by: &User, how: How, rules: &RuleSet, now: i64) -> Result<Grant, String> {
    let (user, grants) = judged(&wish, rules)?;
    let is_own = by.name == user.name;
    let may_agree = is_approver(by, grants);
    let is_break_glass = how == How::BreakGlass;
    if is_break_glass && !grants.break_glass {
        return Err(format!(
            "role `{}` has no break-glass\n  `grants: {{break_glass: true}}` in the rules allows it",
            wish.role
        ));
    }
    if is_break_glass && !is_own {
        return Err("the glass is broken by whoever needs it, for nobody else".to_owned());
    }
    if !is_own && !may_agree {
        return Err(format!(
            "user `{}` may not ask for user `{}`: the user may, and who has one of the roles {}",
            by.name,
            user.name,
            approvers(grants)
        ));
    }
    if !is_break_glass && grants.needs_approval && grants.approvers.is_empty() {
        return Err(format!("nobody may agree to a grant for role `{}`", wish.role));
    }
    let grant = Grant {
        number: 0,
        wish,
        asked_by: by.name.clone(),
        asked_at: now,
        break_glass: is_break_glass,
        state: State::Asked,
        decided_by: None,
        decided_at: None,
        until: None,
        ended_by: None,
        ended_at: None,
    };
    match is_break_glass || !grants.needs_approval {
        true => Ok(in_force(grant, &by.name, now)),
        false => Ok(grant),
    }
}

/// The roles in which a user may open something to themselves at once, in the order in which the user has them.
pub fn break_glass_roles<'u>(user: &'u User, rules: &RuleSet) -> Vec<&'u str> {
    let may = |role: &&String| {
        let grants = rules.roles.get(*role).and_then(|role| role.grants.as_ref());
        grants.is_some_and(|grants| grants.break_glass)
    };
    user.roles.iter().filter(may).map(String::as_str).collect()
}

/// Agrees.
///
/// # Errors
/// Why that user may not, or why there is nothing to agree to.
pub fn approve(grant: Grant, by: &User, rules: &RuleSet, now: i64) -> Result<Grant, String> {
    decidable(&grant, by, rules, now)?;
    Ok(in_force(grant, &by.name, now))
}

/// Does not agree.
///
/// # Errors
/// As [`approve`].
pub fn reject(grant: Grant, by: &User, rules: &RuleSet, now: i64) -> Result<Grant, String> {
    decidable(&grant, by, rules, now)?;
    let (by, at) = (Some(by.name.clone()), Some(now));
    Ok(Grant { state: State::Rejected, decided_by: by, decided_at: at, ..grant })
}

/// Takes back what was asked for, or is in force.
///
/// # Errors
/// Why that user may not, or why there is nothing to take back.
pub fn revoke(grant: Grant, by: &User, rules: &RuleSet, now: i64) -> Result<Grant, String> {
    let is_there = grant.is_in_force(now) || grant.state == State::Asked;
    if !is_there {
        return Err(format!("grant {} is {} already", grant.number, grant.status(now)));
    }
    let grants = rules.roles.get(&grant.wish.role).and_then(|role| role.grants.as_ref());
    let may = by.name == grant.asked_by
        || by.name == grant.wish.user
        || grant.decided_by.as_ref() == Some(&by.name)
        || grants.is_some_and(|grants| is_approver(by, grants));
    if !may {
        return Err(format!(
            "user `{}` may not take back grant {}: who asked, who has it and who may agree to it may",
            by.name, grant.number
        ));
    }
    let (by, at) = (Some(by.name.clone()), Some(now));
    Ok(Grant { state: State::Revoked, ended_by: by, ended_at: at, ..grant })
}

impl Grant {
    /// What it opens now, by the rules in force.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub fn opening(&self, rules: &RuleSet, now: i64) -> Result<Opening, String> {
        let until = self.until.filter(|_| self.is_in_force(now));
        let until = until.ok_or_else(|| format!("it is {}", self.status(now)))?;
        let (user, grants) = judged(&self.wish, rules)?;
        let decided = self.decided_at.ok_or("nobody has decided")?;
        let longest = i64::try_from(self.wish.seconds).unwrap_or(0).saturating_mul(1000);
        if until.saturating_sub(decided) > longest {
            return Err("it lasts longer than it was asked for".to_owned());
        }
        let decider = self.decided_by.as_deref().unwrap_or_default();
        if self.break_glass {
            if !grants.break_glass || self.asked_by != user.name {
                return Err("the rules have no such break-glass any more".to_owned());
            }
        } else if grants.needs_approval {
            let is_other = decider != self.asked_by && decider != user.name;
            let may = rules.user(decider).is_some_and(|decider| is_approver(&decider, grants));
            if !is_other || !may {
                return Err("nobody has agreed who may, by the rules in force".to_owned());
            }
        }
        let masks = self.wish.masks.iter().map(|(tag, mask)| {
            let spec = granted_mask(tag, mask)?;
            Ok::<_, String>((tag.clone(), spec))
        });
        let table = self.wish.table.as_deref().map(parse_relation).transpose()?;
        Ok(Opening {
            grant: self.number,
            masks: masks.collect::<Result<_, _>>()?,
            table,
            rows: self.wish.rows.as_ref().map(|rows| OpenRows {
                condition: rows.condition.clone(),
                key: rows.key.clone(),
                keys: rows.keys.clone(),
            }),
            widens: self.wish.widens,
            until: time(until),
            because: self.wish.because.clone(),
        })
    }
}

fn in_force(grant: Grant, by: &str, now: i64) -> Grant {
    let lasts = i64::try_from(grant.wish.seconds).unwrap_or(0).saturating_mul(1000);
    Grant {
        state: State::InForce,
        decided_by: Some(by.to_owned()),
        decided_at: Some(now),
        until: Some(now.saturating_add(lasts)),
        ..grant
    }
}

/// Whether the rules in force let this be granted at all.
fn judged<'r>(wish: &Wish, rules: &'r RuleSet) -> Result<(User, &'r GrantRules), String> {
    let user = rules.user(&wish.user).ok_or_else(|| format!("there is no user `{}`", wish.user))?;
    if !user.roles.contains(&wish.role) {
        let roles = user.roles.join(", ");
        return Err(format!("user `{}` has no role `{}`, but: {roles}", user.name, wish.role));
    }
    let role = rules.roles.get(&wish.role);
    let grants = role.and_then(|role| role.grants.as_ref()).ok_or_else(|| {
        format!(
            "role `{}` can be granted nothing\n  `grants: {{may: […], longest: 1h, approvers: […]}}` in the rules says \
             what may be",
            wish.role
        )
    })?;
    if wish.masks.is_empty() {
        return Err(
            "nothing is asked for\n  `--mask contact.phone=clear` names a tag and a mask".into()
        );
    }
    for (tag, mask) in &wish.masks {
        granted_mask(tag, mask)?;
        if !grants.may_open(tag) {
            return Err(format!("role `{}` may not be granted `{tag}`", wish.role));
        }
    }
    if wish.seconds == 0 || wish.seconds > grants.longest_seconds {
        return Err(format!(
            "a grant for role `{}` lasts {} seconds at most",
            wish.role, grants.longest_seconds
        ));
    }
    match &wish.rows {
        None if !grants.whole_columns => {
            return Err(format!(
                "a grant for role `{}` needs rows\n  `--rows \"id = 42\"`; `grants: {{whole_columns: true}}` in the \
                 rules allows it without",
                wish.role
            ));
        }
        None if wish.widens => {
            return Err("more rows can be shown only where rows are named".into());
        }
        None => {}
        Some(_) if wish.table.is_none() => return Err("rows are those of a table".into()),
        Some(rows) if rows.keys.is_empty() => return Err("no row fulfils the condition".into()),
        Some(rows) if rows.keys.len() > KEYS_MAX => {
            return Err(format!("a grant opens {KEYS_MAX} rows at most"));
        }
        Some(_) => {}
    }
    if wish.widens && !grants.widen_rows {
        return Err(format!(
            "a grant for role `{}` cannot show rows that the role does not see\n  `grants: {{widen_rows: true}}` in \
             the rules allows it",
            wish.role
        ));
    }
    let because = wish.because.trim();
    if because.is_empty()
        || because.chars().count() > BECAUSE_MAX
        || because.chars().any(char::is_control)
    {
        return Err(format!("a grant needs a reason, of {BECAUSE_MAX} characters at most"));
    }
    Ok((user, grants))
}

/// Whether a user may decide about a request.
fn decidable(grant: &Grant, by: &User, rules: &RuleSet, now: i64) -> Result<(), String> {
    if grant.state != State::Asked || grant.has_lapsed(now) {
        let status = grant.status(now);
        return Err(format!("grant {} is {status}; there is nothing to decide", grant.number));
    }
    let (user, grants) = judged(&grant.wish, rules)?;
    if by.name == grant.asked_by {
        return Err(format!("user `{}` has asked for it: another person has to decide", by.name));
    }
    if by.name == user.name {
        return Err(format!("it is for user `{}`: another person has to decide", by.name));
    }
    if !is_approver(by, grants) {
        return Err(format!(
            "user `{}` may not decide: who has one of the roles {} may",
            by.name,
            approvers(grants)
        ));
    }
    Ok(())
}

fn is_approver(user: &User, grants: &GrantRules) -> bool {
    grants.approvers.iter().any(|(role, _)| user.roles.contains(role))
}

fn approvers(grants: &GrantRules) -> String {
    let names: Vec<String> = grants.approvers.iter().map(|(role, _)| format!("`{role}`")).collect();
    if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
