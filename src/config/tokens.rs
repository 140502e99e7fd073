//! `jwt:` of `scrim.yaml`: whose JSON Web Tokens are taken as passwords.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use super::read_text;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};
use crate::tokens::{ALGORITHMS, Address, AddressFault, Algorithm, KeyPlace, Keys, TokenOptions};
use crate::wire::tls;

pub(super) const KEYS: [&str; 8] = [
    "issuer",
    "audience",
    "keys",
    "ca",
    "user_claim",
    "role_claim",
    "algorithms",
    "leeway_seconds",
];
/// Clocks that are looked after are not further apart.
const LEEWAY_SECONDS: u64 = 10;
/// Where clocks are further apart than this, they have to be mended.
pub(super) const LEEWAY_SECONDS_MAX: u64 = 300;

/// Reads the key; `None` is complained about.
pub(super) fn tokens(
    reader: &mut Reader<'_>,
    node: &Node,
    span: Span,
    folder: &Path,
) -> Option<TokenOptions> {
    let (mut issuer, mut audience, mut place, mut ca) = (None, None, None, None);
    let (mut user_claim, mut role_claim) = (Some(vec!["sub".to_owned()]), None);
    let mut algorithms = Some(ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec());
    let mut leeway = Some(LEEWAY_SECONDS);
    let entries = reader.mapping(node);
    for entry in entries {
        let value = &entry.value;
        match entry.key.as_str() {
            "issuer" => issuer = reader.filled_text(value),
            "audience" => audience = texts(reader, value),
            "keys" => {
                if matches!(&value.kind, Kind::String(text) if text.contains('@')) {
                    // A password may stand in an address.
                    reader.conceal(value);
                }
                place = reader.filled_text(value).map(|text| (text, value.span));
            }
            "ca" => ca = reader.filled_text(value).map(|text| (folder.join(text), value.span)),
            "user_claim" => user_claim = texts(reader, value),
            "role_claim" => role_claim = texts(reader, value),
            "algorithms" => algorithms = read_algorithms(reader, value),
            "leeway_seconds" => leeway = reader.number(value, 0, LEEWAY_SECONDS_MAX),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    for (key, help) in [
        ("issuer", "what stands in `iss` of its tokens, to the letter"),
        ("audience", "what stands in `aud` of tokens that are meant for Scrim"),
        ("keys", "the issuer's key set: a file, or its address (`jwks_uri`)"),
    ] {
        if !entries.iter().any(|entry| entry.key == key) {
            reader.complain(Diagnostic::error(format!("`jwt` needs `{key}`"), span).help(help));
        }
    }
    let keys = match place? {
        (text, span) if text.contains("://") => address(reader, &text, span, ca)?,
        (text, span) => {
            if let Some((_, span)) = ca {
                let message = "`ca` counts for the address of keys only, and `keys` is a file";
                reader.complain(Diagnostic::error(message, span));
            }
            file(reader, &folder.join(text), span)?
        }
    };
    Some(TokenOptions {
        issuer: issuer?,
        audience: audience?,
        keys,
        user_claim: user_claim?,
        role_claim,
        algorithms: algorithms?,
        leeway: Duration::from_secs(leeway?),
    })
}

/// A text, or a list of at least one.
fn texts(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() {
        reader.complain(Diagnostic::error("this list is empty", node.span));
    }
    let found: Vec<String> = nodes.iter().filter_map(|node| reader.filled_text(node)).collect();
    (!nodes.is_empty() && found.len() == nodes.len()).then_some(found)
}

fn read_algorithms(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Algorithm>> {
    let names = reader.given_texts(node)?;
    if names.is_empty() {
        reader.complain(Diagnostic::error("this list is empty", node.span));
    }
    let known = ALGORITHMS.map(|(name, _)| name);
    let mut found = Vec::new();
    for (name, span) in names {
        match ALGORITHMS.iter().find(|(known, _)| *known == name) {
            Some((_, algorithm)) => found.push(*algorithm),
            None if name.starts_with("HS") || name.eq_ignore_ascii_case("none") => {
                let message =
                    format!("`{name}` is never taken: by it, others could make tokens too");
                let help = format!("one of: {}", known.join(", "));
                reader.complain(Diagnostic::error(message, span).help(help));
            }
            None => {
                let message = format!("`{name}` is none of: {}", known.join(", "));
                reader.complain(with_near(Diagnostic::error(message, span), &name, &known));
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

fn file(reader: &mut Reader<'_>, path: &Path, span: Span) -> Option<KeyPlace> {
    let read = read_text(path)
        .and_then(|text| Keys::read(text.as_bytes()).map_err(|fault| fault.to_string()));
    match read {
        Ok(keys) => {
            if keys.holds_secrets() {
                let message = format!("there are secret keys in `{}`", path.display());
                let help = "to check tokens their public parts are enough; who reads this file can \
                            make tokens";
                reader.complain(Diagnostic::warning(message, span).help(help));
            }
            Some(KeyPlace::File { path: path.to_owned(), keys: Arc::new(keys) })
        }
        Err(reason) => {
            let message = format!("cannot read keys from `{}`: {reason}", path.display());
            reader.complain(Diagnostic::error(message, span));
            None
        }
    }
}

fn address(
    reader: &mut Reader<'_>,
    text: &str,
    span: Span,
    ca: Option<(std::path::PathBuf, Span)>,
) -> Option<KeyPlace> {
    let is_open = text.starts_with("http:");
    let roots = match &ca {
        Some((path, span)) => {
            if is_open {
                let message = "`ca` counts for `https:` only";
                reader.complain(Diagnostic::error(message, *span));
            }
            let found = tls::root_certificates(path);
            found
                .map_err(|error| reader.complain(Diagnostic::error(error.to_string(), *span)))
                .ok()?
        }
        None if is_open => Arc::new(RootCertStore::empty()),
        None => system_roots(reader, span, "keys")?,
    };
    match Address::new(text, &roots) {
        Ok(address) => Some(KeyPlace::Address(address)),
        Err(fault) => {
            let help = match fault {
                AddressFault::NoAddress => "a file is named by its path, without `://`",
                AddressFault::Credentials => "leave them out",
                AddressFault::Open => {
                    "`https:`; `http:` is for this machine (localhost, 127.0.0.1) alone"
                }
            };
            reader.complain(Diagnostic::error(fault.to_string(), span).help(help));
            None
        }
    }
}

/// Whom the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
pub(super) fn system_roots(
    reader: &mut Reader<'_>,
    span: Span,
    beside: &str,
) -> Option<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let message = "this system trusts no authority, so that no `https:` address can be checked";
        let help = format!(
            "install its authorities (`ca-certificates`), or write `ca: FILE` beside `{beside}`"
        );
        reader.complain(Diagnostic::error(message, span).help(help));
        return None;
    }
    Some(Arc::new(roots))
}
