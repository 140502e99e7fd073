//! The masks a second time, in Rust, from the design's table alone. Values are in PostgreSQL's text form.
//!
//! INVARIANT: nothing in here knows `scrim::mask`; two hands that agree are worth more than one.

use serde_yaml::Value;

use super::twins::{self, Row};
use super::{arrays, documents, keyed as by_key, ranges, scrubbed};

/// What a mask makes of a value; the outer `None` of `Option<Option<_>>` never occurs: NULL is `None`.
pub type Text = Option<String>;

/// A type, as far as masks tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// `pg_type.typname` of the base type, `_` in front for arrays.
    pub base: String,
    /// `atttypmod`; -1: none.
    pub modifier: i32,
    /// A domain with a CHECK or NOT NULL, into which not every masked value fits.
    pub constrained: bool,
}

impl Type {
    pub fn is_text(&self) -> bool {
        matches!(self.base.as_str(), "text" | "varchar" | "bpchar" | "name" | "citext")
    }

    pub fn is_number(&self) -> bool {
        matches!(self.base.as_str(), "int2" | "int4" | "int8" | "numeric" | "float4" | "float8")
    }

    pub fn is_moment(&self) -> bool {
        matches!(self.base.as_str(), "date" | "timestamp" | "timestamptz")
    }

    /// Cut to the type's length; `char(n)` is padded by the server.
    fn fit(&self, text: String) -> String {
        match (self.base.as_str(), self.modifier) {
            ("varchar" | "bpchar", 4..) => text.chars().take(self.modifier as usize - 4).collect(),
            _ => text,
        }
    }

    /// With the blanks that `char(n)` has, which the server adds itself everywhere but in arrays.
    pub fn padded(&self, text: String) -> String {
        match self.base.as_str() {
            "bpchar" => format!("{text:width$}", width = (self.modifier - 4) as usize),
            _ => text,
        }
    }

    /// What the type makes of a decimal (an integer and its digits after the point): rounded to its scale, half
    /// away from zero; nothing where it is too large.
    pub fn store(&self, digits: i128, scale: i32) -> Option<(i128, i32)> {
        let (limit, own_scale) = match self.base.as_str() {
            "int2" => (1 << 15, 0),
            "int4" => (1 << 31, 0),
            "int8" => (1 << 63, 0),
            "numeric" if self.modifier >= 4 => {
                let precision = (self.modifier - 4) >> 16;
                // Eleven bits, the highest a sign.
                let own_scale = match (self.modifier - 4) & 0x7ff {
                    negative if negative >= 0x400 => negative - 0x800,
                    positive => positive,
                };
                (10_i128.pow(precision as u32), own_scale)
            }
            _ => return Some((digits, scale)),
        };
        let stored = match u32::try_from(scale - own_scale) {
            Ok(fewer) => {
                let unit = 10_i128.pow(fewer);
                digits.signum() * ((digits.abs() + unit / 2) / unit)
            }
            Err(_) => digits * 10_i128.pow((own_scale - scale) as u32),
        };
        // Of integers, one more fits below zero.
        let fits = stored.abs() < limit || (self.base != "numeric" && stored == -limit);
        fits.then_some((stored, own_scale))
    }
}

/// Applies a mask, as YAML has it, to a value. `hide` is the caller's business.
pub fn apply(mask: &Value, value: &Text, column: &Type, row: &Row, conditions: &Row) -> Text {
    let name = mask.as_str();
    if name == Some("clear") {
        return value.clone();
    }
    if name == Some("null") || mask.is_null() {
        return None;
    }
    if let Some(constant) = mask.get("constant") {
        return match constant {
            Value::Null => None,
            Value::Bool(value) => Some(if *value { "t" } else { "f" }.into()),
            Value::String(text) => Some(column.fit(text.clone())),
            other => Some(serde_yaml::to_string(other).expect("scalar").trim().to_owned()),
        };
    }
    if let Some(condition) = mask.get("when").and_then(Value::as_str) {
        let branch = if twins::holds(condition, row, conditions) { "then" } else { "else" };
        return apply(&mask[branch], value, column, row, conditions);
    }
    if let Some(expression) = mask.get("sql").and_then(Value::as_str) {
        return twins::expression(expression, value, row);
    }
    let present = value.as_ref()?;
    // The blanks at the end of char(n) are not part of the value.
    let text = match column.base.as_str() {
        "bpchar" => present.trim_end_matches(' '),
        _ => present.as_str(),
    };
    let masked = match name {
        Some("redact") => None,
        Some("email") if column.is_text() => email(text),
        Some("phone") if column.is_text() => digits_hidden(text, 8),
        Some("card") if column.is_text() => digits_hidden(text, 12),
        Some("name") if column.is_text() => Some(words_hidden(text)),
        Some("ip") if column.is_text() => ranges::network_in_text(text, column),
        Some("ip") => ranges::network(text),
        Some(other) => {
            panic!("mask `{other}` on type {}: the second hand cannot do it", column.base)
        }
        None => match (mask.get("each"), mask.get("json")) {
            (Some(inner), _) => {
                let base = column.base.strip_prefix('_').expect("an array");
                let element = Type { base: base.into(), ..column.clone() };
                let is_steady = !element.is_moment() && !base.starts_with("float");
                let apply = |value: &Text| {
                    let masked = apply(inner, value, &element, row, conditions)?;
                    Some(element.padded(masked))
                };
                arrays::each(text, is_steady, apply)
            }
            (_, Some(json)) => documents::masked(text, json, row, conditions),
            (None, None) => keyed(mask, text, column, row),
        },
    };
    match masked {
        Some(masked) => Some(column.fit(masked)),
        None => redacted(column),
    }
}

/// Masks that are written with a key: `keep_last: 4`.
fn keyed(mask: &Value, text: &str, column: &Type, row: &Row) -> Option<String> {
    if let Some(kind) = mask.get("pseudonym").and_then(Value::as_str) {
        let domain = mask.get("domain").and_then(Value::as_str).unwrap_or_default();
        return by_key::pseudonym(kind, domain, text);
    }
    if let Some(days) = mask.get("shift").and_then(Value::as_i64) {
        let by = mask["by"].as_str().expect("a column");
        return by_key::shifted(text, days, &row[by], column);
    }
    if let Some(share) = mask.get("noise") {
        let share = serde_yaml::to_string(share).expect("scalar");
        return by_key::noisy(text, share.trim(), column);
    }
    let count = |key: &str| mask.get(key).and_then(Value::as_u64).map(|count| count as usize);
    if (count("keep_first"), count("keep_last")) != (None, None) && column.is_text() {
        let (first, last) = (count("keep_first"), count("keep_last"));
        return Some(kept(text, first.unwrap_or(0), last.unwrap_or(0)));
    }
    if let Some(step) = mask.get("round")
        && column.is_number()
    {
        let step = serde_yaml::to_string(step).expect("scalar");
        return rounded(text, step.trim().trim_matches(['\'', '"']), column);
    }
    if let Some(unit) = mask.get("truncate").and_then(Value::as_str)
        && column.is_moment()
    {
        return Some(truncated(text, unit));
    }
    if let Some(ends) = mask.get("cap").and_then(Value::as_sequence) {
        return Some(ranges::capped(text, &ends[0], &ends[1], column));
    }
    if let Some(pattern) = mask.get("replace").and_then(Value::as_str)
        && column.is_text()
    {
        let with = mask["with"].as_str().expect("a text");
        return Some(twins::replaced(pattern, with, text));
    }
    if let Some(kinds) = mask.get("scrub").and_then(Value::as_sequence)
        && column.is_text()
    {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str().expect("a kind")).collect();
        return Some(scrubbed::scrubbed(text, &kinds));
    }
    panic!("mask {mask:?} on type {}: the second hand cannot do it", column.base)
}

/// What `redact` shows of a type.
pub fn redacted(column: &Type) -> Text {
    if column.constrained {
        return None;
    }
    let text = match column.base.as_str() {
        _ if column.is_text() => column.fit("***".into()),
        _ if column.is_number() => stored(0, 0, column).unwrap_or("0".into()),
        "bool" => "f".into(),
        "date" => "1970-01-01".into(),
        "timestamp" => "1970-01-01 00:00:00".into(),
        "timestamptz" => "1970-01-01 00:00:00+00".into(),
        "uuid" => "00000000-0000-0000-0000-000000000000".into(),
        "json" | "jsonb" => "{}".into(),
        "bytea" => "\\x".into(),
        "inet" => "0.0.0.0".into(),
        array if array.starts_with('_') => "{}".into(),
        _ => return None,
    };
    Some(text)
}

fn email(text: &str) -> Option<String> {
    if text.contains(|c: char| c.is_whitespace() || "\"<>(),;:\\".contains(c)) {
        return None;
    }
    // A local part may hold an @ (RFC 5321, quoted), a domain may not.
    let (local, domain) = text.rsplit_once('@')?;
    let first = local.chars().next()?;
    let is_domain = domain.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        && domain.ends_with(|c: char| c.is_ascii_alphabetic())
        && domain.char_indices().any(|(at, c)| at > 0 && c == '.');
    is_domain.then(|| format!("{first}***@{domain}"))
}

/// Keeps punctuation and the last four digits; too few digits: nothing.
fn digits_hidden(text: &str, digits_min: usize) -> Option<String> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let foreign = |c: char| !c.is_ascii_digit() && !" +-().,/#*:_".contains(c);
    if digits < digits_min || text.contains(foreign) {
        return None;
    }
    let mut seen = 0;
    let hidden = text.chars().map(|c| match c.is_ascii_digit() {
        true => {
            seen += 1;
            if seen + 4 > digits { c } else { '*' }
        }
        false => c,
    });
    Some(hidden.collect())
}

fn words_hidden(text: &str) -> String {
    let mut inside = false;
    let hidden = text.chars().map(|c| {
        let first = !inside;
        inside = !c.is_whitespace();
        if first || !inside { c } else { '*' }
    });
    hidden.collect()
}

fn kept(text: &str, first: usize, last: usize) -> String {
    let length = text.chars().count();
    let all = length <= first + last;
    let hidden = text.chars().enumerate().map(|(at, c)| match at < first || at >= length - last {
        true if !all => c,
        _ => '*',
    });
    match all {
        true => "*".repeat(length),
        false => hidden.collect(),
    }
}

/// Down to a multiple of `step`.
fn rounded(text: &str, step: &str, column: &Type) -> Option<String> {
    if column.base.starts_with("float") {
        let single = column.base == "float4";
        let value =
            if single { text.parse::<f32>().ok()?.into() } else { text.parse::<f64>().ok()? };
        let step: f64 = step.parse().ok()?;
        // docs/masks.md: numbers too large or too small to be divided are 0.
        let (least, most) = if single { (1e-30, 1e37) } else { (1e-200, 1e200) };
        if value.is_finite() && !(least..most).contains(&value.abs()) {
            return None;
        }
        let multiple = (value / step).floor() * step;
        let fits = multiple.is_finite() && !(single && (multiple as f32).is_infinite());
        return match (value.is_finite(), fits) {
            (true, true) if single => Some((multiple as f32).to_string()),
            (true, true) => Some(multiple.to_string()),
            (true, false) => None,
            (false, _) => Some(text.into()),
        };
    }
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return Some(text.into());
    }
    let ((value, value_scale), (step, step_scale)) = (decimal(text)?, decimal(step)?);
    let scale = value_scale.max(step_scale);
    let value = value * 10_i128.pow(scale - value_scale);
    let step = step * 10_i128.pow(scale - step_scale);
    let multiple = value - value.rem_euclid(step);
    stored(multiple, scale as i32, column)
}

/// A decimal as the type holds and prints it; nothing where it is too large.
pub fn stored(digits: i128, scale: i32, column: &Type) -> Option<String> {
    let (digits, scale) = column.store(digits, scale)?;
    let Ok(places @ 1..) = u32::try_from(scale) else {
        return Some((digits * 10_i128.pow(scale.unsigned_abs())).to_string());
    };
    let unit = 10_i128.pow(places);
    let sign = if digits < 0 { "-" } else { "" };
    let (whole, rest) = (digits.abs() / unit, digits.abs() % unit);
    Some(format!("{sign}{whole}.{rest:0width$}", width = places as usize))
}

/// A decimal as an integer and the number of digits after the point.
pub fn decimal(text: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, fraction.len() as u32))
}

/// A date or timestamp in ISO form, its time of day and zone kept in form.
fn truncated(text: &str, unit: &str) -> String {
    if let Some(before_christ) = text.strip_suffix(" BC") {
        return format!("{} BC", truncated(before_christ, unit));
    }
    let (date, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let mut parts = date.split('-').map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return text.into(); // infinity
    };
    // docs/masks.md: a date that no timestamp can hold is redacted.
    if year > 294_276 {
        return "1970-01-01".into();
    }
    let (year, month, day) = match unit {
        "year" => (year, 1, 1),
        "quarter" => (year, (month - 1) / 3 * 3 + 1, 1),
        "month" => (year, month, 1),
        "week" => {
            let days = days_from_civil(year, month, day);
            // 1970-01-01 was a Thursday; ISO weeks start on Monday.
            civil_from_days(days - (days + 3).rem_euclid(7))
        }
        "day" | "hour" => (year, month, day),
        other => panic!("unknown unit `{other}`"),
    };
    let zone = if rest.contains('+') { "+00" } else { "" };
    let time = match (rest.is_empty(), unit) {
        (true, _) => String::new(),
        (false, "hour") => format!(" {}:00:00{zone}", &rest[1..3]),
        (false, _) => format!(" 00:00:00{zone}"),
    };
    format!("{year:04}-{month:02}-{day:02}{time}")
}

/// Howard Hinnant's algorithm: days since 1970-01-01 of the Gregorian calendar.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: &str, base: &str, value: &str) -> String {
        let mask: Value = serde_yaml::from_str(mask).expect("YAML");
        let column = Type { base: base.into(), modifier: -1, constrained: false };
        let (row, conditions) = (Row::new(), Row::new());
        apply(&mask, &Some(value.into()), &column, &row, &conditions).unwrap_or("NULL".into())
    }

    #[test]
    fn the_second_hand_follows_the_design() {
        for (mask, base, value, expected) in [
            ("email", "text", "kim@example.com", "k***@example.com"),
            ("email", "text", "nobody", "***"),
            ("phone", "text", "+82 10-9041-7123", "+** **-****-7123"),
            ("email", "text", "call me @ 010-9041", "***"),
            ("email", "text", "me@0109041", "***"),
            ("phone", "text", "1234567", "***"),
            ("phone", "text", "010-9041-7123 (Kim)", "***"),
            ("card", "text", "4539 0417 1234 5678", "**** **** **** 5678"),
            ("name", "text", "Kim Min-su", "K** M*****"),
            ("{keep_first: 1, keep_last: 2}", "text", "abcde", "a**de"),
            ("{keep_last: 4}", "text", "abcd", "****"),
            ("{round: 1000}", "numeric", "1290417.35", "1290000.00"),
            ("{round: 1000}", "int8", "-1", "-1000"),
            ("{round: 0.5}", "numeric", "1.7", "1.5"),
            ("{round: 1000}", "int2", "-32768", "0"),
            ("{round: 10}", "float8", "-Infinity", "-Infinity"),
            ("{truncate: hour}", "timestamp", "4713-01-01 01:02:03 BC", "4713-01-01 01:00:00 BC"),
            ("{truncate: week}", "date", "2026-01-01", "2025-12-29"),
            (
                "{truncate: quarter}",
                "timestamptz",
                "2026-05-31 10:11:12.5+00",
                "2026-04-01 00:00:00+00",
            ),
            ("{truncate: hour}", "timestamp", "2026-05-31 10:11:12.5", "2026-05-31 10:00:00"),
            ("{cap: [0, 100]}", "int4", "-5", "0"),
            ("{cap: [null, 100]}", "int4", "500", "100"),
            ("{cap: [2000-01-01, null]}", "date", "0044-03-15 BC", "2000-01-01"),
            (
                "{cap: [null, \"2030-01-01 12:00:00\"]}",
                "timestamptz",
                "infinity",
                "2030-01-01 12:00:00+00",
            ),
            ("ip", "inet", "10.1.2.3", "10.1.2.0/24"),
            ("ip", "inet", "10.1.2.3/8", "10.0.0.0/8"),
            ("ip", "cidr", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("ip", "text", "203.0.113.9", "203.0.113.0/24"),
            ("ip", "text", "2001:db8::9041", "2001:db8::/48"),
            ("ip", "text", "203.0.113.256", "***"),
            ("ip", "text", "fe80::1%eth0", "***"),
            ("{replace: \"[0-9]\", with: \"#\"}", "text", "a1b22", "a#b##"),
            ("{scrub: [email]}", "text", "to kim@example.com.", "to [email]."),
            ("redact", "money", "$1.00", "NULL"),
            ("redact", "_text", "{a}", "{}"),
            ("\"null\"", "text", "a", "NULL"),
            ("{constant: x}", "text", "a", "x"),
        ] {
            assert_eq!(masked(mask, base, value), expected, "{mask} of {value}");
        }
    }
}
