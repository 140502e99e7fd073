//! `scrub` a second time: a scanner by hand for each kind, no regular expressions.

/// Replaces what is found; kinds are looked for in a fixed order, whatever the list's.
pub fn scrubbed(text: &str, kinds: &[&str]) -> String {
    let scanners: [(&str, Scanner); 9] = [
        ("url", url),
        ("email", email),
        ("password", password),
        ("iban", iban),
        ("ip", ip),
        ("rrn", rrn),
        ("ssn", ssn),
        ("card", card),
        ("phone", |text, start| {
            number(text, start, start + usize::from(at(text, start) == '+'), 8)
        }),
    ];
    let mut characters: Vec<char> = text.chars().collect();
    for (kind, scanner) in scanners.into_iter().filter(|(kind, _)| kinds.contains(kind)) {
        let mut out = Vec::new();
        let mut at = 0;
        while at < characters.len() {
            match scanner(&characters, at) {
                Some((kept, end)) => {
                    out.extend_from_slice(&characters[at..kept]);
                    out.extend(format!("[{kind}]").chars());
                    at = end;
                }
                None => {
                    out.push(characters[at]);
                    at += 1;
                }
            }
        }
        characters = out;
    }
    characters.into_iter().collect()
}

/// What begins at a place: up to where it is kept, and its end.
type Scanner = fn(&[char], usize) -> Option<(usize, usize)>;

fn at(text: &[char], place: usize) -> char {
    text.get(place).copied().unwrap_or('\0')
}

/// The character in front; `\0` at the start.
fn before(text: &[char], place: usize) -> char {
    place.checked_sub(1).map_or('\0', |place| text[place])
}

fn run(text: &[char], start: usize, of: impl Fn(char) -> bool) -> usize {
    start + text[start.min(text.len())..].iter().take_while(|c| of(**c)).count()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{b}' | '\u{a0}' | '\u{3000}')
}

fn is_digit(c: char) -> bool {
    let others = ['٠'..='٩', '۰'..='۹', '०'..='९', '０'..='９'];
    c.is_ascii_digit() || others.iter().any(|digits| digits.contains(&c))
}

fn url(text: &[char], start: usize) -> Option<(usize, usize)> {
    let in_url = |c: char| !is_space(c) && !"<>\"".contains(c);
    let mut ends = Vec::new();
    if at(text, start).is_ascii_alphabetic() {
        let scheme = run(text, start, |c| c.is_ascii_alphanumeric() || "+.-".contains(c));
        let rest = scheme + 3;
        if text.get(scheme..rest) == Some(&[':', '/', '/']) {
            ends.extend(Some(run(text, rest, in_url)).filter(|end| *end > rest));
        }
    }
    let is_www = (0..3).all(|place| at(text, start + place).eq_ignore_ascii_case(&'w'));
    if is_www && at(text, start + 3) == '.' {
        ends.extend(Some(run(text, start + 4, in_url)).filter(|end| *end > start + 4));
    }
    ends.into_iter().max().map(|end| (start, end))
}

fn email(text: &[char], start: usize) -> Option<(usize, usize)> {
    let of_word = |c: char| !is_space(c) && !"<>()[],;:\"'/\\=、。（），：；".contains(c);
    let is_sign = |c: char| matches!(c, '@' | '＠');
    if is_sign(at(text, start)) || start >= text.len() || !of_word(text[start]) {
        return None;
    }
    let sign = run(text, start, |c| !is_sign(c) && of_word(c));
    if !is_sign(at(text, sign)) {
        return None;
    }
    let mut end = run(text, sign, of_word);
    while end > sign + 1 && ".!?@＠-".contains(text[end - 1]) {
        end -= 1;
    }
    (end > sign + 1).then_some((start, end))
}

fn password(text: &[char], start: usize) -> Option<(usize, usize)> {
    let lower: String = text[start..].iter().take(12).collect::<String>().to_ascii_lowercase();
    let words =
        ["password", "passphrase", "passcode", "passwort", "passwd", "pass", "pwd", "pw", "pin"];
    let english = words.into_iter().filter(|_| !before(text, start).is_ascii_alphabetic());
    let korean = ["비밀번호", "비번", "암호", "패스워드"];
    let found = english.chain(korean).filter(|word| lower.starts_with(word));
    let links = found.flat_map(|word| links(text, start + word.chars().count()));
    links
        .filter_map(|link| Some((link, secret(text, link)?)))
        .max_by_key(|(link, end)| (*end, *link))
}

/// Ends of what may stand between the word and the password.
fn links(text: &[char], start: usize) -> Vec<usize> {
    let is_sign = |c: char| matches!(c, ':' | '=' | '：');
    // Signs with space before each, and space behind all.
    let signs = |mut place: usize| {
        loop {
            let sign = run(text, place, is_space);
            if !is_sign(at(text, sign)) {
                return run(text, place, is_space);
            }
            place = run(text, sign, is_sign);
        }
    };
    let mut ends = Vec::new();
    let quote = start + usize::from(matches!(at(text, start), '"' | '\''));
    for place in [start, quote] {
        if is_sign(at(text, run(text, place, is_space))) {
            ends.push(signs(place));
        }
    }
    let word = run(text, start, is_space);
    let is_is =
        at(text, word).eq_ignore_ascii_case(&'i') && at(text, word + 1).eq_ignore_ascii_case(&'s');
    if word > start && is_is && is_space(at(text, word + 2)) {
        ends.push(signs(word + 2));
    }
    if matches!(at(text, start), '은' | '는') {
        ends.push(signs(start + 1));
    }
    ends
}

/// The end of a password.
fn secret(text: &[char], start: usize) -> Option<usize> {
    let mut ends = Vec::new();
    let first = at(text, start);
    if start < text.len() && !is_space(first) && !matches!(first, ':' | '=' | '：') {
        ends.push(run(text, start, |c| !is_space(c)));
    }
    if matches!(first, '"' | '\'') {
        let end = run(text, start + 1, |c| c != first);
        ends.extend((end < text.len()).then_some(end + 1));
    }
    ends.into_iter().max()
}

fn iban(text: &[char], start: usize) -> Option<(usize, usize)> {
    let country = |of: fn(&char) -> bool| (0..2).all(|place| of(&at(text, start + place)));
    let check = (2..4).all(|place| at(text, start + place).is_ascii_digit());
    if before(text, start).is_ascii_alphanumeric() || !check {
        return None;
    }
    let ends_here = |end: usize| !at(text, end).is_ascii_alphanumeric();
    if country(char::is_ascii_lowercase) {
        let end = run(text, start + 4, |c| c.is_ascii_lowercase() || c.is_ascii_digit());
        return (15..=34)
            .contains(&(end - start))
            .then_some((start, end))
            .filter(|_| ends_here(end));
    }
    if !country(char::is_ascii_uppercase) {
        return None;
    }
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    // Every way to read groups of four and a shorter one at the end.
    let group = |place: usize, length: usize| -> Vec<usize> {
        let starts = [place, place + usize::from(matches!(at(text, place), ' ' | '-'))];
        let fits = |start: &usize| (0..length).all(|more| is_part(at(text, start + more)));
        starts.into_iter().filter(fits).map(|start| start + length).collect()
    };
    let mut ends = Vec::new();
    let mut places = vec![start + 4];
    for count in 1..=7 {
        places = places.into_iter().flat_map(|place| group(place, 4)).collect();
        if count >= 2 {
            let tails =
                places.iter().flat_map(|place| (1..=3).flat_map(|length| group(*place, length)));
            ends.extend(tails.chain(places.iter().copied()).filter(|end| ends_here(*end)));
        }
    }
    ends.into_iter().max().map(|end| (start, end))
}

fn ip(text: &[char], start: usize) -> Option<(usize, usize)> {
    let front = before(text, start);
    let mut ends = Vec::new();
    if !front.is_ascii_digit() && front != '.' {
        let mut place = start;
        let mut numbers = 0;
        loop {
            let end = run(text, place, |c| c.is_ascii_digit());
            if !(1..=3).contains(&(end - place)) {
                break;
            }
            numbers += 1;
            place = end + 1;
            if numbers == 4 {
                ends.push(end);
                break;
            }
            if at(text, end) != '.' {
                break;
            }
        }
    }
    if !front.is_ascii_alphanumeric() && !":.".contains(front) {
        let end = run(text, start, |c| c.is_ascii_hexdigit() || ":.".contains(c));
        let part: String = text[start..end].iter().collect();
        let is_address = part.contains("::") || part.matches(':').count() >= 3;
        if is_address && part.contains(|c: char| c.is_ascii_hexdigit()) {
            ends.push(end);
        }
    }
    ends.into_iter().max().map(|end| (start, end))
}

fn rrn(text: &[char], start: usize) -> Option<(usize, usize)> {
    let digits =
        |place: usize, count: usize| (place..place + count).all(|place| is_digit(at(text, place)));
    if is_digit(before(text, start)) || !digits(start, 6) {
        return None;
    }
    let dash = |c: char| matches!(c, ' ' | '-' | '－' | '\u{2212}' | '\u{2010}'..='\u{2015}');
    let between = run(text, start + 6, dash) - (start + 6);
    if between > 3 {
        return None;
    }
    let rest = start + 6 + between;
    let end = rest + 7;
    let hidden = (rest + 1..end).all(|place| matches!(at(text, place), '*' | 'x' | 'X'));
    let fits = digits(rest, 7) || (digits(rest, 1) && hidden);
    (fits && !is_digit(at(text, end))).then_some((start, end))
}

/// Behind a digit and a point, dash or slash no number begins.
fn is_inside(text: &[char], start: usize) -> bool {
    let front = before(text, start);
    is_digit(front) || ("./-".contains(front) && start > 1 && is_digit(text[start - 2]))
}

/// No number goes on behind it.
fn is_over(text: &[char], end: usize) -> bool {
    let next = end + usize::from(end < text.len() && "./-".contains(text[end]));
    !is_digit(at(text, end)) && !is_digit(at(text, next))
}

fn ssn(text: &[char], start: usize) -> Option<(usize, usize)> {
    if is_inside(text, start) {
        return None;
    }
    let mut place = start;
    for count in [3, 2, 4] {
        if place > start && " -".contains(at(text, place)) {
            place += 1;
        }
        if !(place..place + count).all(|place| is_digit(at(text, place))) {
            return None;
        }
        place += count;
    }
    is_over(text, place).then_some((start, place))
}

/// `2026-05-31`, `31.5.2026` and their like.
fn is_date(text: &[char], start: usize) -> bool {
    let year = |place: usize| {
        matches!(at(text, place), '1' | '2')
            && (place + 1..place + 4).all(|place| is_digit(at(text, place)))
    };
    let part = |place: usize| run(text, place, is_digit).min(place + 2) - place;
    let sign = |place: usize| place < text.len() && "./-".contains(text[place]);
    let parts = |first: usize| -> Option<usize> {
        let (one, two) = (part(first), first + part(first) + 1);
        (one > 0 && sign(first + one) && part(two) > 0).then_some(two + part(two))
    };
    let by_year = || {
        let end = (year(start) && sign(start + 4)).then(|| parts(start + 5))??;
        is_over(text, end).then_some(end)
    };
    let by_day = || {
        let end = parts(start).filter(|end| sign(*end) && year(end + 1))?;
        is_over(text, end + 5).then_some(end)
    };
    by_year().or_else(by_day).is_some()
}

/// Behind a plus only what is too long for a phone.
fn card(text: &[char], start: usize) -> Option<(usize, usize)> {
    match (at(text, start), before(text, start)) {
        ('+', _) => number(text, start, start + 1, 16),
        (_, '+') => None,
        _ => number(text, start, start, 13),
    }
}

/// As many digits as there are, up to three signs between two of them, from `place` on; a parenthesis around the first
/// few is part of it.
fn number(
    text: &[char],
    start: usize,
    mut place: usize,
    digits_min: usize,
) -> Option<(usize, usize)> {
    if at(text, place) == '(' {
        let end = run(text, place + 1, is_digit);
        if !(1..=5).contains(&(end - place - 1)) || at(text, end) != ')' {
            return None;
        }
        place += 1;
    }
    if !is_digit(at(text, place)) || is_inside(text, place) || is_date(text, place) {
        return None;
    }
    let between = |c: char| {
        " ./()\u{a0}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}-\u{2212}\u{3000}（）－．".contains(c)
            || ('\u{2010}'..='\u{2015}').contains(&c)
    };
    let (mut end, mut digits) = (place + 1, 1);
    loop {
        let next = run(text, end, between);
        if next - end > 3 || !is_digit(at(text, next)) {
            break;
        }
        end = next + 1;
        digits += 1;
    }
    (digits >= digits_min).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::scrubbed;

    const ALL: [&str; 9] =
        ["email", "phone", "card", "rrn", "ssn", "iban", "ip", "password", "url"];

    #[test]
    fn the_second_hand_follows_the_handbook() {
        for (text, expected) in super::super::values::SCRUBBED {
            assert_eq!(scrubbed(text, &ALL), *expected, "{text}");
        }
    }
}
