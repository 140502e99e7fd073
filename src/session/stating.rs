//! What a session states, as the view of its role needs it. Pure.

use super::planning::Who;
use super::settings::Settings;
use crate::policy::{RoleView, Stated};
use crate::sql::{Reason, Refusal};

/// What a session states that has set this.
pub fn stated(who: &Who, settings: &Settings) -> Stated {
    let now = settings.current();
    let mut stated = Stated::default().with("user", &who.user);
    stated.end_user.clone_from(&now.end_user);
    stated.purpose.clone_from(&now.purpose);
    stated.details.clone_from(&now.details);
    stated
}

/// A text that first changes what is stated and then reads, where the role goes by it.
pub fn stated_too_late(view: &RoleView) -> Refusal {
    let message = format!(
        "scrim: role `{}` sees by what the session states, which this text changes before it reads",
        view.role().name
    );
    Refusal {
        code: "42501",
        message,
        hint: Some("send what sets or resets `scrim.…` by itself, and then the rest".into()),
        position: None,
        reason: Reason::Purpose,
        rule: None,
        reading: None,
    }
}
