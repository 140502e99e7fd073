use std::sync::Arc;

use crate::changes::{Effect, Picture, Report, Subject, compare};
use crate::rules::{NoEnvironment, RuleSet, load};
use crate::text::Sources;

fn rules(text: &str) -> Arc<RuleSet> {
    let mut sources = Sources::default();
    sources.add("t.yaml", text);
    Arc::new(
        load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}: {text}")).0,
    )
}

/// A helper with these `grants`, before and after.
fn by(old: &str, new: &str) -> (Vec<String>, bool) {
    let [old, new] = [old, new].map(|grants| {
        let grants =
            if grants.is_empty() { String::new() } else { format!("    grants: {{{grants}}}\n") };
        rules(&format!(
            "roles:\n  helper:\n    masks: {{\"*\": redact}}\n{grants}  lead: {{}}\n  boss: {{}}\n"
        ))
    });
    told(&old, &new)
}

fn told(old: &RuleSet, new: &RuleSet) -> (Vec<String>, bool) {
    let changes = compare(&Picture::offline(old, new), &Picture::offline(new, old));
    let of_grants = changes.iter().filter(|change| change.subject == Subject::Grant);
    let lines = of_grants.map(|change| {
        let sign = match change.effect {
            Effect::More => '+',
            Effect::Unclear => '?',
            Effect::Less => '-',
            Effect::Other => ' ',
        };
        format!("{sign} {}: {} → {}", change.what, change.old, change.new)
    });
    (lines.collect(), Report::new(changes.clone(), false).shows_more())
}

const USUAL: &str = "may: [contact], longest: 1h, approvers: [lead]";

#[test]
fn what_widens_stands_first_and_counts() {
    for (new, says) in [
        (
            "may: [contact, identity], longest: 1h, approvers: [lead]",
            "+ may identity: cannot → can be opened for a while",
        ),
        (
            "may: [contact], hidden: [contact.phone], longest: 1h, approvers: [lead]",
            "+ hidden contact.phone: cannot → can be opened though it is hidden",
        ),
        ("may: [contact], longest: 90m, approvers: [lead]", "+ longest: 1h → 90m"),
        (
            "may: [contact], longest: 1h, approvers: [lead], approval: none",
            "+ approval: required → none",
        ),
        ("may: [contact], longest: 1h, approvers: [lead, boss]", "+ approvers: lead → boss, lead"),
        (
            "may: [contact], longest: 1h, approvers: [lead], break_glass: true",
            "+ break_glass: no → yes",
        ),
        (
            "may: [contact], longest: 1h, approvers: [lead], whole_columns: true",
            "+ whole_columns: no → yes",
        ),
        (
            "may: [contact], longest: 1h, approvers: [lead], widen_rows: true",
            "+ widen_rows: no → yes",
        ),
    ] {
        assert_eq!(by(USUAL, new), (vec![says.to_owned()], true), "{new}");
        // The way back.
        let (what, states) = says.trim_start_matches("+ ").split_once(": ").unwrap_or_default();
        let (before, after) = states.split_once(" → ").unwrap_or_default();
        assert_eq!(by(new, USUAL), (vec![format!("- {what}: {after} → {before}")], false), "{new}");
    }
    let mixed =
        "may: [contact.phone, identity], longest: 10m, approvers: [boss], break_glass: true";
    let (lines, shows_more) = by(USUAL, mixed);
    assert!(shows_more);
    assert_eq!(
        lines,
        [
            "+ may identity: cannot → can be opened for a while",
            "+ approvers: lead → boss",
            "+ break_glass: no → yes",
            "- may contact: can be opened for a while → contact.phone alone",
            "- longest: 1h → 10m",
        ]
    );
}

#[test]
fn the_first_grants_and_the_last() {
    let all = "may: [contact, contact.phone], longest: 2d, approval: none, whole_columns: true, widen_rows: true";
    let terms = "longest 2d, approval none, approvers nobody, whole_columns, widen_rows";
    assert_eq!(
        by("", all),
        (
            vec![
                "+ may contact: cannot → can be opened for a while".to_owned(),
                format!("+ grants: none → {terms}"),
            ],
            true
        )
    );
    assert_eq!(
        by(all, ""),
        (
            vec![
                "- may contact: can be opened for a while → cannot".to_owned(),
                format!("- grants: {terms} → none"),
            ],
            false
        )
    );
}

#[test]
fn other_lines_with_the_same_meaning_are_no_change() {
    for (old, new) in [
        (USUAL, USUAL),
        (
            USUAL,
            "may: [contact.*, contact.phone], longest: 60m, approvers: [lead, lead], approval: required",
        ),
        ("", ""),
    ] {
        assert_eq!(by(old, new), (Vec::new(), false), "{new}");
    }
    assert_eq!(
        by("may: [contact.phone], longest: 1h, approvers: [lead]", USUAL).0,
        ["+ may contact: contact.phone alone → can be opened for a while"]
    );
    // Another tag that begins alike.
    assert_eq!(
        by("may: [contactless], longest: 1h, approvers: [lead]", USUAL).0,
        [
            "+ may contact: cannot → can be opened for a while",
            "- may contactless: can be opened for a while → cannot"
        ]
    );
}

/// `grants` is the same, and the column is another.
#[test]
fn a_column_that_newly_can_be_opened_is_told_by_its_name() {
    let with = |tag: &str, mask: &str, grants: &str| {
        rules(&format!(
            "tables:\n  public.people:\n    columns: {{id: open, phone: {tag}}}\nroles:\n  helper:\n    \
             masks: {{\"*\": redact, {mask}}}\n    grants: {{{grants}, longest: 1h, approval: none}}\n"
        ))
    };
    let may = "may: [contact]";
    for (old, new, says, shows_more) in [
        (
            ("other", "other: redact", may),
            ("contact", "other: redact", may),
            &["+ public.people.phone: cannot → can be opened for a while"][..],
            true,
        ),
        (
            ("contact", "other: redact", may),
            ("other", "other: redact", may),
            &["- public.people.phone: can be opened for a while → cannot"],
            false,
        ),
        // Hidden, and so out of reach.
        (
            ("contact", "contact: redact", may),
            ("contact", "contact: hide", may),
            &["- public.people.phone: can be opened for a while → cannot"],
            false,
        ),
        (
            ("contact", "contact: redact", may),
            ("contact", "contact: hide", "may: [contact], hidden: [contact]"),
            &["+ hidden contact: cannot → can be opened though it is hidden"],
            true,
        ),
        // Who sees it clear has nothing to open.
        (("contact", "contact: clear", may), ("contact", "contact: redact", may), &[], false),
        (("other", "other: redact", may), ("contact", "contact: clear", may), &[], true),
        // Told by the tag.
        (
            ("other", "other: redact", may),
            ("other", "other: redact", "may: [contact, other]"),
            &["+ may other: cannot → can be opened for a while"],
            true,
        ),
        (
            ("other", "other: redact", may),
            ("another", "other: redact", "may: [another, contact]"),
            &["+ may another: cannot → can be opened for a while"],
            true,
        ),
    ] {
        let [before, after] = [old, new].map(|(tag, mask, grants)| with(tag, mask, grants));
        let (lines, more) = told(&before, &after);
        assert_eq!(
            (lines.as_slice(), more),
            (says.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice(), shows_more),
            "{old:?} → {new:?}"
        );
    }
}

#[test]
fn programs_and_people_read_the_same() {
    let [old, new] = ["1h", "2h"].map(|longest| {
        rules(&format!(
            "roles:\n  helper: {{grants: {{may: [contact], longest: {longest}, approval: none}}}}\n  \
             other: {{grants: {{may: [contact], longest: {longest}, approval: none}}}}\n"
        ))
    });
    let changes = compare(&Picture::offline(&old, &new), &Picture::offline(&new, &old));
    let report = Report::new(changes, false);
    assert_eq!(
        report.to_text(),
        "grants\n  + longest: 1h → 2h\n      helper, other; t.yaml:2, t.yaml:3\n\n1 change shows more (the database was not asked)"
    );
    let json = report.to_json();
    for part in [
        "\"subject\": \"grant\"",
        "\"effect\": \"more\"",
        "\"what\": \"longest\"",
        "\"new\": \"2h\"",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}
