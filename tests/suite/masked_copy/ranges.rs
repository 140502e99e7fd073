//! `cap` and `ip` a second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_yaml::Value;

use super::masks::{self, Type};

/// Cut to a range; an end that is `null` is none.
pub fn capped(text: &str, low: &Value, high: &Value, column: &Type) -> String {
    let end = |value: &Value| {
        let text = serde_yaml::to_string(value).expect("scalar");
        (!value.is_null()).then(|| text.trim().trim_matches(['\'', '"']).to_owned())
    };
    let (low, high) = (end(low), end(high));
    let is_above = |left: &str, right: &str| match column.is_moment() {
        true => moment(left) > moment(right),
        false => is_larger(left, right),
    };
    let end = match (low, high) {
        (_, Some(high)) if is_above(text, &high) => high,
        (Some(low), _) if is_above(&low, text) => low,
        _ => return text.into(),
    };
    match column.base.as_str() {
        "date" => end,
        "timestamp" | "timestamptz" => {
            let time = if end.contains(' ') { "" } else { " 00:00:00" };
            let zone = if column.base == "timestamptz" { "+00" } else { "" };
            format!("{end}{time}{zone}")
        }
        base if base.starts_with("float") => end,
        _ => {
            let (digits, scale) = masks::decimal(&end).expect("a decimal");
            masks::stored(digits, scale as i32, column).expect("an end that the type holds")
        }
    }
}

/// Sorts by year, and within one by what follows; a day without a time is its midnight.
fn moment(text: &str) -> (i64, String) {
    match text {
        "infinity" => return (i64::MAX, String::new()),
        "-infinity" => return (i64::MIN, String::new()),
        _ => {}
    }
    let (text, sign) = match text.strip_suffix(" BC") {
        Some(text) => (text, -1),
        None => (text, 1),
    };
    let (year, rest) = text.split_once('-').expect("ISO form");
    let rest = rest.trim_end_matches("+00").trim_end_matches(" 00:00:00");
    (sign * year.parse::<i64>().expect("a year"), rest.into())
}

/// NaN is the largest number.
fn is_larger(left: &str, right: &str) -> bool {
    match (masks::decimal(left), masks::decimal(right)) {
        (Some((left, left_scale)), Some((right, right_scale))) => {
            let scale = left_scale.max(right_scale);
            left * 10_i128.pow(scale - left_scale) > right * 10_i128.pow(scale - right_scale)
        }
        _ => {
            let number = |text: &str| text.parse::<f64>().expect("a number");
            match (number(left), number(right)) {
                (left, right) if left.is_nan() => !right.is_nan(),
                (left, right) => left > right,
            }
        }
    }
}

/// The network of an `inet` or `cidr`.
pub fn network(text: &str) -> Option<String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().expect("bits")),
        None => (text, 128),
    };
    let address: IpAddr = address.parse().expect("an address");
    Some(match address {
        IpAddr::V4(address) => {
            let bits = bits.min(24);
            let kept = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & kept))
        }
        IpAddr::V6(address) => {
            let bits = bits.min(48);
            let kept = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & kept))
        }
    })
}

/// The same for a text that is one address.
pub fn network_in_text(text: &str, column: &Type) -> Option<String> {
    let address: IpAddr = text.parse().ok()?;
    // Of the forms that end as IPv4 does, only the two that somebody writes.
    let tail = text.to_ascii_lowercase();
    let tail =
        tail.strip_prefix("::").map(|tail| tail.strip_prefix("ffff:").unwrap_or(tail).to_owned());
    let is_usual = address.is_ipv4()
        || !text.contains('.')
        || tail.is_some_and(|tail| tail.parse::<Ipv4Addr>().is_ok());
    let network = is_usual.then(|| network(&address.to_string()))??;
    let is_short = (4..4 + 19).contains(&column.modifier);
    Some(match is_short {
        true => network.split('/').next().unwrap_or_default().into(),
        false => network,
    })
}
