//! What in rules never comes to anything, whatever the database holds: roles that nobody has, and `grants` to which nobody
//! can agree. Said by `scrim check`, with a database or without one, and shown by the console.
//!
//! Who agrees to a grant, and who breaks the glass, is known by a password of the rules, so that nobody else counts here.

use crate::rules::{GrantRules, Role, RuleSet, User};
use crate::text::Diagnostic;

/// Roles that nobody has, and what of `grants` nobody can use.
pub fn idle_rules(rules: &RuleSet) -> Vec<Diagnostic> {
    let of_nobody = rules.roles_of_nobody();
    let mut found: Vec<Diagnostic> = of_nobody.iter().map(|role| role_of_nobody(role)).collect();
    for role in rules.roles.values() {
        let Some(grants) = &role.grants else { continue };
        let is_told = of_nobody.iter().any(|other| other.name == role.name);
        if !is_told && !is_had(rules, &role.name) {
            found.push(grants_of_nobody(role, grants));
        }
        idle_approvers(rules, grants, &mut found);
        found.extend(one_person(rules, role, grants));
        found.extend(unbroken_glass(rules, role, grants));
    }
    found
}

fn role_of_nobody(role: &Role) -> Diagnostic {
    Diagnostic::warning(format!("nobody has the role `{}`", role.name), role.span)
        .help("no user, no `token_users` and no other role by `extends` names it")
}

/// It is extended, and grants are not inherited.
fn grants_of_nobody(role: &Role, grants: &GrantRules) -> Diagnostic {
    let message =
        format!("nobody has the role `{}` itself, so its `grants` never count", role.name);
    Diagnostic::warning(message, grants.span)
        .help("`grants` is not inherited: a role that extends this one needs its own")
}

/// Roles of `approvers` by which nobody does what approvers do.
fn idle_approvers(rules: &RuleSet, grants: &GrantRules, found: &mut Vec<Diagnostic>) {
    let what = if grants.needs_approval { "agrees" } else { "asks for others" };
    for (role, span) in &grants.approvers {
        let diagnostic = match (is_had(rules, role), has_password(rules, role)) {
            (_, true) => continue,
            (true, false) => Diagnostic::warning(
                format!("nobody with the role `{role}` has a password, so nobody {what} by it"),
                *span,
            )
            .help("what people do to a grant, they do by a password of the rules"),
            (false, false) => Diagnostic::warning(
                format!("no user has the role `{role}`, so nobody {what} by it"),
                *span,
            )
            .help("roles that extend it do not count: approvers are users with the role itself"),
        };
        found.push(diagnostic);
    }
}

/// One person could agree, and nobody but that person could ask.
fn one_person(rules: &RuleSet, role: &Role, grants: &GrantRules) -> Option<Diagnostic> {
    let approves =
        |user: &&User| grants.approvers.iter().any(|(role, _)| user.roles.contains(role));
    let mut approvers =
        rules.users.values().filter(|user| user.verifier.is_some()).filter(approves);
    let (Some(only), None) = (approvers.next(), approvers.next()) else { return None };
    let asks = |user: &User| user.name != only.name && user.verifier.is_some();
    let is_asked = users_with(rules, &role.name).any(asks);
    if !grants.needs_approval || is_asked || !is_had(rules, &role.name) {
        return None;
    }
    let (_, span) = grants.approvers.iter().find(|(role, _)| only.roles.contains(role))?;
    let message = format!(
        "only user `{}` could agree to a grant for role `{}`, and nobody else could ask for one",
        only.name, role.name
    );
    let help = "who agrees is neither who asked nor who gains by it, and both are known by their passwords: another \
                user has to have the role, or one of `approvers`";
    Some(Diagnostic::warning(message, *span).help(help))
}

/// A glass that nobody can break.
fn unbroken_glass(rules: &RuleSet, role: &Role, grants: &GrantRules) -> Option<Diagnostic> {
    let is_idle =
        grants.break_glass && is_had(rules, &role.name) && !has_password(rules, &role.name);
    is_idle.then(|| {
        let message = format!(
            "nobody with the role `{}` has a password, so nobody breaks the glass",
            role.name
        );
        Diagnostic::warning(message, grants.span)
            .help("`break_glass` is for users themselves, who do it by a password of the rules")
    })
}

fn users_with<'r>(rules: &'r RuleSet, role: &'r str) -> impl Iterator<Item = &'r User> {
    rules.users.values().filter(move |user| user.roles.iter().any(|own| own == role))
}

/// True where a user has the role, or a token may choose it.
fn is_had(rules: &RuleSet, role: &str) -> bool {
    let mut of_tokens = rules.token_users.iter().flat_map(|all| &all.roles);
    users_with(rules, role).next().is_some() || of_tokens.any(|own| own == role)
}

fn has_password(rules: &RuleSet, role: &str) -> bool {
    users_with(rules, role).any(|user| user.verifier.is_some())
}

#[cfg(test)]
mod tests {
    use super::idle_rules;
    use crate::rules::{NoEnvironment, load};
    use crate::text::{Severity, Sources};

    /// What is said, with the line where it stands. `+` is a user with a password, `-` one with a certificate; `more` is
    /// another file.
    fn said(grants: &str, users: &[(&str, &str)], more: &str) -> Vec<String> {
        let verifier = postgres_protocol::password::scram_sha_256(b"x");
        let user = |(name, roles): &(&str, &str)| {
            let login = match name.strip_prefix('-') {
                Some(name) => format!("certificate: {name}"),
                None => format!("password: \"{verifier}\""),
            };
            let name = name.trim_start_matches(['+', '-']);
            format!("  {name}: {{roles: [{roles}], {login}}}\n")
        };
        let users: String = users.iter().map(user).collect();
        let text = format!(
            "roles:\n  helper:\n    grants: {{may: [contact], longest: 1h, {grants}}}\n  lead: {{}}\n  boss: {{extends: \
             lead}}\nusers:\n{users}"
        );
        let mut sources = Sources::default();
        sources.add("r.yaml", text.as_str());
        sources.add("s.yaml", more);
        let (rules, _) =
            load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}: {text}"));
        let found = idle_rules(&rules).into_iter().map(|found| {
            assert_eq!(found.severity, Severity::Warning);
            let line = found.primary.map(|label| rules.origin(label.span).to_string());
            format!("{} {}", line.unwrap_or_default(), found.message)
        });
        found.collect()
    }

    const LEAD: &str = "approvers: [lead]";
    const TOKENS: &str = "token_users: {roles: [helper, lead]}\n";
    const NO_LEAD: &str = "r.yaml:3 no user has the role `lead`, so nobody agrees by it";
    const NO_PASSWORD: &str =
        "r.yaml:3 nobody with the role `lead` has a password, so nobody agrees by it";

    #[test]
    fn two_people_can_agree() {
        for (grants, users) in [
            (LEAD, &[("+hana", "helper"), ("+lea", "boss, lead")][..]),
            // Each agrees for the other.
            (LEAD, &[("+hana", "boss, helper, lead"), ("+lea", "helper, lead")]),
            // The lead cannot be given anything, and everybody else can.
            (LEAD, &[("+hana", "boss, helper"), ("+lea", "helper, lead")]),
            // One asks for whoever has no password, and another one agrees.
            (LEAD, &[("-hana", "boss, helper"), ("+lea", "lead"), ("+lars", "lead")]),
            ("approval: none", &[("+hana", "boss, helper")]),
            ("break_glass: true", &[("+hana", "boss, helper"), ("-hugo", "helper")]),
        ] {
            assert_eq!(said(grants, users, ""), Vec::<String>::new(), "{grants} {users:?}");
        }
    }

    #[test]
    fn who_cannot_agree_is_told() {
        let only = |user: &str| {
            format!(
                "r.yaml:3 only user `{user}` could agree to a grant for role `helper`, and nobody else could ask for one"
            )
        };
        for (grants, users, more, says) in [
            (LEAD, &[("+hana", "boss, helper")][..], "", vec![NO_LEAD.to_owned()]),
            (LEAD, &[("+hana", "boss, helper"), ("-lea", "lead")], "", vec![NO_PASSWORD.to_owned()]),
            (LEAD, &[("+hana", "boss, helper")], TOKENS, vec![NO_PASSWORD.to_owned()]),
            ("approvers: [lead, boss]", &[("+hana", "helper"), ("+lea", "boss")], "", vec![
                NO_LEAD.to_owned(),
            ]),
            (LEAD, &[("+lea", "boss, helper, lead")], "", vec![only("lea")]),
            // Nobody with a password is there to ask, but for the one who agrees.
            (LEAD, &[("-hana", "boss, helper"), ("+lea", "lead")], "", vec![only("lea")]),
            (LEAD, &[("+lea", "boss, lead")], TOKENS, vec![only("lea")]),
            ("approval: none, approvers: [lead]", &[("+hana", "boss, helper")], "", vec![
                "r.yaml:3 no user has the role `lead`, so nobody asks for others by it".to_owned(),
            ]),
            ("break_glass: true", &[("-hana", "boss, helper")], "", vec![
                "r.yaml:3 nobody with the role `helper` has a password, so nobody breaks the glass".to_owned(),
            ]),
        ] {
            assert_eq!(said(grants, users, more), says, "{grants} {users:?}");
        }
    }

    #[test]
    fn grants_that_nobody_has_are_told() {
        let users = [("+lea", "boss, lead")];
        assert_eq!(said(LEAD, &users, ""), ["r.yaml:2 nobody has the role `helper`"]);
        // Of those who extend the role, none has its grants.
        let users = [("+hana", "heir"), ("+lea", "boss, lead")];
        let itself = "r.yaml:3 nobody has the role `helper` itself, so its `grants` never count";
        assert_eq!(said(LEAD, &users, "roles: {heir: {extends: helper}}\n"), [itself]);
    }
}
