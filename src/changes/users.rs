//! Who may log in before and after, and with which roles.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Change, Effect, Lines, Subject, change, yes_or_no};
use super::picture::UserPicture;
use crate::text::Origin;

/// What has changed of users.
pub(super) fn of_users(
    old: &BTreeMap<String, UserPicture>,
    new: &BTreeMap<String, UserPicture>,
    found: &mut Vec<Change>,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        let roles = |user: Option<&UserPicture>| -> BTreeSet<String> {
            user.into_iter().flat_map(|user| user.roles.iter().cloned()).collect()
        };
        let origin = |user: Option<&UserPicture>| -> Vec<Origin> {
            user.map(|user| user.origin.clone()).into_iter().collect()
        };
        let lines = || Lines { old: origin(was), new: origin(is) };
        let listed = |user: Option<&UserPicture>| match user {
            None => "no user".to_owned(),
            Some(user) => user.roles.join(", "),
        };
        let (had, has) = (roles(was), roles(is));
        let first = |user: Option<&UserPicture>| user.and_then(|user| user.roles.first().cloned());
        let effect = match (has.is_subset(&had), had.is_subset(&has)) {
            (false, _) => Some(Effect::More),
            (true, false) => Some(Effect::Less),
            (true, true) => (first(was) != first(is)).then_some(Effect::Other),
        };
        if let Some(effect) = effect {
            let (was, is) = (listed(was), listed(is));
            found.push(change(Subject::User, effect, None, name, &was, &is, lines(), None));
        }
        let acts = |user: Option<&UserPicture>| user.is_some_and(|user| user.acts_for_others);
        if was.is_some() && is.is_some() && acts(was) != acts(is) {
            let what = format!("{name} acts for others");
            let (was, is) = (yes_or_no(acts(was)), yes_or_no(acts(is)));
            found.push(change(Subject::User, Effect::Other, None, &what, was, is, lines(), None));
        }
    }
}
