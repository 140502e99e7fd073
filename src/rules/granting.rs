//! `grants` of a role: what may be opened to its users for a while, by whom, and for how long. Also the masks that a grant
//! may name.
//!
//! INVARIANT: a role that says nothing can be granted nothing, and what a role says is not inherited: who extends a role
//! does not come by somebody else's exceptions.

use super::load::NoEnvironment;
use super::mask_spec::MaskSpec;
use super::read_mask::read_mask;
use super::tag::{Tag, TagPattern};
use crate::text::reader::Reader;
use crate::text::yaml::{self, Kind, Node};
use crate::text::{Diagnostic, Sources, Span};

/// Keys of `grants`.
pub(super) const KEYS: [&str; 8] = [
    "may",
    "hidden",
    "longest",
    "approval",
    "approvers",
    "break_glass",
    "whole_columns",
    "widen_rows",
];

/// Words of `approval`; true where another person has to agree.
pub(super) const APPROVAL: [(&str, bool); 2] = [("required", true), ("none", false)];

/// A grant that lasts longer is a rule, and belongs into the rules.
const SECONDS_MAX: u64 = 31 * 24 * 3600;

/// What may be granted to a role's users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRules {
    /// Tags that may be opened, up to `clear`.
    pub may: Vec<(TagPattern, Span)>,
    /// Those of them that may be opened though the role has them hidden.
    pub hidden: Vec<(TagPattern, Span)>,
    /// How long a grant lasts at most, seconds.
    pub longest_seconds: u64,
    /// Another person has to agree.
    pub needs_approval: bool,
    /// Roles whose users may agree, and may ask for others.
    pub approvers: Vec<(String, Span)>,
    /// Users of the role may open something to themselves at once; an alarm is raised.
    pub break_glass: bool,
    /// A grant may open a column in all rows, of which the audit then has no keys.
    pub whole_columns: bool,
    /// A grant may show rows that the role's filter drops.
    pub widen_rows: bool,
    /// Where it stands.
    pub span: Span,
}

/// Reads `grants` of a role.
pub(super) fn grants(reader: &mut Reader<'_>, node: &Node, span: Span) -> Option<GrantRules> {
    let mut rules = GrantRules {
        may: Vec::new(),
        hidden: Vec::new(),
        longest_seconds: 0,
        needs_approval: true,
        approvers: Vec::new(),
        break_glass: false,
        whole_columns: false,
        widen_rows: false,
        span,
    };
    let mut longest = None;
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "may" => rules.may = tags(reader, value, "may"),
            "hidden" => rules.hidden = tags(reader, value, "hidden"),
            "longest" => {
                longest = Some(value.span);
                if let Some(text) = reader.filled_text(value) {
                    match seconds(&text).filter(|seconds| *seconds <= SECONDS_MAX) {
                        Some(seconds) => rules.longest_seconds = seconds,
                        None => {
                            let message = format!("`{text}` is no time for a grant");
                            let help = "30m, 8h, 2d: up to 31 days";
                            reader.complain(Diagnostic::error(message, value.span).help(help));
                        }
                    }
                }
            }
            "approval" => rules.needs_approval = reader.word(value, &APPROVAL).unwrap_or(true),
            "approvers" => rules.approvers = reader.given_texts(value).unwrap_or_default(),
            "break_glass" => rules.break_glass = reader.truth(value).unwrap_or_default(),
            "whole_columns" => rules.whole_columns = reader.truth(value).unwrap_or_default(),
            "widen_rows" => rules.widen_rows = reader.truth(value).unwrap_or_default(),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if rules.may.is_empty() {
        let help =
            "`may: [contact.phone]` says which tags may be opened; without `grants` none may";
        let message = "`grants` needs `may`";
        reader.complain(Diagnostic::error(message, span).help(help));
    }
    if longest.is_none() {
        let help = "`longest: 8h` is how long a grant lasts at most";
        reader.complain(Diagnostic::error("`grants` needs `longest`", span).help(help));
    }
    if rules.needs_approval && rules.approvers.is_empty() && !rules.break_glass {
        let help = "`approvers: [ROLE]` names the roles whose users may agree";
        let message = "a grant needs approval here, and nobody may give it";
        reader.complain(Diagnostic::error(message, span).help(help));
    }
    for (pattern, place) in &rules.hidden {
        if !rules.may.iter().any(|(may, _)| covers(may, pattern)) {
            let message = "`hidden` names what `may` does not";
            reader.complain(Diagnostic::error(message, *place));
        }
    }
    Some(rules)
}

fn tags(reader: &mut Reader<'_>, node: &Node, key: &str) -> Vec<(TagPattern, Span)> {
    let mut tags = Vec::new();
    for (tag, span) in reader.given_texts(node).unwrap_or_default() {
        match TagPattern::parse(&tag) {
            Ok(TagPattern::Rest) => {
                let message =
                    format!("`{key}` needs tags: `*` would be every column, unclassified ones too");
                reader.complain(Diagnostic::error(message, span));
            }
            Ok(pattern) => tags.push((pattern, span)),
            Err(why) => reader.complain(Diagnostic::error(why, span)),
        }
    }
    tags
}

fn covers(wide: &TagPattern, narrow: &TagPattern) -> bool {
    match (wide, narrow) {
        (TagPattern::Prefix(wide), TagPattern::Prefix(narrow)) => narrow
            .strip_prefix(wide.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        (TagPattern::Rest, _) | (_, TagPattern::Rest) => false,
    }
}

impl GrantRules {
    /// True when a tag may be opened.
    pub fn may_open(&self, tag: &str) -> bool {
        is_within(&self.may, tag)
    }

    /// True when a tag may be opened that is hidden from the role.
    pub fn may_open_hidden(&self, tag: &str) -> bool {
        self.may_open(tag) && is_within(&self.hidden, tag)
    }
}

fn is_within(patterns: &[(TagPattern, Span)], tag: &str) -> bool {
    let tag = TagPattern::Prefix(tag.to_owned());
    patterns.iter().any(|(pattern, _)| covers(pattern, &tag))
}

/// `30m`, `8h`, `2d`, `90s` as seconds; not zero.
pub fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let each: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|number| is_number && *number > 0)?;
    number.checked_mul(each)
}

/// Seconds as they would be written: the way back of [`seconds`].
pub fn lasting(seconds: u64) -> String {
    let (each, unit) = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(each, _)| seconds >= *each && seconds.is_multiple_of(*each))
        .unwrap_or((1, 's'));
    format!("{}{unit}", seconds / each)
}

/// The mask that a grant names for a tag, both as they are written: `contact.phone`, `clear`.
///
/// A mask looks at its own column and nothing else, needs no key, and shows something: an expression, or one that goes by
/// the row, could show another column that nobody has granted.
///
/// # Errors
/// What is wrong with one of them.
pub fn granted_mask(tag: &str, mask: &str) -> Result<MaskSpec, String> {
    if !matches!(Tag::parse(tag)?, Tag::Named(_)) {
        return Err(format!("`{tag}` is clear for everybody"));
    }
    let mut sources = Sources::default();
    let id = sources.add("mask".to_owned(), format!("mask: {mask}\n"));
    let first = |found: Vec<Diagnostic>| found.into_iter().next().map(|found| found.message);
    let unread = || format!("`{mask}` is no mask");
    let document =
        yaml::parse(&sources, id).map_err(|found| first(found).unwrap_or_else(unread))?;
    let Kind::Mapping(entries) = &document.kind else { return Err(unread()) };
    let [entry] = entries.as_slice() else { return Err(unread()) };
    let mut reader = Reader::new(&NoEnvironment);
    let spec = read_mask(&mut reader, entry);
    let has_errors = reader.has_errors();
    let (found, _) = reader.finish();
    match spec {
        Some(spec) if !has_errors && is_opening(&spec) => Ok(spec),
        Some(_) if !has_errors => Err(format!(
            "a grant cannot put `{mask}` on a column: clear, keep_first, keep_last, email, phone, card, name, round, \
             truncate, cap, ip and scrub can be granted"
        )),
        Some(_) | None => Err(first(found).unwrap_or_else(unread)),
    }
}

fn is_opening(spec: &MaskSpec) -> bool {
    match spec {
        MaskSpec::Clear
        | MaskSpec::Keep { .. }
        | MaskSpec::Email
        | MaskSpec::Phone
        | MaskSpec::Card
        | MaskSpec::Name
        | MaskSpec::Round(_)
        | MaskSpec::Truncate(_)
        | MaskSpec::Cap { .. }
        | MaskSpec::Ip
        | MaskSpec::Scrub(_) => true,
        MaskSpec::Hide
        | MaskSpec::Null
        | MaskSpec::Redact
        | MaskSpec::Constant(_)
        | MaskSpec::Replace { .. }
        | MaskSpec::Pseudonym { .. }
        | MaskSpec::Shift { .. }
        | MaskSpec::Noise(_)
        | MaskSpec::Each(_)
        | MaskSpec::Json(_)
        | MaskSpec::When { .. }
        | MaskSpec::Sql(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_look_at_their_own_column_can_be_granted() {
        for mask in ["clear", "email", "{keep_last: 4}", "{round: 10}", "{scrub: [card]}"] {
            assert!(granted_mask("contact.phone", mask).is_ok(), "{mask}");
        }
        for mask in [
            "hide",
            "null",
            "redact",
            "{sql: rrn}",
            "{when: \"true\", then: clear, else: clear}",
            "{shift: 3, by: rrn}",
            "{each: {sql: x}}",
            "{json: {keep: [$.a]}}",
            "{pseudonym: token}",
            "clear\nb: clear",
            "clear\nmask: clear",
            "",
            "claer",
            "[clear]",
            "&a clear",
        ] {
            assert!(granted_mask("contact.phone", mask).is_err(), "{mask}");
        }
        for tag in ["*", "open", "unclassified", "", "Contact", "a b"] {
            assert!(granted_mask(tag, "clear").is_err(), "{tag}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("30m", Some(1800)),
            ("8h", Some(28_800)),
            ("2d", Some(172_800)),
            ("0m", None),
            ("-1m", None),
            ("+1m", None),
            ("1.5h", None),
            ("m", None),
            ("", None),
            ("5", None),
            ("99999999999999999999d", None),
            ("5분", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for text in ["90s", "30m", "90m", "8h", "36h", "2d", "1s"] {
            assert_eq!(seconds(text).map(lasting).as_deref(), Some(text));
        }
        assert_eq!([lasting(3600), lasting(86_400), lasting(0)], ["1h", "1d", "0s"]);
    }
}
