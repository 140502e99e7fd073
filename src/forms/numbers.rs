//! Numbers with a meaning, by their checksums where they have one.

use super::{Sure, all_digits};

/// The digits of a value, if nothing but `between` stands between them.
fn digits(value: &str, between: &str) -> Option<Vec<u32>> {
    let mut digits = Vec::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '0'..='9' => digits.extend(c.to_digit(10)),
            // Full-width ones.
            '\u{ff10}'..='\u{ff19}' => digits.push(u32::from(c).saturating_sub(0xff10)),
            c if between.contains(c) => {}
            _ => return None,
        }
    }
    Some(digits)
}

fn number_of(digits: &[u32]) -> u64 {
    digits
        .iter()
        .fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(*digit)))
}

/// ISO/IEC 7812-1, annex B.
fn has_luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// Prefixes and lengths that the networks have, and 9, which Korean cards for use at home begin with.
fn has_issuer(digits: &[u32]) -> bool {
    let length = digits.len();
    let first = number_of(digits.get(..4).unwrap_or_default());
    match first {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => matches!(length, 14 | 16),
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 | 8100..=8171 => (16..=19).contains(&length),
        9000..=9999 => length == 16,
        5000..=5099 | 5600..=5899 | 6000..=6999 => (12..=19).contains(&length),
        _ => false,
    }
}

/// With its check digit and an issuer; what is left when the middle is hidden is one perhaps.
pub(crate) fn card(value: &str) -> Option<Sure> {
    if let Some(digits) = digits(value, " -") {
        let long = (13..=19).contains(&digits.len()) && has_issuer(&digits);
        if long && has_luhn(&digits) {
            return Some(Sure::Yes);
        }
        // Without its check digit it is one that somebody has made up, for a test; or the last four alone.
        let last = all_digits(value) && value.len() == 4;
        return (long || last).then_some(Sure::Maybe);
    }
    let hidden = value.chars().filter(|c| "*xX•".contains(*c)).count();
    let shown = value.chars().filter(char::is_ascii_digit).count();
    let rest = value.chars().all(|c| c.is_ascii_digit() || "*xX• -".contains(c));
    (rest && hidden >= 4 && shown >= 4 && (12..=19).contains(&hidden.saturating_add(shown)))
        .then_some(Sure::Maybe)
}

pub(crate) fn is_imei(value: &str) -> bool {
    digits(value, " -").is_some_and(|digits| digits.len() == 15 && has_luhn(&digits))
}

/// ISO 13616: the remainder of 97, and the length that the country has where we know it.
pub(crate) fn is_iban(value: &str) -> bool {
    const LENGTHS: &str = "AD24 AE23 AT20 BE16 BG22 BH22 BR29 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FO18 FR27 GB22 GE22 \
        GI23 GL18 GR27 HR21 HU28 IE22 IL23 IS26 IT27 KW30 KZ20 LB28 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 QA29 \
        RO24 RS22 SA24 SE24 SI19 SK24 TN24 TR26 UA29 VA22";
    let compact: String =
        value.chars().filter(|c| !" -".contains(*c)).map(|c| c.to_ascii_uppercase()).collect();
    if !compact.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let (Some(head), Some(rest)) = (compact.get(..4), compact.get(4..)) else { return false };
    let (country, check) = head.split_at(2);
    let is_head = country.bytes().all(|b| b.is_ascii_uppercase()) && all_digits(check);
    let known = LENGTHS.split_ascii_whitespace().find_map(|entry| entry.strip_prefix(country));
    let fits = match known.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => compact.len() == length,
        None => (15..=34).contains(&compact.len()),
    };
    let remainder =
        format!("{rest}{head}").chars().filter_map(|c| c.to_digit(36)).fold(0_u32, |sum, digit| {
            if digit < 10 { (sum * 10 + digit) % 97 } else { (sum * 100 + digit) % 97 }
        });
    is_head && fits && remainder == 1
}

/// A made-up one: nobody has worked out its check digits.
pub(crate) fn is_like_iban(value: &str) -> bool {
    let compact: Vec<char> = value.chars().filter(|c| !" -".contains(*c)).collect();
    let head = matches!(compact.as_slice(), [a, b, c, d, ..]
        if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
    head && (15..=34).contains(&compact.len()) && compact.iter().all(char::is_ascii_alphanumeric)
}

fn is_day(month: u64, day: u64) -> bool {
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month) && (1..=longest).contains(&day)
}

/// Korean registration numbers, American and British ones.
pub(crate) fn national_id(value: &str) -> Option<Sure> {
    rrn(value).or_else(|| ssn(value)).or_else(|| {
        let plain: String = value.chars().filter(|c| *c != ' ').collect();
        let (head, rest) = (plain.get(..2)?, plain.get(2..)?);
        let (number, letter) = (rest.get(..6)?, rest.get(6..)?);
        let is_head = head.bytes().all(|b| b.is_ascii_uppercase() && !b"DFIQUV".contains(&b));
        (is_head && all_digits(number) && matches!(letter, "A" | "B" | "C" | "D"))
            .then_some(Sure::Yes)
    })
}

/// Six digits of birth, one that says century and sex, six more. Since October 2020 the last ones are given at random,
/// so the check digit says yes, but never no. The last six may be hidden.
fn rrn(value: &str) -> Option<Sure> {
    let bare: String = value.chars().filter(|c| !" -".contains(*c)).collect();
    let (shown, hidden) = match bare.get(..7) {
        Some(head) if bare.len() == 13 && bare.ends_with("******") => (head, true),
        _ => (bare.as_str(), false),
    };
    let digits = digits(shown, "")?;
    let [y1, y2, m1, m2, d1, d2, century, ..] = digits.as_slice() else { return None };
    let day_is_one = is_day(u64::from(m1 * 10 + m2), u64::from(d1 * 10 + d2));
    // 9, 0: before 1900; 1 to 4: citizens; 5 to 8: foreigners. Nobody is born after this century's beginning yet.
    let year_fits = match century {
        3 | 4 | 7 | 8 => y1 * 10 + y2 <= 40,
        9 | 0 => y1 * 10 + y2 >= 80,
        _ => true,
    };
    if !day_is_one || !year_fits || !(hidden || digits.len() == 13) {
        return None;
    }
    let has_hyphen = value.contains('-');
    Some(if has_hyphen || has_rrn_checksum(value) { Sure::Yes } else { Sure::Maybe })
}

/// 11 less the weighted sum's remainder; foreigners' numbers have two more.
pub(crate) fn has_rrn_checksum(value: &str) -> bool {
    const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let Some(digits) = digits(value, " -").filter(|digits| digits.len() == 13) else {
        return false;
    };
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let foreign = matches!(digits.get(6), Some(5..=8));
    let check = if foreign { (13 - sum % 11) % 10 } else { (11 - sum % 11) % 10 };
    digits.last() == Some(&check)
}

/// Three, two, four; none of the parts that nobody gets. Without hyphens any nine digits would do.
fn ssn(value: &str) -> Option<Sure> {
    let parts: Vec<&str> = value.split('-').collect();
    let sure = if parts.len() == 3 { Sure::Yes } else { Sure::Maybe };
    let digits = digits(value, "-")?;
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if digits.len() != 9 || (sure == Sure::Yes && lengths != [3, 2, 4]) {
        return None;
    }
    let part = |from: usize, to: usize| number_of(digits.get(from..to).unwrap_or_default());
    let area = part(0, 3);
    let given = area != 0 && area != 666 && area < 900 && part(3, 5) != 0 && part(5, 9) != 0;
    given.then_some(sure)
}

/// Korean numbers, international ones and those that are written in groups.
pub(crate) fn phone(value: &str) -> Option<Sure> {
    let value = value.strip_prefix("tel:").unwrap_or(value);
    let bare = value
        .split(['x', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '.' || c == ' ');
    let plus = bare.starts_with('+');
    let digits = digits(bare.trim_start_matches('+'), " -.()/\u{a0}")?;
    let length = digits.len();
    if !(7..=15).contains(&length) || super::web::is_ip(value) || is_written_date(value) {
        return None;
    }
    let text: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
    let groups: Vec<usize> = bare
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .filter(|length| *length > 0)
        .collect();
    let korean_mobile = text.starts_with("01")
        && matches!(text.as_bytes().get(2), Some(b'0' | b'1' | b'6' | b'7' | b'8' | b'9'))
        && matches!(length, 10 | 11);
    let korean_mobile = korean_mobile && matches!(groups.as_slice(), [_] | [3, 3 | 4, 4]);
    let korean_land = text.starts_with('0') && matches!(groups.as_slice(), [2..=4, 3 | 4, 4]);
    let american = match groups.as_slice() {
        [3, 3, 4] | [1, 3, 3, 4] => !text.starts_with('0'),
        _ => false,
    };
    let in_parentheses = bare.starts_with('(') && bare.contains(')') && length >= 8;
    let sure = plus || korean_mobile || korean_land || american || in_parentheses;
    Some(if sure { Sure::Yes } else { Sure::Maybe })
}

fn is_written_date(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['-', '.', '/', ' ']).collect();
    match parts.as_slice() {
        [year, month, day, ..] if year.len() == 4 => {
            let number = |text: &str| text.parse::<u64>().unwrap_or_default();
            (1800..2200).contains(&number(year))
                && is_day(number(month), number(day.get(..2).unwrap_or(day)))
        }
        _ => false,
    }
}

/// The year of a day that is written 1990-01-31, 1990.1.31, 19900131, or 900131.
pub(crate) fn year_of(value: &str) -> Option<u32> {
    let number = |text: &str| text.parse::<u64>().ok();
    let day = value.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['-', '.', '/']).filter(|part| !part.is_empty()).collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => (number(year)?, number(month)?, number(day)?),
        [a, b, year] if year.len() == 4 => {
            let (a, b) = (number(a)?, number(b)?);
            if is_day(a, b) { (number(year)?, a, b) } else { (number(year)?, b, a) }
        }
        [one] if all_digits(one) && one.len() == 8 => {
            (number(one.get(..4)?)?, number(one.get(4..6)?)?, number(one.get(6..)?)?)
        }
        [one] if all_digits(one) && one.len() == 6 => {
            let year = number(one.get(..2)?)?;
            let century = if year > 30 { 1900 } else { 2000 };
            (year.saturating_add(century), number(one.get(2..4)?)?, number(one.get(4..)?)?)
        }
        _ => return None,
    };
    ((1850..=2200).contains(&year) && is_day(month, day)).then(|| u32::try_from(year).ok())?
}

pub(crate) fn is_account(value: &str) -> bool {
    digits(value, " -").is_some_and(|digits| (6..=18).contains(&digits.len()))
        || is_iban(value)
        || (matches!(value.len(), 8 | 11) && value.bytes().all(|b| b.is_ascii_uppercase()))
}

/// A letter or two and digits, or nine digits; Korean ones with a letter inside since 2021.
pub(crate) fn is_passport(value: &str) -> bool {
    let letters = value.bytes().filter(u8::is_ascii_uppercase).count();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (7..=10).contains(&value.len())
        && letters <= 3
        && digits >= 6
        && letters.saturating_add(digits) == value.len()
}

pub(crate) fn driver_license(value: &str) -> Option<Sure> {
    let groups: Vec<usize> = value.split('-').map(str::len).collect();
    let is_korean = groups == [2, 2, 6, 2] && digits(value, "-").is_some();
    let plain = value.len() >= 7
        && value.len() <= 16
        && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    if is_korean { Some(Sure::Yes) } else { plain.then_some(Sure::Maybe) }
}

pub(crate) fn is_tax_id(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (8..=15).contains(&value.len())
        && digits >= 7
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Ten digits, three, two and five, with a check digit.
pub(crate) fn business_id(value: &str) -> Option<Sure> {
    const WEIGHTS: [u32; 9] = [1, 3, 7, 1, 3, 7, 1, 3, 5];
    let groups: Vec<usize> = value.split('-').map(str::len).collect();
    let digits = digits(value, "-").filter(|digits| digits.len() == 10)?;
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let carried = digits.get(8).map_or(0, |digit| digit * 5 / 10);
    let check = (10 - (sum + carried) % 10) % 10;
    let is_checked = digits.last() == Some(&check);
    match groups.as_slice() {
        [3, 2, 5] if is_checked => Some(Sure::Yes),
        [3, 2, 5] => Some(Sure::Maybe),
        _ => is_checked.then_some(Sure::Maybe),
    }
}

/// Korean plates: two or three digits, a syllable, four digits, with a region before.
pub(crate) fn plate(value: &str) -> Option<Sure> {
    let bare: String = value.chars().filter(|c| *c != ' ').collect();
    let rest = bare.trim_start_matches(|c| ('가'..='힣').contains(&c));
    let mut parts = rest.split(|c| ('가'..='힣').contains(&c));
    let (first, last) = (parts.next()?, parts.next()?);
    let is_korean = (2..=3).contains(&first.len())
        && last.len() == 4
        && all_digits(first)
        && all_digits(last)
        && parts.next().is_none();
    if is_korean {
        return Some(Sure::Yes);
    }
    let plain = (5..=17).contains(&value.len())
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" -".contains(&b));
    plain.then_some(Sure::Maybe)
}

/// British and Canadian ones are like nothing else; five digits are like everything.
pub(crate) fn postcode(value: &str) -> Option<Sure> {
    let shape: String = value
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            'A'..='Z' | 'a'..='z' => 'A',
            c => c,
        })
        .collect();
    match shape.as_str() {
        "A9 9AA" | "A99 9AA" | "AA9 9AA" | "AA99 9AA" | "A9A 9AA" | "AA9A 9AA" | "A9A 9A9" => {
            Some(Sure::Yes)
        }
        "99999" | "99999-9999" | "999-999" | "999-9999" | "9999 AA" | "9999" | "999999"
        | "99-999" | "A9A9A9" | "999 99" | "99999-999" => Some(Sure::Maybe),
        _ => None,
    }
}

pub(crate) fn is_expiry(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (1..=6).contains(&digits) && value.bytes().all(|b| b.is_ascii_digit() || b"/-".contains(&b))
}

pub(crate) fn is_coordinate(value: &str) -> bool {
    value.contains('.')
        && value.split(',').all(|part| {
            part.trim_matches(['(', ')', ' '])
                .parse::<f64>()
                .is_ok_and(|number| number.abs() <= 180.0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_a_check_digit_and_an_issuer() {
        for good in
            ["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "3530111333300000"]
        {
            assert_eq!(card(good), Some(Sure::Yes), "{good}");
        }
        for bad in ["1234567812345670", "0000000000000000", "41111111"] {
            assert_eq!(card(bad), None, "{bad}");
        }
        for maybe in ["****-****-****-5671", "4111111111111112", "5671"] {
            assert_eq!(card(maybe), Some(Sure::Maybe), "{maybe}");
        }
    }

    #[test]
    fn registration_numbers() {
        // 850312-190417x with the check digit, and without: nobody's.
        let checked = (0..10)
            .map(|last| format!("850312-190417{last}"))
            .filter(|number| has_rrn_checksum(number))
            .count();
        assert_eq!(checked, 1);
        assert_eq!(national_id("201104-3123456"), Some(Sure::Yes), "since October 2020");
        assert_eq!(national_id("850312-1******"), Some(Sure::Yes));
        for bad in ["851312-1904175", "850332-1904175", "990101-3904175", "850312-19041", "x"] {
            assert_eq!(rrn(bad), None, "{bad}");
        }
        assert_eq!(ssn("123-45-6789"), Some(Sure::Yes));
        for bad in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "12-345-6789",
        ] {
            assert_eq!(ssn(bad), None, "{bad}");
        }
        assert_eq!(national_id("AB123456C"), Some(Sure::Yes));
    }

    #[test]
    fn ibans_and_businesses() {
        assert!(is_iban("DE89 3704 0044 0532 0130 00") && is_iban("gb29nwbk60161331926819"));
        assert!(!is_iban("DE88370400440532013000") && !is_iban("DE89") && !is_iban("é"));
        assert_eq!(business_id("124-81-00998"), Some(Sure::Yes));
        assert_eq!(business_id("124-81-00997"), Some(Sure::Maybe));
    }

    #[test]
    fn phones() {
        for good in [
            "010-1234-5678",
            "01012345678",
            "+82 10-1234-5678",
            "02-123-4567",
            "(415) 555-0100",
            "415.555.0100",
        ] {
            assert_eq!(phone(good), Some(Sure::Yes), "{good}");
        }
        for maybe in ["12345678", "1588-1234"] {
            assert_eq!(phone(maybe), Some(Sure::Maybe), "{maybe}");
        }
        for bad in ["2026-01-31", "10.0.0.1", "123", "abc", "12345678901234567"] {
            assert_eq!(phone(bad), None, "{bad}");
        }
    }

    #[test]
    fn days() {
        assert_eq!(year_of("1990-01-31"), Some(1990));
        assert_eq!(year_of("19900131"), Some(1990));
        assert_eq!(year_of("900131"), Some(1990));
        assert_eq!(year_of("31.01.1990"), Some(1990));
        assert_eq!((year_of("1990-02-30"), year_of("x"), year_of("")), (None, None, None));
    }
}
