//! Addresses on networks, and what opens doors.

use std::net::IpAddr;

pub(crate) fn is_email(value: &str) -> bool {
    let value = value.strip_prefix("mailto:").unwrap_or(value);
    // `Kim <kim@example.com>`
    let value = match value.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or(rest),
        None => value,
    };
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let is_local = !local.is_empty()
        && local.len() <= 64
        && !local.contains(|c: char| c.is_whitespace() || "<>()[],;:\\\"/@".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top_is_a_word = labels
        .last()
        .is_some_and(|top| top.chars().count() >= 2 && !top.chars().all(|c| c.is_ascii_digit()));
    is_local && labels.len() >= 2 && labels.iter().all(is_label) && top_is_a_word
}

pub(crate) fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.starts_with("www.") && value.len() > 8 && !value.contains(' ');
    };
    let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
    !scheme.is_empty() && is_scheme && !rest.is_empty() && !rest.contains(char::is_whitespace)
}

/// One address, with a port or a network's length too.
pub(crate) fn is_ip(value: &str) -> bool {
    let first = value.split(',').next().unwrap_or_default().trim();
    let bare = first.split('/').next().unwrap_or_default();
    if bare.parse::<IpAddr>().is_ok() {
        return bare != "::";
    }
    match bare.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            host.trim_matches(|c| c == '[' || c == ']').parse::<IpAddr>().is_ok()
        }
        _ => false,
    }
}

pub(crate) fn is_mac(value: &str) -> bool {
    let parts: Vec<&str> = value.split([':', '-']).collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

pub(crate) fn is_agent(value: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "Mozilla/",
        "curl/",
        "okhttp/",
        "Opera/",
        "Dalvik/",
        "python-requests/",
        "PostmanRuntime/",
        "Wget/",
        "Go-http-client/",
    ];
    BEGINNINGS.iter().any(|beginning| value.starts_with(beginning))
}

/// In the forms of crypt(3), of LDAP and of frameworks.
pub(crate) fn is_password_hash(value: &str) -> bool {
    const BEGINNINGS: [&str; 22] = [
        "$1$",
        "$2a$",
        "$2b$",
        "$2x$",
        "$2y$",
        "$5$",
        "$6$",
        "$7$",
        "$y$",
        "$gy$",
        "$P$",
        "$H$",
        "$S$",
        "$argon2",
        "$scrypt$",
        "$pbkdf2",
        "pbkdf2_",
        "pbkdf2:",
        "scrypt:",
        "SCRAM-SHA-256$",
        "argon2$",
        "bcrypt$",
    ];
    let is_ldap = value.starts_with('{')
        && value.split_once('}').is_some_and(|(name, rest)| {
            let name = name.trim_start_matches('{').to_ascii_uppercase();
            let known = ["SSHA", "SHA", "SMD5", "MD5", "CRYPT", "SSHA256", "SSHA512", "PBKDF2"];
            known.contains(&name.as_str()) && rest.len() >= 16
        });
    // Magento's: the hash, its salt, its version.
    let is_salted = value.split_once(':').is_some_and(|(hash, salt)| {
        matches!(hash.len(), 32 | 40 | 64 | 128)
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
            && salt.len() >= 6
            && !salt.contains(' ')
    });
    BEGINNINGS.iter().any(|beginning| value.starts_with(beginning)) || is_ldap || is_salted
}

/// In the forms of well-known services, JSON Web Tokens and keys.
pub(crate) fn is_token(value: &str) -> bool {
    const BEGINNINGS: [&str; 25] = [
        "AKIA",
        "ASIA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "pk_live_",
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xapp-",
        "AIza",
        "ya29.",
        "npm_",
        "pypi-",
        "SG.",
        "whsec_",
        "sk-",
        "hvs.",
        "dop_v1_",
    ];
    let is_one_word = !value.contains(char::is_whitespace);
    let is_jwt = value.starts_with("eyJ") && value.split('.').count() == 3;
    let known = BEGINNINGS.iter().any(|beginning| value.starts_with(beginning));
    value.starts_with("-----BEGIN")
        || (is_one_word && value.len() >= 16 && (known || is_jwt))
        || ["Bearer ", "Basic "].iter().any(|word| {
            value.strip_prefix(word).is_some_and(|rest| rest.len() >= 8 && !rest.contains(' '))
        })
}

/// One word, long, with letters and digits in no order that a word or a number has.
pub(crate) fn is_random(value: &str) -> bool {
    let is_code = |b: u8| b.is_ascii_alphanumeric() || b"+/=_-.:".contains(&b);
    if value.len() < 16 || !value.bytes().all(is_code) {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    digits >= 2 && letters >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "Kim <kim@x.example>", "mailto:a.b+c@d-e.kr", "김@예시.한국"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["@b.co", "a@b", "a b@c.de", "a@1.2", "a@.de", "a@-b.de", "x@y.z", "@handle"] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in
            ["10.0.0.1", "::1", "10.0.0.0/8", "10.1.2.3:80", "[::1]:443", "1.2.3.4, 5.6.7.8"]
        {
            assert!(is_ip(good), "{good}");
        }
        for bad in ["1.2.3", "300.1.1.1", "12:30", "::", "", "a"] {
            assert!(!is_ip(bad), "{bad}");
        }
        assert!(is_url("https://x.example/a") && is_url("www.example.com"));
        assert!(!is_url("see https://x.example") && !is_url("://x") && !is_url("a b://c"));
    }

    #[test]
    fn secrets() {
        assert!(is_password_hash("$2b$12$abcdefghijklmnopqrstuv"));
        assert!(is_password_hash("{SSHA}0123456789abcdef0123"));
        assert!(!is_password_hash("$200") && !is_password_hash("{x}"));
        assert!(
            is_token("-----BEGIN PRIVATE KEY-----")
                && is_token("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl")
        );
        assert!(!is_token("sk-iing") && !is_token("Bearer of news"));
        assert!(is_random("3f9a0c4d5e6b7a8f9012") && !is_random("internationalization"));
    }
}
