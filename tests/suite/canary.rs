//! Canaries: marks in every sensitive value of the sample database that no masked client may ever receive.
//!
//! Texts carry `qzx`, numbers and digit strings carry `90417` once separators are taken out. The check looks at raw
//! bytes, whatever message they stand in, so it knows nothing of formats; besides the plain mark it looks for the
//! disguises that a statement can put on a value: case, order, hexadecimal, base64, and digits in other forms.

/// In every sensitive text.
pub const TEXT_MARK: &str = "qzx";
/// In every sensitive number, and in phone, card, IBAN and identity numbers.
pub const DIGIT_MARK: &str = "90417";

/// The disguises found in `bytes`, with the text around each; empty: clean.
pub fn find(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let lower = bytes.to_ascii_lowercase();
    for (what, pattern) in text_patterns() {
        if let Some(at) = position(&lower, pattern.as_bytes()) {
            found.push(format!("{what} at byte {at}: {}", around(bytes, at)));
        }
    }
    // base64 keeps case.
    for pattern in base64_cores(TEXT_MARK).into_iter().chain(base64_cores(DIGIT_MARK)) {
        if let Some(at) = position(bytes, pattern.as_bytes()) {
            found.push(format!("base64 of a mark at byte {at}: {}", around(bytes, at)));
        }
    }
    for (what, digits) in
        [("the digits", DIGIT_MARK.to_owned()), ("the digits reversed", reversed(DIGIT_MARK))]
    {
        if let Some(at) = digits_at(bytes, &digits) {
            found.push(format!("{what} at byte {at}: {}", around(bytes, at)));
        }
    }
    if let Some(at) = binary_number_at(bytes) {
        found.push(format!("a binary number at byte {at}: {}", around(bytes, at)));
    }
    found
}

fn text_patterns() -> Vec<(&'static str, String)> {
    let spaced =
        |separator: &str| TEXT_MARK.chars().map(String::from).collect::<Vec<_>>().join(separator);
    vec![
        ("the mark", TEXT_MARK.into()),
        ("the mark reversed", reversed(TEXT_MARK)),
        ("the mark in hexadecimal", hex(TEXT_MARK)),
        ("the digits in hexadecimal", hex(DIGIT_MARK)),
        ("the mark, letter by letter", spaced(",")),
        ("the mark as rows of JSON", spaced("\",\"")),
        ("the mark, spaced", spaced(" ")),
        ("the mark as code points", "113,122,120".into()),
        ("the mark in UTF-16", spaced("\0")),
    ]
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What base64 makes of a mark at each of the three offsets, without the characters that neighbours decide.
fn base64_cores(mark: &str) -> Vec<String> {
    (0..3)
        .map(|offset| {
            let bits: Vec<bool> = mark
                .bytes()
                .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
                .collect();
            let skipped = (6 - offset * 8 % 6) % 6;
            bits[skipped..]
                .chunks_exact(6)
                .map(|six| six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)))
                .map(|value| char::from(ALPHABET[value]))
                .collect::<String>()
        })
        // Three letters would turn up in any text.
        .filter(|core| core.len() >= 4)
        .collect()
}

/// Where the digits stand, other characters between digits being the separators people put there.
fn digits_at(bytes: &[u8], digits: &str) -> Option<usize> {
    let separator =
        |byte: u8| matches!(byte, b' ' | b'-' | b'.' | b',' | b'_' | b'/' | b'(' | b')');
    let mut kept: Vec<(usize, u8)> = Vec::new();
    for (at, byte) in bytes.iter().copied().enumerate() {
        if !separator(byte) {
            kept.push((at, byte));
        }
    }
    kept.windows(digits.len())
        .find(|window| window.iter().map(|(_, byte)| *byte).eq(digits.bytes()))
        .map(|window| window[0].0)
}

/// The mark in binary numbers. `numeric` is sent in groups of four digits counted from the point, so a whole
/// part that ends in 90417 is a group that ends in 9 and then 0417; integers and doubles are looked for with the
/// one amount that the sample's numbers share, 1290417.
fn binary_number_at(bytes: &[u8]) -> Option<usize> {
    const AMOUNT: [[u8; 4]; 2] = [1_290_417_u32.to_be_bytes(), [0x41, 0x33, 0xb0, 0xb1]];
    bytes.windows(4).position(|four| {
        let groups =
            [u16::from_be_bytes([four[0], four[1]]), u16::from_be_bytes([four[2], four[3]])];
        let numeric = groups[0] < 10_000 && groups[0] % 10 == 9 && groups[1] == 417;
        numeric || AMOUNT.iter().any(|amount| amount == four)
    })
}

fn position(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn around(bytes: &[u8], at: usize) -> String {
    let slice = &bytes[at.saturating_sub(24)..bytes.len().min(at + 24)];
    String::from_utf8_lossy(slice).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness;
    use crate::harness::client::Form;

    /// The check can fail: each mark reaches the one who may see it, in every form, and is found.
    #[test]
    fn marks_reach_the_untouched_role() {
        for form in Form::ALL {
            for column in ["name", "email", "phone", "card_number", "balance", "notes", "profile"] {
                let mut dba = harness::connect("admin", &[]);
                let sql = format!("SELECT {column} FROM customers WHERE id = 1");
                let answers = dba.run(form, &sql, &[&sql]);
                assert_eq!(answers[0].error, None);
                assert!(!find(&dba.take_received()).is_empty(), "{column} in {form:?}");
            }
        }
    }

    #[test]
    fn every_disguise_is_found() {
        for bytes in [
            "kim.qzx@example.com",
            "KIM.QZX",
            "moc.xzq.mik",
            "\\x6b696d2e717a78",
            "010-9041-7123",
            "4539 0417 1234 5678",
            "KR99 0417 0000",
            "900101-1904171",
            "1290417.35",
            "71409",
            "1,290,417.35",
            "q,z,x",
            "\"q\",\"z\",\"x\"",
            "{113,122,120}",
        ] {
            assert!(!find(bytes.as_bytes()).is_empty(), "{bytes}");
        }
        for prefix in ["", "a", "ab", "abc", "abcd"] {
            let text = base64(&format!("{prefix}{TEXT_MARK}{DIGIT_MARK}yz"));
            assert!(!find(text.as_bytes()).is_empty(), "{text}");
        }
        let numeric = [0, 3, 0, 1, 0, 0, 0, 2, 0, 129, 1, 161, 13, 172];
        assert!(!find(&numeric).is_empty());
        assert!(!find(&1_290_417.35_f64.to_be_bytes()).is_empty());
        assert!(!find(&1_290_417_i64.to_be_bytes()).is_empty());
    }

    #[test]
    fn harmless_bytes_are_clean() {
        for bytes in
            ["k***@example.com", "010-****-7123", "**** **** **** 5678", "qz x1", "SELECT 5"]
        {
            assert_eq!(find(bytes.as_bytes()), Vec::<String>::new(), "{bytes}");
        }
    }

    fn base64(text: &str) -> String {
        text.as_bytes()
            .chunks(3)
            .flat_map(|three| {
                let value = (0..3).fold(0_u32, |value, index| {
                    value << 8 | u32::from(three.get(index).copied().unwrap_or(0))
                });
                [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(value >> shift & 63) as usize]))
            })
            .collect()
    }
}
