//! What a column may hold, as the tags of the sample rules have it.

use super::facts::Form;

/// A kind of data that somebody may want masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A name of a person, or part of one.
    PersonName,
    /// A day of birth.
    BirthDate,
    /// A place of birth.
    BirthPlace,
    /// A day of death.
    DeathDate,
    /// Sex or gender.
    Gender,
    /// An age.
    Age,
    /// A nationality.
    Nationality,
    /// Religion, origin, family status and the like.
    Special,
    /// A picture of somebody.
    Photo,
    /// A document about a person.
    Profile,
    /// An e-mail address.
    Email,
    /// A phone or fax number.
    Phone,
    /// A name in a messenger or a social network.
    Messenger,
    /// A name by which somebody logs in.
    Login,
    /// A street address, or part of one.
    Address,
    /// A postcode.
    Postcode,
    /// A town or district of an address.
    Area,
    /// Where something is on the globe.
    Coordinates,
    /// A number that a state gives to each person.
    NationalId,
    /// A passport's number.
    Passport,
    /// A driver's licence.
    DriverLicense,
    /// A tax number.
    TaxId,
    /// A number of a business, which may be one person's.
    BusinessId,
    /// A number plate.
    Vehicle,
    /// A card number, or its last digits.
    Card,
    /// A card's expiry.
    CardExpiry,
    /// A card's security code.
    CardCode,
    /// An IBAN.
    Iban,
    /// A number of a bank account, or of its bank.
    Account,
    /// What somebody earns.
    Salary,
    /// What somebody has.
    Balance,
    /// How somebody is rated.
    Credit,
    /// Diagnoses, medication, blood groups.
    Health,
    /// A password, or what is made of one.
    Password,
    /// What opens a door without a password.
    Token,
    /// An address on a network.
    Ip,
    /// A page on the web.
    Url,
    /// A number of a device.
    Device,
    /// What a browser says of itself.
    Agent,
    /// What people write.
    Text,
}

impl Kind {
    /// The tag that is proposed.
    pub fn tag(self) -> &'static str {
        self.names().0
    }

    /// For people, several of them.
    pub fn plural(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::PersonName => ("person.name", "names of people"),
            Kind::BirthDate => ("person.birth_date", "birth dates"),
            Kind::BirthPlace => ("person.birth_place", "places of birth"),
            Kind::DeathDate => ("person.death_date", "dates of death"),
            Kind::Gender => ("person.gender", "genders"),
            Kind::Age => ("person.age", "ages"),
            Kind::Nationality => ("person.nationality", "nationalities"),
            Kind::Special => ("person.special", "sensitive facts"),
            Kind::Photo => ("person.photo", "pictures of people"),
            Kind::Profile => ("person.profile", "documents about people"),
            Kind::Email => ("contact.email", "e-mail addresses"),
            Kind::Phone => ("contact.phone", "phone numbers"),
            Kind::Messenger => ("contact.messenger", "names in messengers"),
            Kind::Login => ("account.login", "login names"),
            Kind::Address => ("location.address", "addresses"),
            Kind::Postcode => ("location.postcode", "postcodes"),
            Kind::Area => ("location.area", "towns and districts"),
            Kind::Coordinates => ("location.coordinates", "coordinates"),
            Kind::NationalId => ("identity.national_id", "national identity numbers"),
            Kind::Passport => ("identity.passport", "passport numbers"),
            Kind::DriverLicense => ("identity.driver_license", "driver's licences"),
            Kind::TaxId => ("identity.tax_id", "tax numbers"),
            Kind::BusinessId => ("identity.business_id", "business numbers"),
            Kind::Vehicle => ("identity.vehicle", "number plates"),
            Kind::Card => ("payment.card", "card numbers"),
            Kind::CardExpiry => ("payment.card_expiry", "expiry dates of cards"),
            Kind::CardCode => ("payment.cvv", "security codes of cards"),
            Kind::Iban => ("payment.iban", "IBANs"),
            Kind::Account => ("payment.account", "bank accounts"),
            Kind::Salary => ("finance.salary", "incomes"),
            Kind::Balance => ("finance.balance", "balances"),
            Kind::Credit => ("finance.credit", "credit ratings"),
            Kind::Health => ("health.record", "facts of health"),
            Kind::Password => ("secret.password", "passwords or their hashes"),
            Kind::Token => ("secret.token", "tokens and keys"),
            Kind::Ip => ("web.ip", "IP addresses"),
            Kind::Url => ("web.url", "web addresses"),
            Kind::Device => ("web.device", "numbers of devices"),
            Kind::Agent => ("web.agent", "browsers' names"),
            Kind::Text => ("text.free", "free text"),
        }
    }

    /// False where no value of the form can be of the kind, whatever the column is called.
    pub(super) fn fits(self, form: Form) -> bool {
        let text = matches!(form, Form::Text | Form::Json);
        match self {
            Kind::Email | Kind::Login | Kind::Messenger | Kind::Address | Kind::Iban => text,
            Kind::PersonName | Kind::Agent | Kind::Text | Kind::Url | Kind::Area => text,
            Kind::Nationality | Kind::BirthPlace => text || form == Form::Enum,
            Kind::Phone | Kind::NationalId | Kind::Card | Kind::Account | Kind::Passport => {
                text || form == Form::Number
            }
            Kind::DriverLicense | Kind::TaxId | Kind::BusinessId | Kind::Vehicle => {
                text || form == Form::Number
            }
            Kind::Postcode | Kind::CardCode => text || form == Form::Number,
            Kind::CardExpiry | Kind::BirthDate | Kind::DeathDate => {
                text || matches!(form, Form::Number | Form::Day)
            }
            Kind::Gender | Kind::Special | Kind::Health => {
                text || matches!(form, Form::Number | Form::Boolean | Form::Enum)
            }
            Kind::Age => text || form == Form::Number,
            Kind::Salary | Kind::Balance | Kind::Credit => text || form == Form::Number,
            Kind::Coordinates => text || matches!(form, Form::Number | Form::Other),
            Kind::Photo => text || form == Form::Binary,
            Kind::Profile => text,
            Kind::Password => text || matches!(form, Form::Number | Form::Binary),
            Kind::Token => text || matches!(form, Form::Number | Form::Binary | Form::Uuid),
            Kind::Ip => text || form == Form::Network,
            Kind::Device => text || matches!(form, Form::Number | Form::Network | Form::Uuid),
        }
    }
}
