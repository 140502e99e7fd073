//! Masks of free text: `scrub`.
//!
//! What is looked for is what people write, not what standards allow: separators in numbers, full-width digits, an
//! address without a dot. Where in doubt it is taken: a long order number becomes `[phone]`. Classes are written out,
//! so that no locale changes what is found.

use super::fixed::literal;
use crate::rules::ScrubKind;

/// White space, between brackets: ASCII's, no-break and ideographic space.
const SPACE: &str = r" \t\n\r\f\v\u00a0\u3000";
/// A digit: ASCII's, Arabic, Persian, Devanagari and full-width ones.
const DIGIT: &str = r"[0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19]";
/// What stands between the digits of a number; hyphens and dashes of all lengths, and what nobody sees.
const BETWEEN: &str = r"[ ./()\u00a0\u200b-\u200d\u2010-\u2015\u2060\ufeff\u2212\u3000\uff08\uff09\uff0d\uff0e-]{0,3}";
/// For `translate`.
const DIGITS: &str = "0123456789٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९０１２３４５６７８９";

/// Each of the kinds that is found becomes its name in brackets.
///
/// Regular expressions are slow, and most texts hold little of what is looked for: a text without digits is not searched
/// for numbers, nor is one with few of them for those that have many.
pub(super) fn scrub(text: &str, kinds: &[ScrubKind]) -> String {
    let chain = |digits: u32| {
        let kinds = kinds.iter().filter(|kind| digits_min(**kind) <= digits);
        kinds.fold(text.to_owned(), |text, kind| {
            let (pattern, with) = (literal(&pattern(*kind)), literal(&replacement(*kind)));
            format!("pg_catalog.regexp_replace({text}, {pattern}, {with}, 'g')")
        })
    };
    let signs: Vec<String> =
        kinds.iter().filter(|kind| digits_min(**kind) == 0).map(|kind| sign(*kind, text)).collect();
    let without_digits = match signs.is_empty() {
        true => text.to_owned(),
        false => format!("CASE WHEN {} THEN {} ELSE {text} END", signs.join(" OR "), chain(0)),
    };
    // An address of the fourth version is of digits, one of the sixth need not be.
    let needs_digits = |kind: &ScrubKind| *kind == ScrubKind::Ip || digits_min(*kind) > 0;
    if !kinds.iter().any(needs_digits) {
        return without_digits;
    }
    let digits = format!(
        "pg_catalog.char_length({text}) - pg_catalog.char_length(pg_catalog.translate({text}, '{DIGITS}', ''))"
    );
    format!(
        "CASE WHEN {digits} = 0 THEN {without_digits} WHEN {digits} < {NUMBER_DIGITS_MIN} THEN {} ELSE {} END",
        chain(NUMBER_DIGITS_MIN - 1),
        chain(u32::MAX)
    )
}

/// The shortest number that is looked for: what is left of a resident registration number when six are hidden.
const NUMBER_DIGITS_MIN: u32 = 7;

/// So many digits one of the kind has at least.
fn digits_min(kind: ScrubKind) -> u32 {
    match kind {
        ScrubKind::Url | ScrubKind::Email | ScrubKind::Password | ScrubKind::Ip => 0,
        ScrubKind::Iban => 2,
        ScrubKind::Rrn => NUMBER_DIGITS_MIN,
        ScrubKind::Phone => 8,
        ScrubKind::Ssn => 9,
        ScrubKind::Card => 13,
    }
}

/// True for every text in which there is one of the kind, and for few others.
fn sign(kind: ScrubKind, text: &str) -> String {
    let holds = |part: &str| {
        // Only the letters that matter are folded.
        format!("pg_catalog.strpos(pg_catalog.translate({text}, 'PASWIN', 'paswin'), '{part}') > 0")
    };
    match kind {
        ScrubKind::Url => format!("pg_catalog.strpos({text}, '://') > 0 OR {}", holds("www.")),
        ScrubKind::Password => {
            let korean = format!("pg_catalog.translate({text}, '비암패', '') <> {text}");
            format!("{} OR {} OR {} OR {korean}", holds("pass"), holds("pw"), holds("pin"))
        }
        ScrubKind::Ip => format!("pg_catalog.strpos({text}, ':') > 0"),
        ScrubKind::Email
        | ScrubKind::Iban
        | ScrubKind::Rrn
        | ScrubKind::Ssn
        | ScrubKind::Card
        | ScrubKind::Phone => {
            format!("pg_catalog.strpos(pg_catalog.translate({text}, '＠', '@'), '@') > 0")
        }
    }
}

fn replacement(kind: ScrubKind) -> String {
    match kind {
        // The word before it stays.
        ScrubKind::Password => r"\1[password]".into(),
        ScrubKind::Url
        | ScrubKind::Email
        | ScrubKind::Iban
        | ScrubKind::Ip
        | ScrubKind::Rrn
        | ScrubKind::Ssn
        | ScrubKind::Card
        | ScrubKind::Phone => format!("[{}]", kind.name()),
    }
}

/// What a kind looks like. PostgreSQL takes the leftmost match and of those the longest; there is no way back for it to be
/// slow on. `scan` looks for the same.
pub fn pattern(kind: ScrubKind) -> String {
    match kind {
        ScrubKind::Url => {
            let rest = format!(r#"[^{SPACE}<>"]+"#);
            format!(r"[A-Za-z][A-Za-z0-9+.-]*://{rest}|[Ww][Ww][Ww][.]{rest}")
        }
        // From what stands before the first `@` to the end of the word; a full stop behind it is none of it.
        ScrubKind::Email => {
            let not =
                format!(r#"{SPACE}<>()\[\],;:"'/\\=\u3001\u3002\uff08\uff09\uff0c\uff1a\uff1b"#);
            format!(r"[^{not}@\uff20]+[@\uff20][^{not}]*[^{not}.!?@\uff20-]")
        }
        ScrubKind::Password => password(),
        // Capitals in groups of four, or small letters in one piece.
        ScrubKind::Iban => {
            "(?<![A-Za-z0-9])(?:[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\
                            |[a-z]{2}[0-9]{2}[a-z0-9]{11,30})(?![A-Za-z0-9])"
                .into()
        }
        // Four numbers; or hexadecimal digits and colons, two of them together or three in all, which no time has.
        ScrubKind::Ip => {
            let run = "[0-9A-Fa-f:.]";
            format!(
                "(?<![0-9.])[0-9]{{1,3}}(?:[.][0-9]{{1,3}}){{3}}(?![0-9])\
                 |(?<![0-9A-Za-z:.])(?=[:.]*[0-9A-Fa-f])(?={run}*::|(?:[0-9A-Fa-f.]*:){{3}}){run}+"
            )
        }
        // The last six may be hidden already.
        ScrubKind::Rrn => format!(
            r"(?<!{DIGIT}){DIGIT}{{6}}[ \u2010-\u2015\u2212\uff0d-]{{0,3}}{DIGIT}(?:{DIGIT}{{6}}|[*xX]{{6}})(?!{DIGIT})"
        ),
        ScrubKind::Ssn => format!(
            "(?<!{DIGIT})(?<!{DIGIT}[./-]){DIGIT}{{3}}[ -]?{DIGIT}{{2}}[ -]?{DIGIT}{{4}}(?![./-]?{DIGIT})"
        ),
        // With a plus in front it is a phone, which has 15 digits at most (E.164).
        ScrubKind::Card => format!("(?<![+]){}|[+]{}", number(13), number(16)),
        ScrubKind::Phone => format!("[+]?{}", number(8)),
    }
}

/// So many digits or more, as many as there are, with something between them or nothing; a date is none, and neither is
/// what is left of one behind its year.
fn number(digits: u32) -> String {
    let part = format!("{DIGIT}{{1,2}}");
    let year = format!("[1-2]{DIGIT}{{3}}");
    let date =
        format!("(?:{year}[./-]{part}[./-]{part}|{part}[./-]{part}[./-]{year})(?![./-]?{DIGIT})");
    // A parenthesis belongs to it where it is around a part of it.
    format!(
        "(?:[(](?={DIGIT}{{1,5}}[)]))?(?<!{DIGIT})(?<!{DIGIT}[./-])(?!{date}){DIGIT}(?:{BETWEEN}{DIGIT}){{{},}}",
        digits.saturating_sub(1)
    )
}

/// A word for it, what links the word to the password, and the password up to the next space or in quotes.
fn password() -> String {
    let letters = |word: &str| -> String {
        let both = |c: char| format!("[{}{}]", c.to_ascii_uppercase(), c);
        word.chars().map(both).collect()
    };
    let english =
        ["password", "passphrase", "passcode", "passwort", "passwd", "pass", "pwd", "pw", "pin"];
    let english: Vec<String> = english.into_iter().map(letters).collect();
    let words = format!("(?:(?<![A-Za-z])(?:{})|비밀번호|비번|암호|패스워드)", english.join("|"));
    let space = format!("[{SPACE}]");
    let sign = r"[:=\uff1a]";
    let link = format!(
        r#"(?:["']?(?:{space}*{sign}+)+{space}*|{space}+[Ii][Ss]{space}+(?:{sign}+{space}*)*|[은는]{space}*(?:{sign}+{space}*)*)"#
    );
    format!(r#"({words}{link})(?:"[^"]*"|'[^']*'|[^{SPACE}:=\uff1a][^{SPACE}]*)"#)
}
