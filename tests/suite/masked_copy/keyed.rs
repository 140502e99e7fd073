//! `pseudonym`, `shift` and `noise` a second time: HMAC by ring, numbers by hand.

use ring::digest::SHA256;
use ring::hmac;
use scrim::demo::SAMPLE_PSEUDONYM_KEY;

use super::masks::{self, Text, Type};

/// HMAC-SHA256 as hexadecimal digits, by a key that is derived from the sample's.
fn digest(for_what: &str, text: &str) -> String {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let derived = hmac::sign(&key(SAMPLE_PSEUDONYM_KEY.as_bytes()), b"scrim pseudonyms 1");
    let tag = hmac::sign(&key(derived.as_ref()), format!("{for_what}\u{1f}{text}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(hex: &str, from: usize, digits: usize) -> i64 {
    i64::from_str_radix(&hex[from..from + digits], 16).expect("hexadecimal digits")
}

pub fn pseudonym(kind: &str, domain: &str, text: &str) -> Option<String> {
    let for_what = format!("pseudonym\u{1f}{domain}");
    let hex = digest(&for_what, text);
    match kind {
        "token" => Some(format!("p_{}", &hex[..20])),
        "email" => Some(format!("u_{}@example.invalid", &hex[..16])),
        "uuid" => Some(format!(
            "{}-{}-8{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )),
        "digits" => digits(&for_what, text),
        "integer" => Some(integer(&for_what, text.parse().expect("an integer")).to_string()),
        other => panic!("unknown kind `{other}`"),
    }
}

fn digits(for_what: &str, text: &str) -> Option<String> {
    let bare: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || " +-().,/#*:_".contains(c));
    if !is_plain || !(1..=40).contains(&bare.len()) {
        return None;
    }
    let hex = digest(for_what, &bare);
    let longer = ring::digest::digest(&ring::digest::SHA512, hex.as_bytes());
    let longer: String = longer.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let both = format!("{hex}{longer}");
    let mut stream = both.chars().filter(char::is_ascii_digit);
    let digit = |c: char| if c.is_ascii_digit() { stream.next().expect("a digit") } else { c };
    Some(text.chars().map(digit).collect())
}

/// A Feistel network of eight rounds over 31 bits, or over 63 for what does not fit.
fn integer(for_what: &str, value: i64) -> i64 {
    let low_bits = if i32::try_from(value).is_ok() { 16 } else { 32 };
    let folded = if value < 0 { !value } else { value } as u64;
    let (mut high, mut low) = (folded >> low_bits, folded & ((1 << low_bits) - 1));
    let sign = if value < 0 { '-' } else { '+' };
    let key = digest(for_what, &format!("{sign}{low_bits}"));
    for round in 0..8 {
        let half = if round % 2 == 0 { low } else { high };
        let hash = ring::digest::digest(&SHA256, format!("{key}/{round}/{half}").as_bytes());
        let change = u64::from(u32::from_be_bytes(hash.as_ref()[..4].try_into().expect("four")));
        match round % 2 {
            0 => high ^= change & ((1 << (low_bits - 1)) - 1),
            _ => low ^= change & ((1 << low_bits) - 1),
        }
    }
    let mixed = ((high << low_bits) | low) as i64;
    if value < 0 { !mixed } else { mixed }
}

/// A date or timestamp in ISO form, moved; nothing where there is no key or no room.
pub fn shifted(text: &str, days: i64, key: &Text, column: &Type) -> Option<String> {
    if text.ends_with("infinity") {
        return Some(text.into());
    }
    let step = number(&digest(&format!("shift\u{1f}{days}"), key.as_ref()?), 0, 12) % (2 * days);
    let moved = if step < days { step - days } else { step - days + 1 };
    let (body, is_bc) = match text.strip_suffix(" BC") {
        Some(body) => (body, true),
        None => (text, false),
    };
    let (date, time) = body.split_at(body.find(' ').unwrap_or(body.len()));
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().expect("a number")).collect();
    let year = if is_bc { 1 - parts[0] } else { parts[0] };
    let year_max = if column.base == "date" { 5_874_000 } else { 294_100 };
    if !(-4599..year_max).contains(&year) {
        return None;
    }
    let day = masks::days_from_civil(year, parts[1], parts[2]) + moved;
    let (year, month, day) = masks::civil_from_days(day);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    Some(format!("{year:04}-{month:02}-{day:02}{time}{era}"))
}

/// The steps of noise for a number without zeros at its end.
fn steps(share: f64, plain: &str) -> i64 {
    number(&digest(&format!("noise\u{1f}{share}"), plain), 0, 12) % 2_000_001 - 1_000_000
}

/// A number, moved by a share of itself; nothing where the type has no room.
pub fn noisy(text: &str, share: &str, column: &Type) -> Option<String> {
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return Some(text.into());
    }
    if column.base.starts_with("float") {
        return noisy_float(text, share, column.base == "float4");
    }
    let plain = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    let ratio: f64 = share.parse().ok()?;
    let ((value, scale), (share, share_scale)) = (masks::decimal(text)?, masks::decimal(share)?);
    let more = 10_i128.pow(share_scale + 6);
    let exact = value * more + value * share * i128::from(steps(ratio, plain));
    let exact_scale = scale + share_scale + 6;
    let free = column.base == "numeric" && column.modifier < 4;
    let own = match column.base.as_str() {
        "numeric" if free => Type { modifier: ((1000 << 16) | scale as i32) + 4, ..column.clone() },
        _ => column.clone(),
    };
    // `store` knows how much fits; the largest negative integer counts as too large.
    if free {
        let unit = 10_i128.pow(exact_scale - scale);
        let rounded = exact.signum() * ((exact.abs() + unit / 2) / unit);
        return masks::stored(rounded, scale as i32, &Type { modifier: -1, ..own });
    }
    let stored = masks::stored(exact, exact_scale as i32, &own)?;
    let is_least = matches!(stored.as_str(), "-32768" | "-2147483648" | "-9223372036854775808");
    (!is_least || column.base == "numeric").then_some(stored)
}

fn noisy_float(text: &str, share: &str, is_single: bool) -> Option<String> {
    let value: f64 =
        if is_single { text.parse::<f32>().ok()?.into() } else { text.parse().ok()? };
    let (least, most) = if is_single { (1e-30, 1e37) } else { (1e-290, 1e300) };
    if !(least..most).contains(&value.abs()) {
        return None;
    }
    // PostgreSQL makes a `numeric` of six or fifteen digits of it.
    let short = if is_single { format!("{value:.5e}") } else { format!("{value:.14e}") };
    let (mantissa, exponent) = short.split_once('e').expect("an exponent");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let point: i32 = exponent.parse::<i32>().expect("an exponent") + 1;
    let plain = match usize::try_from(point) {
        Ok(point @ 1..) => {
            let digits = format!("{digits:0<point$}");
            format!("{}.{}", &digits[..point], &digits[point..])
        }
        _ => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    };
    let plain = format!("{sign}{}", plain.trim_end_matches('0').trim_end_matches('.'));
    let share: f64 = share.parse().ok()?;
    let noisy = value + value * (share * steps(share, &plain) as f64 * 0.000001);
    Some(if is_single { (noisy as f32).to_string() } else { noisy.to_string() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn integers_are_permuted() {
        let masked: BTreeSet<i64> = (-2000..2000).map(|value| integer("t", value)).collect();
        assert_eq!(masked.len(), 4000);
        for value in [0, 1, -1, i64::from(i32::MAX), i64::from(i32::MIN)] {
            let masked = integer("t", value);
            assert!(
                i32::try_from(masked).is_ok() && (masked < 0) == (value < 0),
                "{value}: {masked}"
            );
        }
        for value in [1 << 31, i64::MAX, i64::MIN] {
            assert_eq!(integer("t", value) < 0, value < 0);
        }
    }

    #[test]
    fn digits_keep_their_places() {
        let masked = pseudonym("digits", "", "+82 10-9041-7123").expect("digits");
        assert_eq!(masked.len(), 16);
        assert_eq!((&masked[..1], &masked[3..4], &masked[6..7]), ("+", " ", "-"));
        let bare = pseudonym("digits", "", "821090417123").expect("digits");
        assert_eq!(masked.replace(['+', ' ', '-'], ""), bare);
        assert_eq!(pseudonym("digits", "", "x1"), None);
    }
}
