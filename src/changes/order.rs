//! Which of two masks shows more.
//!
//! From nothing to everything: `hide`; `null` and `constant`, which say that there is a row; `redact`, which says too
//! whether there is a value; every mask that shows a part; `clear`. Between masks that show a part there is an
//! order only where one can be computed from the other, whatever the value: `round` to multiples of each other,
//! `truncate` to longer units, `cap` to a range within the other one, and `each` and `when` of such. Everything else cannot be
//! compared; nor can what goes by other columns of the row (`when`, `shift`, `sql`) with the value that was clear, since
//! it may tell something of those.

use crate::rules::{MaskSpec, Scalar, TruncateUnit};

/// What comes of a change from one mask to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The same.
    Same,
    /// More than before.
    More,
    /// Less than before, whatever the value.
    Less,
    /// Perhaps more, and perhaps less.
    Unclear,
}

/// Compares.
pub(super) fn compare(old: &MaskSpec, new: &MaskSpec) -> Shown {
    if old.label() == new.label() {
        return Shown::Same;
    }
    match (shows_no_more(new, old), shows_no_more(old, new)) {
        (true, true) => Shown::Same,
        (true, false) => Shown::Less,
        (false, true) => Shown::More,
        (false, false) => Shown::Unclear,
    }
}

/// True when what `mask` shows of any value can be computed from what `other` shows of it.
fn shows_no_more(mask: &MaskSpec, other: &MaskSpec) -> bool {
    use MaskSpec::{Cap, Clear, Constant, Each, Hide, Null, Redact, Round, Truncate, When};
    match (mask, other) {
        (Hide, _) => true,
        // Another column of the row may be hidden.
        (mask, Clear) => !mask.goes_by_row(),
        (_, Hide) | (Clear, _) => false,
        (Null | Constant(_), _) => true,
        (_, Null | Constant(_)) => false,
        // Its rows are seen by one of two masks, and which one it is tells the condition.
        (
            When { condition, then, otherwise, .. },
            When { condition: same, then: other_then, otherwise: other_else, .. },
        ) if condition.text == same.text => {
            shows_no_more(then, other_then) && shows_no_more(otherwise, other_else)
        }
        (_, When { then, otherwise, .. }) => {
            shows_no_more(mask, then) && shows_no_more(mask, otherwise)
        }
        (When { .. }, _) => false,
        (Redact, other) => tells_of_null(other),
        (_, Redact) => false,
        (Round(step), Round(finer)) => is_multiple(step, finer),
        (Truncate(unit), Truncate(finer)) => is_coarser(*unit, *finer),
        (Cap { low, high }, Cap { low: wider_low, high: wider_high }) => {
            is_within(low, wider_low, false) && is_within(high, wider_high, true)
        }
        (Each(inner), Each(other)) => shows_no_more(inner, other),
        _ => mask.label() == other.label(),
    }
}

/// True for masks that keep NULL, so that they say at least where it is.
fn tells_of_null(mask: &MaskSpec) -> bool {
    match mask {
        MaskSpec::Clear
        | MaskSpec::Redact
        | MaskSpec::Keep { .. }
        | MaskSpec::Email
        | MaskSpec::Phone
        | MaskSpec::Card
        | MaskSpec::Name
        | MaskSpec::Round(_)
        | MaskSpec::Truncate(_)
        | MaskSpec::Cap { .. }
        | MaskSpec::Ip
        | MaskSpec::Replace { .. }
        | MaskSpec::Scrub(_)
        | MaskSpec::Pseudonym { .. }
        | MaskSpec::Shift { .. }
        | MaskSpec::Noise(_)
        | MaskSpec::Each(_)
        | MaskSpec::Json(_) => true,
        // Whoever writes an expression may make something of NULL.
        MaskSpec::Hide
        | MaskSpec::Null
        | MaskSpec::Constant(_)
        | MaskSpec::When { .. }
        | MaskSpec::Sql(_) => false,
    }
}

/// Weeks begin in one month and end in another.
fn is_coarser(unit: TruncateUnit, finer: TruncateUnit) -> bool {
    use TruncateUnit::{Day, Hour, Month, Quarter, Week, Year};
    let rank = |unit| match unit {
        Year => 5,
        Quarter => 4,
        Month => 3,
        Week => 2,
        Day => 1,
        Hour => 0,
    };
    match (unit, finer) {
        (Year | Quarter | Month, Week) => false,
        (unit, finer) => rank(unit) >= rank(finer),
    }
}

/// True when each multiple of `step` is one of `finer`; both are positive decimals.
fn is_multiple(step: &str, finer: &str) -> bool {
    let (Some((step, step_scale)), Some((finer, finer_scale))) = (decimal(step), decimal(finer))
    else {
        return false;
    };
    let scaled =
        |value: u128, by: u32| 10_u128.checked_pow(by).and_then(|by| value.checked_mul(by));
    let scale = step_scale.max(finer_scale);
    let step = scaled(step, scale.saturating_sub(step_scale));
    let finer = scaled(finer, scale.saturating_sub(finer_scale));
    matches!((step, finer), (Some(step), Some(finer)) if step.checked_rem(finer) == Some(0))
}

/// Digits, and how many of them stand behind the point.
fn decimal(text: &str) -> Option<(u128, u32)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{part}");
    Some((digits.parse().ok()?, u32::try_from(part.len()).ok()?))
}

/// True when an end of a range lies within the range that ends at `wider`.
fn is_within(end: &Option<Scalar>, wider: &Option<Scalar>, is_high: bool) -> bool {
    match (end, wider) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(Scalar::Number(end)), Some(Scalar::Number(wider))) => {
            match (end.parse::<f64>(), wider.parse::<f64>()) {
                (Ok(end), Ok(wider)) if is_high => end <= wider,
                (Ok(end), Ok(wider)) => end >= wider,
                _ => false,
            }
        }
        (Some(end), Some(wider)) => end.label() == wider.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, compare};
    use crate::rules::{MaskSpec, NoEnvironment, load};
    use crate::text::Sources;

    fn mask(text: &str) -> MaskSpec {
        let mut sources = Sources::default();
        sources.add("t.yaml", format!("roles: {{r: {{masks: {{a: {text}}}}}}}\n"));
        let (rules, _) = load(sources, &NoEnvironment).unwrap_or_else(|_| panic!("{text}"));
        rules.roles["r"].masks[0].mask.clone()
    }

    #[test]
    fn the_order_of_masks() {
        use Shown::{Less, More, Same, Unclear};
        for (old, new, expected) in [
            ("clear", "hide", Less),
            ("hide", "null", More),
            ("null", "redact", More),
            ("null", "{constant: 1}", Same),
            ("redact", "null", Less),
            ("email", "redact", Less),
            ("redact", "email", More),
            ("email", "clear", More),
            ("email", "phone", Unclear),
            // The last two of three characters were hidden before.
            ("{keep_last: 4}", "{keep_last: 2}", Unclear),
            ("{keep_last: 2}", "{keep_last: 4}", Unclear),
            ("{round: 10}", "{round: 1000}", Less),
            ("{round: 0.5}", "{round: 10}", Less),
            ("{round: 1000}", "{round: 10}", More),
            ("{round: 10}", "{round: 15}", Unclear),
            ("{round: 10}", "{round: 10.0}", Same),
            ("{truncate: day}", "{truncate: year}", Less),
            ("{truncate: day}", "{truncate: week}", Less),
            ("{truncate: week}", "{truncate: month}", Unclear),
            ("{truncate: month}", "{truncate: hour}", More),
            ("{cap: [0, 100]}", "{cap: [10, 50]}", Less),
            ("{cap: [0, 100]}", "{cap: [10, 500]}", Unclear),
            ("{cap: [0, 100]}", "{cap: [0, null]}", More),
            ("{each: email}", "{each: redact}", Less),
            ("{each: email}", "redact", Less),
            ("{scrub: [email]}", "{scrub: [email, phone]}", Unclear),
            ("{pseudonym: token, domain: a}", "{pseudonym: token, domain: b}", Unclear),
            ("{sql: \"upper({})\"}", "redact", Unclear),
            ("{sql: \"upper({})\"}", "null", Less),
            ("redact", "{sql: \"upper({})\"}", Unclear),
            ("{when: c, then: clear, else: email}", "{when: c, then: email, else: redact}", Less),
            ("{when: c, then: clear, else: email}", "{when: d, then: clear, else: email}", Unclear),
            ("{when: c, then: clear, else: email}", "email", Less),
            // Where nobody saw what the condition says, somebody would.
            ("email", "{when: c, then: email, else: redact}", Unclear),
            ("clear", "{when: c, then: clear, else: redact}", Unclear),
            ("clear", "{sql: \"upper({})\"}", Unclear),
            ("clear", "{each: {shift: 5, by: id}}", Unclear),
            ("clear", "{pseudonym: token}", Less),
            ("redact", "{when: c, then: clear, else: redact}", More),
        ] {
            assert_eq!(compare(&mask(old), &mask(new)), expected, "{old} → {new}");
        }
    }
}
