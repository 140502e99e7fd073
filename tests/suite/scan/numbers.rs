//! Numbers with a meaning: cards, identities, accounts.

use crate::dice::Dice;

fn digits(dice: &mut Dice, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + dice.roll(10) as u8)).collect()
}

/// The digit that makes the sum a multiple of ten (ISO/IEC 7812-1).
fn with_luhn(number: &str) -> String {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{number}{}", (10 - sum % 10) % 10)
}

fn card(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => with_luhn(&format!("4{}", digits(dice, 14))),
        1 => with_luhn(&format!("5{}{}", 1 + dice.roll(5), digits(dice, 13))),
        2 => with_luhn(&format!("9{}", 40_000_000_000_000_u64 + dice.roll(99_999_999) as u64 * 97)),
        _ => with_luhn(&format!("35{}", 2_800_000_000_000_u64 + dice.roll(99_999_999) as u64 * 97)),
    }
}

/// Six digits of birth, the digit of century and sex, six more: with a checksum where `checked`.
fn rrn(dice: &mut Dice, checked: bool, foreign: bool) -> String {
    let (year, month, day) = (1940 + dice.roll(85), 1 + dice.roll(12), 1 + dice.roll(28));
    let century = if year < 2000 { 1 } else { 3 } + if foreign { 4 } else { 0 } + dice.roll(2);
    let first = format!("{:02}{month:02}{day:02}{century}{}", year % 100, digits(dice, 5));
    let weights = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let sum: u32 =
        first.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = match (checked, foreign) {
        (true, false) => (11 - sum % 11) % 10,
        (true, true) => (13 - sum % 11) % 10,
        (false, _) => dice.roll(10) as u32,
    };
    format!("{}-{}{check}", &first[..6], &first[6..])
}

fn iban(dice: &mut Dice) -> String {
    let (country, rest) = match dice.roll(3) {
        0 => ("DE", digits(dice, 18)),
        1 => ("ES", digits(dice, 20)),
        _ => ("GB", format!("NWBK{}", digits(dice, 14))),
    };
    let as_digits = |text: &str| -> String {
        text.bytes()
            .map(|b| {
                if b.is_ascii_digit() {
                    char::from(b).to_string()
                } else {
                    (b - b'A' + 10).to_string()
                }
            })
            .collect()
    };
    let number = as_digits(&format!("{rest}{country}00"));
    let rest_of =
        number.bytes().fold(0_u32, |sum, digit| (sum * 10 + u32::from(digit - b'0')) % 97);
    format!("{country}{:02}{rest}", 98 - rest_of)
}

/// `None`: no such generator.
pub fn number(name: &str, dice: &mut Dice) -> Option<String> {
    Some(match name {
        "card" => card(dice),
        "card_dashed" => {
            let card = card(dice);
            [&card[..4], &card[4..8], &card[8..12], &card[12..]].join("-")
        }
        "last4" => digits(dice, 4),
        "expiry" => format!("20{}{:02}", 26 + dice.roll(6), 1 + dice.roll(12)),
        "expiry_slash" => format!("{:02}/{}", 1 + dice.roll(12), 26 + dice.roll(6)),
        "cvv" => digits(dice, 3),
        "rrn_old" => rrn(dice, true, false),
        // Half of them reissued or of children since October 2020, which have no valid checksum.
        "rrn_new" => {
            let checked = dice.one_in(2);
            rrn(dice, checked, false)
        }
        "rrn_plain" => rrn(dice, true, false).replace('-', ""),
        "rrn_mixed" => {
            let rrn = rrn(dice, true, false);
            if dice.one_in(2) { rrn.replace('-', "") } else { rrn }
        }
        "rrn_foreign" => rrn(dice, true, true),
        "ssn" => {
            format!("{:03}-{:02}-{:04}", 1 + dice.roll(665), 1 + dice.roll(99), 1 + dice.roll(9999))
        }
        "nino" => format!(
            "{}{}{}",
            dice.pick(&["AB", "JK", "PW"]),
            digits(dice, 6),
            dice.pick(&["A", "B", "C"])
        ),
        "iban" => iban(dice),
        "account_kr" => match dice.roll(3) {
            0 => format!("110-{}-{}", digits(dice, 3), digits(dice, 6)),
            1 => format!("{}-{}-{}", digits(dice, 6), digits(dice, 2), digits(dice, 6)),
            _ => digits(dice, 13),
        },
        "account_digits" => digits(dice, 10),
        "sort_code" => format!("{}-{}-{}", digits(dice, 2), digits(dice, 2), digits(dice, 2)),
        "passport" => format!("{}{}", dice.pick(&["C", "X", "L"]), digits(dice, 8)),
        "passport_kr" => format!("M{}", digits(dice, 8)),
        "license_kr" => format!(
            "{}-{}-{}-{}",
            11 + dice.roll(17),
            digits(dice, 2),
            digits(dice, 6),
            digits(dice, 2)
        ),
        "license_us" => format!("D{}", digits(dice, 7)),
        "plate_kr" => format!(
            "{}{}{}",
            10 + dice.roll(90),
            dice.pick(&["가", "나", "더", "모", "주"]),
            digits(dice, 4)
        ),
        "brn_kr" => format!("{}-{}-{}", digits(dice, 3), digits(dice, 2), digits(dice, 5)),
        "vat" => format!("DE{}", digits(dice, 9)),
        "vat_array" => format!("[\"DE{}\"]", digits(dice, 9)),
        "postcode_kr" => format!("0{}", digits(dice, 4)),
        "postcode_uk" => format!(
            "{}{} {}{}",
            dice.pick(&["SW", "M", "EH"]),
            1 + dice.roll(9),
            dice.roll(10),
            dice.pick(&["AA", "JQ", "ND"])
        ),
        "postcode_ca" => format!(
            "{}{}{} {}{}{}",
            dice.pick(&["T", "V", "K"]),
            dice.roll(10),
            dice.pick(&["A", "N"]),
            dice.roll(10),
            dice.pick(&["B", "K"]),
            dice.roll(10)
        ),
        "zip_us" => {
            if dice.one_in(4) {
                format!("{}-{}", digits(dice, 5), digits(dice, 4))
            } else {
                digits(dice, 5)
            }
        }
        "imei" => with_luhn(&format!("35{}", digits(dice, 12))),
        "barcode" => format!("880{}", digits(dice, 10)),
        _ => match name.strip_prefix("digits")?.parse() {
            Ok(count) => digits(dice, count),
            Err(_) => return None,
        },
    })
}
