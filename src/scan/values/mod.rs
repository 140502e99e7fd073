//! What a single value looks like. Whole values only; what stands inside a text is `inside`'s.

pub(super) mod inside;
mod people;

use super::kind::Kind;
pub(super) use crate::forms::Sure;
use crate::forms::{all_digits, numbers, web};

/// Values longer than that are texts, whatever they begin with; tokens and keys aside.
const VALUE_CHARS_MAX: usize = 120;

/// True for a value that is of the kind by its form. Kinds that have no form of their own are never.
pub(super) fn looks_like(kind: Kind, value: &str) -> Option<Sure> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    let long = value.chars().count() > VALUE_CHARS_MAX;
    if long && !matches!(kind, Kind::Password | Kind::Token | Kind::Url | Kind::Agent) {
        return None;
    }
    let yes = |is_so: bool| is_so.then_some(Sure::Yes);
    let maybe = |is_so: bool| is_so.then_some(Sure::Maybe);
    match kind {
        Kind::Email => yes(web::is_email(value)),
        Kind::Url => yes(web::is_url(value)),
        Kind::Ip => yes(web::is_ip(value)),
        Kind::Agent => yes(web::is_agent(value)),
        Kind::Device => yes(web::is_mac(value)).or(maybe(numbers::is_imei(value))),
        Kind::Messenger => maybe(value.starts_with('@') && !value.contains(' ')),
        Kind::Password => yes(web::is_password_hash(value)),
        Kind::Token => yes(web::is_token(value)).or(maybe(web::is_random(value))),
        Kind::Phone => numbers::phone(value),
        Kind::Card => numbers::card(value),
        Kind::Iban => yes(numbers::is_iban(value)).or(maybe(numbers::is_like_iban(value))),
        Kind::NationalId => numbers::national_id(value),
        Kind::Account => maybe(numbers::is_account(value)),
        Kind::Passport => maybe(numbers::is_passport(value)),
        Kind::DriverLicense => numbers::driver_license(value),
        Kind::TaxId => maybe(numbers::is_tax_id(value)),
        Kind::BusinessId => numbers::business_id(value),
        Kind::Vehicle => numbers::plate(value),
        Kind::CardCode => maybe((3..=4).contains(&value.len()) && all_digits(value)),
        Kind::CardExpiry => maybe(numbers::is_expiry(value)),
        Kind::Postcode => numbers::postcode(value),
        Kind::BirthDate | Kind::DeathDate => maybe(numbers::year_of(value).is_some()),
        Kind::PersonName => people::name(value),
        Kind::Address => people::address(value),
        Kind::Gender => maybe(people::is_gender(value)),
        Kind::Health => maybe(people::is_diagnosis_code(value) || people::is_blood_type(value)),
        Kind::Coordinates => maybe(numbers::is_coordinate(value)),
        Kind::Age => maybe(value.parse::<u32>().is_ok_and(|age| age <= 120)),
        Kind::BirthPlace
        | Kind::Nationality
        | Kind::Special
        | Kind::Photo
        | Kind::Profile
        | Kind::Login
        | Kind::Area
        | Kind::Salary
        | Kind::Balance
        | Kind::Credit
        | Kind::Text => None,
    }
}

/// The year of a date that is written in full; `None` for what is no date.
pub(super) fn year_of(value: &str) -> Option<u32> {
    numbers::year_of(value.trim())
}

/// True for a number whose last digit is that of a registration number with a checksum.
pub(super) fn has_rrn_checksum(value: &str) -> bool {
    numbers::has_rrn_checksum(value.trim())
}
