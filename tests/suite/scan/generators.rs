//! The generators that the labelled columns of tests/scan name. The same seed gives the same values.
//!
//! Written before what `scan` recognises; many of the names, streets and words stand in none of its lists.

use super::numbers;
use super::words::{
    ADDRESS_KR, BANKS_KR, BRANDS, CITIES, COMPANIES, COMPANIES_KR, COUNTRIES, DEPARTMENTS,
    DEPARTMENTS_KR, DIAGNOSES, DIAGNOSES_KR, DISTRICTS_KR, DOMAINS, DRUGS, FIRST, GIVEN_KR,
    JOB_TITLES, LAST, NOTES, NOTES_KR, PRODUCTS_KR, RANKS_KR, SENTENCES, SENTENCES_KR, STREETS,
    STREETS_DE, SURNAMES_KR, USER_AGENTS, WORDS, WORDS_KR,
};
use crate::dice::Dice;

/// Values of a generator; `name?` leaves a third of them out, `enum:a|b` is one of those.
pub fn values(generator: &str, count: usize, seed: u64) -> Vec<Option<String>> {
    let mut dice = Dice::new(seed);
    let (name, holes) = match generator.strip_suffix('?') {
        Some(name) => (name, true),
        None => (generator, false),
    };
    if name == "empty" {
        return vec![None; count];
    }
    let value = |index| {
        if holes && dice.one_in(3) {
            return None;
        }
        let value = match name.strip_prefix("enum:") {
            Some(list) => dice.pick(&list.split('|').collect::<Vec<_>>()).to_string(),
            None => one(name, index, &mut dice),
        };
        Some(value)
    };
    (0..count).map(value).collect()
}

fn digits(dice: &mut Dice, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + dice.roll(10) as u8)).collect()
}

fn hex(dice: &mut Dice, count: usize) -> String {
    (0..count).map(|_| char::from(*dice.pick(b"0123456789abcdef"))).collect()
}

fn letters(dice: &mut Dice, alphabet: &[u8], count: usize) -> String {
    (0..count).map(|_| char::from(*dice.pick(alphabet))).collect()
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn words(dice: &mut Dice, from: usize, to: usize) -> String {
    let count = from + dice.roll(to - from + 1);
    let words: Vec<&str> = (0..count).map(|_| *dice.pick(WORDS)).collect();
    words.join(" ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn name_en(dice: &mut Dice) -> String {
    let middle = if dice.one_in(6) { " J." } else { "" };
    format!("{}{middle} {}", dice.pick(FIRST), dice.pick(LAST))
}

fn name_kr(dice: &mut Dice) -> String {
    format!("{}{}", dice.pick(SURNAMES_KR), dice.pick(GIVEN_KR))
}

fn username(dice: &mut Dice) -> String {
    let (first, last) =
        (dice.pick(FIRST).to_ascii_lowercase(), dice.pick(LAST).to_ascii_lowercase());
    match dice.roll(4) {
        0 => format!("{first}{}", dice.roll(99)),
        1 => format!("{}{last}", &first[..1]),
        2 => format!("{first}.{last}"),
        _ => format!("{}_{}", dice.pick(WORDS), dice.roll(999)),
    }
}

fn email(dice: &mut Dice) -> String {
    format!("{}@{}", username(dice), dice.pick(DOMAINS))
}

fn phone_kr(dice: &mut Dice) -> String {
    format!("010-{}-{}", 2000 + dice.roll(8000), digits(dice, 4))
}

fn phone_us(dice: &mut Dice) -> String {
    let (area, office) = (201 + dice.roll(780), 200 + dice.roll(800));
    let last = digits(dice, 4);
    match dice.roll(3) {
        0 => format!("({area}) {office}-{last}"),
        1 => format!("{area}-{office}-{last}"),
        _ => format!("{area}.{office}.{last}"),
    }
}

fn phone_e164(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => format!("+8210{}", digits(dice, 8)),
        1 => format!("+1{}{}", 201 + dice.roll(780), digits(dice, 7)),
        2 => format!("+4915{}", digits(dice, 9)),
        _ => format!("+336{}", digits(dice, 8)),
    }
}

fn date(dice: &mut Dice, from: usize, to: usize) -> (usize, usize, usize) {
    (from + dice.roll(to - from + 1), 1 + dice.roll(12), 1 + dice.roll(28))
}

fn birth(dice: &mut Dice) -> (usize, usize, usize) {
    date(dice, 1938, 2009)
}

fn timestamp(dice: &mut Dice) -> String {
    let (year, month, day) = date(dice, 2023, 2026);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        dice.roll(24),
        dice.roll(60),
        dice.roll(60)
    )
}

fn address_kr(dice: &mut Dice) -> String {
    let road = dice.pick(ADDRESS_KR);
    format!("{} {road} {}", dice.pick(DISTRICTS_KR), 1 + dice.roll(300))
}

fn street_en(dice: &mut Dice) -> String {
    format!("{} {}", 1 + dice.roll(9800), dice.pick(STREETS))
}

fn ip4(dice: &mut Dice) -> String {
    format!("{}.{}.{}.{}", 1 + dice.roll(223), dice.roll(256), dice.roll(256), 1 + dice.roll(254))
}

fn ip_any(dice: &mut Dice) -> String {
    match dice.one_in(4) {
        true => format!("2001:db8:{}:{}::{}", hex(dice, 3), hex(dice, 4), 1 + dice.roll(9)),
        false => ip4(dice),
    }
}

fn note(dice: &mut Dice) -> String {
    let note = dice.pick(NOTES);
    let filled = note
        .replace("{name}", &name_en(dice))
        .replace("{email}", &email(dice))
        .replace("{phone}", &phone_us(dice));
    if dice.one_in(2) { filled } else { format!("{filled} {}", dice.pick(SENTENCES)) }
}

fn note_kr(dice: &mut Dice) -> String {
    let note = dice.pick(NOTES_KR);
    note.replace("{name}", &name_kr(dice)).replace("{phone}", &phone_kr(dice))
}

fn uuid(dice: &mut Dice) -> String {
    let parts = [8, 4, 3, 3, 12].map(|count| hex(dice, count));
    format!("{}-{}-4{}-a{}-{}", parts[0], parts[1], parts[2], parts[3], parts[4])
}

fn one(name: &str, index: usize, dice: &mut Dice) -> String {
    if let Some(value) = plain(name, index, dice) {
        return value;
    }
    if let Some(value) = personal(name, dice).or_else(|| document(name, dice)) {
        return value;
    }
    numbers::number(name, dice).unwrap_or_else(|| panic!("no generator `{name}`"))
}

/// What says nothing of a person.
fn plain(name: &str, index: usize, dice: &mut Dice) -> Option<String> {
    Some(match name {
        "serial" => (index + 1).to_string(),
        "bigserial" => (1_000_000 + index * 7).to_string(),
        "fk" => (1 + dice.roll(5000)).to_string(),
        "uuid" => uuid(dice),
        "bool" => dice.pick(&["true", "false"]).to_string(),
        "yn" => dice.pick(&["Y", "N"]).to_string(),
        "zero_one" => dice.roll(2).to_string(),
        "small_int" => dice.roll(40).to_string(),
        "int" => dice.roll(100_000).to_string(),
        "score" => (350 + dice.roll(600)).to_string(),
        "money" => format!("{}.{:02}", dice.roll(4000), dice.roll(100)),
        "percent" => format!("{}.{}", dice.roll(100), dice.roll(100)),
        "percent_int" | "age" => (18 + dice.roll(70)).to_string(),
        "decimal_text" => format!("{}.{}", dice.roll(200), dice.roll(10)),
        "year" => (2000 + dice.roll(28)).to_string(),
        "month" => (1 + dice.roll(12)).to_string(),
        "quarter" => format!("{}Q{}", 2020 + dice.roll(6), 1 + dice.roll(4)),
        "recent_ts" => timestamp(dice),
        "recent_date" => timestamp(dice)[..10].to_owned(),
        "recent_yyyymmdd" => timestamp(dice)[..10].replace('-', ""),
        "epoch" => (1_600_000_000 + dice.roll(160_000_000)).to_string(),
        "epoch_ms" => format!("{}{}", 1_600_000_000 + dice.roll(160_000_000), digits(dice, 3)),
        "http_status" => dice.pick(&["200", "201", "302", "404", "500"]).to_string(),
        "status" => dice.pick(&["pending", "processing", "complete", "closed"]).to_string(),
        "word" => (*dice.pick(WORDS)).to_owned(),
        "words" => capital(&words(dice, 2, 4)),
        "words_upper" => words(dice, 2, 3).to_ascii_uppercase(),
        "word_kr" => (*dice.pick(WORDS_KR)).to_owned(),
        "sentence" => (*dice.pick(SENTENCES)).to_owned(),
        "sentence_kr" => (*dice.pick(SENTENCES_KR)).to_owned(),
        "paragraph" | "log_plain" => {
            (0..4).map(|_| *dice.pick(SENTENCES)).collect::<Vec<_>>().join(" ")
        }
        "slug" => words(dice, 2, 3).replace(' ', "-"),
        "path" => format!("/{}", words(dice, 2, 4).replace(' ', "/")),
        "filename" => format!("{}_{}.jpg", dice.pick(WORDS), dice.roll(9999)),
        "version" => format!("{}.{}.{}", dice.roll(18), dice.roll(10), dice.roll(10)),
        "domain" => format!("{}{}.internal.example", dice.pick(WORDS), dice.roll(20)),
        "sku" => format!("{}-{}", letters(dice, CAPITALS, 3), digits(dice, 5)),
        "order_no" => format!("{}{}", dice.pick(&["SO-", "ORD", "2026-"]), digits(dice, 8)),
        "code_upper" => letters(dice, CAPITALS, 2) + &digits(dice, 1),
        "stripe_id" => format!("cus_{}", letters(dice, BASE64, 14)),
        "sf_id" => format!("0035{}", letters(dice, BASE64, 14)),
        "snowflake" => format!("8{}", digits(dice, 17)),
        "currency" => dice.pick(&["USD", "EUR", "KRW"]).to_string(),
        "locale" => dice.pick(&["en_US", "de_DE", "ko_KR", "fr_FR"]).to_string(),
        "timezone" => dice.pick(&["Asia/Seoul", "Europe/Berlin", "America/New_York"]).to_string(),
        "country" => (*dice.pick(COUNTRIES)).to_owned(),
        "country_code" => dice.pick(&["US", "DE", "KR", "FR", "GB"]).to_string(),
        "state_us" => dice.pick(&["Ohio", "Texas", "CA", "New York", "Oregon"]).to_string(),
        "city_en" => (*dice.pick(CITIES)).to_owned(),
        "company_en" => (*dice.pick(COMPANIES)).to_owned(),
        "company_kr" => (*dice.pick(COMPANIES_KR)).to_owned(),
        "bank_kr" => (*dice.pick(BANKS_KR)).to_owned(),
        "brand" => (*dice.pick(BRANDS)).to_owned(),
        "card_brand" => dice.pick(&["visa", "mastercard", "amex"]).to_string(),
        "product_kr" => format!("{} {}", dice.pick(PRODUCTS_KR), dice.roll(30)),
        "dept" => (*dice.pick(DEPARTMENTS)).to_owned(),
        "dept_kr" => (*dice.pick(DEPARTMENTS_KR)).to_owned(),
        "rank_kr" => (*dice.pick(RANKS_KR)).to_owned(),
        "job_title" => (*dice.pick(JOB_TITLES)).to_owned(),
        "salutation" => dice.pick(&["Mr.", "Ms.", "Dr."]).to_string(),
        "url" => format!(
            "https://www.{}.example/{}",
            dice.pick(WORDS),
            words(dice, 1, 2).replace(' ', "/")
        ),
        "url_image" => format!("https://cdn.example.com/a/{}.png", hex(dice, 12)),
        "url_profile" => format!("https://www.linkedin.com/in/{}", username(dice)),
        "words_array" => format!("[\"{}\", \"{}\"]", dice.pick(WORDS), dice.pick(WORDS)),
        "json_settings" => format!(
            "{{\"theme\": \"{}\", \"beta\": true, \"limits\": {{\"rows\": {}}}}}",
            dice.pick(&["dark", "light"]),
            dice.roll(100)
        ),
        _ => return None,
    })
}

/// What is about somebody.
fn personal(name: &str, dice: &mut Dice) -> Option<String> {
    Some(match name {
        "email" => email(dice),
        "email_upper" => email(dice).to_ascii_uppercase(),
        "emails_array" => format!("[\"{}\", \"{}\"]", email(dice), email(dice)),
        "phone_kr" => phone_kr(dice),
        "phone_kr_plain" => phone_kr(dice).replace('-', ""),
        "phone_kr_land" => {
            let area = *dice.pick(&["02", "031", "051", "064", "070"]);
            format!("{area}-{}-{}", 200 + dice.roll(7000), digits(dice, 4))
        }
        "phone_us" => phone_us(dice),
        "phone_e164" => phone_e164(dice),
        "phone_e164_spaced" => format!("+55 (12) 3923-{}", digits(dice, 4)),
        "phone_mixed" => match dice.roll(3) {
            0 => phone_us(dice),
            1 => phone_e164(dice),
            _ => format!("0{} {} {}", 20 + dice.roll(9), digits(dice, 4), digits(dice, 4)),
        },
        "name_kr" => name_kr(dice),
        "name_en" => name_en(dice),
        "first_en" => (*dice.pick(FIRST)).to_owned(),
        "last_en" => (*dice.pick(LAST)).to_owned(),
        "name_upper_first" => dice.pick(FIRST).to_ascii_uppercase(),
        "name_upper" => format!("{} {}", dice.pick(LAST), dice.pick(FIRST)).to_ascii_uppercase(),
        "name_mixed" => match dice.roll(5) {
            0 => name_kr(dice),
            1 => format!("{}, {}", dice.pick(LAST), dice.pick(FIRST)),
            _ => name_en(dice),
        },
        "username" => username(dice),
        "handle" => format!("@{}", username(dice)),
        "address_kr" => address_kr(dice),
        "detail_kr" => format!("{}동 {}호", 101 + dice.roll(20), 101 + dice.roll(1900)),
        "detail_en" => format!("{} {}", dice.pick(&["Apt", "Suite", "Unit"]), 1 + dice.roll(90)),
        "street_en" => street_en(dice),
        "address_en" => format!("{}, {}", street_en(dice), dice.pick(CITIES)),
        "street_de" | "address_de" => format!("{} {}", dice.pick(STREETS_DE), 1 + dice.roll(150)),
        "lat" => format!("{}.{}", 33 + dice.roll(20), digits(dice, 6)),
        "lon" => format!("{}.{}", 120 + dice.roll(10), digits(dice, 6)),
        "birth_date" => {
            let (year, month, day) = birth(dice);
            format!("{year}-{month:02}-{day:02}")
        }
        "birth_yyyymmdd" => {
            let (year, month, day) = birth(dice);
            format!("{year}{month:02}{day:02}")
        }
        "mf" => dice.pick(&["M", "F"]).to_string(),
        "gender" => dice.pick(&["male", "female", "other"]).to_string(),
        "blood_type" => dice.pick(&["A+", "B+", "O-", "AB+"]).to_string(),
        "icd10" => {
            format!("{}{}.{}", dice.pick(&["E", "I", "J"]), 10 + dice.roll(80), dice.roll(9))
        }
        "diagnosis_kr" => (*dice.pick(DIAGNOSES_KR)).to_owned(),
        "diagnosis_en" => (*dice.pick(DIAGNOSES)).to_owned(),
        "drug" => (*dice.pick(DRUGS)).to_owned(),
        "salary" => ((28 + dice.roll(120)) * 1000 * (1 + dice.roll(2))).to_string(),
        "ip4" => ip4(dice),
        "ip_any" => ip_any(dice),
        "mac" => (0..6).map(|_| hex(dice, 2)).collect::<Vec<_>>().join(":"),
        "ua" => format!("{}{}.0", dice.pick(USER_AGENTS), 90 + dice.roll(40)),
        "note_pii" => note(dice),
        "note_plain" => (*dice.pick(SENTENCES)).to_owned(),
        "note_kr_pii" => note_kr(dice),
        "note_kr" => (*dice.pick(SENTENCES_KR)).to_owned(),
        "html_signature" => format!("<p>--<br>{}<br>{}</p>", name_en(dice), phone_us(dice)),
        "log_line" => format!("login failed for {} from {} after 3 tries", email(dice), ip4(dice)),
        "query_pii" => {
            format!("q={}&email={}&page={}", dice.pick(WORDS), email(dice), dice.roll(9))
        }
        _ => return None,
    })
}

/// Documents, and what opens a door.
fn document(name: &str, dice: &mut Dice) -> Option<String> {
    Some(match name {
        "json_profile" => format!(
            "{{\"nick\": \"{}\", \"contact\": {{\"email\": \"{}\", \"phones\": [\"{}\"]}}, \"plan\": \"pro\"}}",
            username(dice),
            email(dice),
            phone_e164(dice)
        ),
        "json_event_pii" => format!(
            "{{\"type\": \"{}\", \"user\": {{\"email\": \"{}\", \"ip\": \"{}\"}}, \"n\": {}}}",
            dice.pick(WORDS),
            email(dice),
            ip4(dice),
            dice.roll(50)
        ),
        "json_address" => format!(
            "{{\"line1\": \"{}\", \"city\": \"{}\", \"postal_code\": \"{}\", \"country\": \"US\"}}",
            street_en(dice),
            dice.pick(CITIES),
            digits(dice, 5)
        ),
        "json_secret" => format!(
            "{{\"value\": \"{}==\", \"salt\": \"{}==\", \"additionalParameters\": {{}}}}",
            letters(dice, BASE64, 86),
            letters(dice, BASE64, 22)
        ),
        "json_hash_params" => {
            "{\"hashIterations\": 27500, \"algorithm\": \"pbkdf2-sha256\"}".to_owned()
        }
        "bcrypt" => format!("$2b$12${}", letters(dice, BASE64, 53)),
        "phpass" => format!("$P$B{}", letters(dice, BASE64, 30)),
        "pbkdf2" => format!(
            "$pbkdf2-sha512$25000${}${}",
            letters(dice, BASE64, 22),
            letters(dice, BASE64, 86)
        ),
        "md5" => hex(dice, 32),
        "md5_colons" => (0..16).map(|_| hex(dice, 2)).collect::<Vec<_>>().join(":"),
        "sha1" => hex(dice, 40),
        "sha256" => hex(dice, 64),
        "sha256_salted" => format!("{}:{}:1", hex(dice, 64), letters(dice, BASE64, 16)),
        "hex_token" => hex(dice, 40),
        "hex_array" => format!("[\"{}\", \"{}\"]", hex(dice, 10), hex(dice, 10)),
        "jwt" => format!(
            "eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}",
            letters(dice, BASE64, 40),
            letters(dice, BASE64, 43)
        ),
        "bearer" => format!("Bearer {}", letters(dice, BASE64, 40)),
        "api_key" => format!("sk_live_{}", letters(dice, BASE64, 24)),
        "base64" => format!("{}=", letters(dice, BASE64, 43)),
        "base32" => letters(dice, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32),
        "ssh_key" => {
            format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{} {}", letters(dice, BASE64, 43), email(dice))
        }
        "pem" => format!("-----BEGIN RSA PRIVATE KEY-----\n{}", letters(dice, BASE64, 64)),
        _ => return None,
    })
}
