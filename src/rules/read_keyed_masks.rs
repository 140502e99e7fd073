//! From YAML to the masks by a key: `pseudonym`, `shift`, `noise`.

use super::load::is_plain_name;
use super::mask_spec::{MaskSpec, PseudonymKind};
use super::read_mask::entry_of;
use crate::text::Diagnostic;
use crate::text::reader::Reader;
use crate::text::yaml::{Entry, Kind, Node};

pub(super) const KINDS: [(&str, PseudonymKind); 5] = [
    ("token", PseudonymKind::Token),
    ("email", PseudonymKind::Email),
    ("digits", PseudonymKind::Digits),
    ("uuid", PseudonymKind::Uuid),
    ("integer", PseudonymKind::Integer),
];

/// A hundred years.
pub(super) const DAYS_MAX: u64 = 36_500;
/// Digits behind the point of a share.
const SHARE_DIGITS_MAX: usize = 6;

/// A kind, and a domain where there is more than one.
pub(super) fn pseudonym(
    reader: &mut Reader<'_>,
    head: &Entry,
    entries: &[Entry],
) -> Option<MaskSpec> {
    let kind = reader.word(&head.value, &KINDS);
    let domain = match entry_of(entries, "domain") {
        None => Some(String::new()),
        Some(entry) => reader.filled_text(&entry.value).filter(|domain| {
            let is_plain = is_plain_name(domain);
            if !is_plain {
                let message = "this is no name for a domain";
                reader.complain(Diagnostic::error(message, entry.value.span));
            }
            is_plain
        }),
    };
    kind.zip(domain).map(|(kind, domain)| MaskSpec::Pseudonym { kind, domain })
}

/// Days, and the column by whose value they are chosen.
pub(super) fn shift(
    reader: &mut Reader<'_>,
    node: &Node,
    head: &Entry,
    entries: &[Entry],
) -> Option<MaskSpec> {
    let days = reader.number(&head.value, 1, DAYS_MAX);
    let Some(by) = entry_of(entries, "by") else {
        let diagnostic = Diagnostic::error("a mask with `shift` needs `by`", node.span);
        reader.complain(diagnostic.help(
            "the column that says whose date it is, such as `{shift: 30, by: customer_id}`: what has the \
             same value there is moved by the same days",
        ));
        return None;
    };
    let by = reader.filled_text(&by.value);
    let days = days.and_then(|days| u32::try_from(days).ok());
    days.zip(by).map(|(days, by)| MaskSpec::Shift { days, by })
}

/// A share of the value, above 0 and up to 1, as it was written.
pub(super) fn noise(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    let text = match &node.kind {
        Kind::Number(text) => Some(text.clone()),
        Kind::String(text) if text.contains("${") => Some(reader.text(node)?),
        Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::Sequence(_) | Kind::Mapping(_) => None,
    };
    let share = text.filter(|text| {
        let digits = text.split_once('.').map_or("", |(_, digits)| digits);
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_plain
            && digits.len() <= SHARE_DIGITS_MAX
            && text.parse::<f64>().is_ok_and(|share| share > 0.0 && share <= 1.0)
    });
    if share.is_none() {
        let message = format!(
            "`noise` needs a number above 0 and up to 1, with at most {SHARE_DIGITS_MAX} digits behind the point"
        );
        let diagnostic = Diagnostic::error(message, node.span);
        reader.complain(diagnostic.help("such as `{noise: 0.1}` for ten per cent up or down"));
    }
    share.map(MaskSpec::Noise)
}
