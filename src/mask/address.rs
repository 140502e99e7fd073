//! Masks of internet addresses: `ip`.

use crate::catalog::Column;

/// `inet` and `cidr`
const INET: u32 = 869;
const CIDR: u32 = 650;
/// Characters of the longest network in text: `ffff:ffff:ffff::/48`.
const NETWORK_CHARACTERS_MAX: i32 = 19;

const OCTET: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const HEX: &str = "[0-9A-Fa-f]{1,4}";

/// The network of /24 or /48; a shorter one stays as short.
pub(super) fn network(column: &Column, reference: &str) -> Result<String, &'static str> {
    if !matches!(column.type_oid, INET | CIDR) {
        return Err("it masks inet, cidr and text");
    }
    let address = format!("CAST({reference} AS pg_catalog.inet)");
    Ok(network_of(&address))
}

fn network_of(address: &str) -> String {
    let length = format!("CASE WHEN pg_catalog.family({address}) = 4 THEN 24 ELSE 48 END");
    format!(
        "pg_catalog.network(CASE WHEN pg_catalog.masklen({address}) > {length} THEN \
         pg_catalog.set_masklen({address}, {length}) ELSE {address} END)"
    )
}

/// The same for text that is one plain address, IPv4 as four decimal numbers or IPv6; all else is redacted. Where the
/// column is too short for `/48` behind the network, it is left away.
pub(super) fn of_text(text: &str, column: &Column) -> String {
    let is_short = column.type_modifier >= 4
        && column.type_modifier.saturating_sub(4) < NETWORK_CHARACTERS_MAX;
    let four = format!("^((?:{OCTET}[.]){{3}}){OCTET}$");
    let end = if is_short { "0" } else { "0/24" };
    let six = six();
    // The cast cannot fail where the expression matches.
    let address = format!("CAST(CASE WHEN {text} ~ '{six}' THEN {text} END AS pg_catalog.inet)");
    let network = format!("pg_catalog.network(pg_catalog.set_masklen({address}, 48))");
    let network = match is_short {
        true => format!("pg_catalog.host({network})"),
        false => format!("CAST({network} AS pg_catalog.text)"),
    };
    format!(
        "COALESCE(pg_catalog.substring({text}, '{four}') || '{end}', \
         CASE WHEN pg_catalog.strpos({text}, ':') > 0 THEN {network} END, '***')"
    )
}

/// RFC 4291, section 2.2: eight groups, or fewer around one `::`, or IPv4 mapped or compatible.
fn six() -> String {
    let mut forms = vec![
        format!("(?:{HEX}:){{7}}{HEX}"),
        format!("(?:{HEX}:){{1,7}}:"),
        format!(":(?::{HEX}){{1,7}}"),
        "::".to_owned(),
        format!("::(?:[Ff]{{4}}:)?(?:{OCTET}[.]){{3}}{OCTET}"),
    ];
    for before in 1..=6 {
        forms.push(format!("(?:{HEX}:){{{before}}}(?::{HEX}){{1,{}}}", 7 - before));
    }
    format!("^(?:{})$", forms.join("|"))
}
