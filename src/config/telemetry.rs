//! `telemetry:` of scrim.yaml.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;

use super::tokens::system_roots;
use crate::telemetry::{Address, AddressFault, TelemetryOptions};
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};
use crate::wire::tls;

pub(super) const KEYS: [&str; 4] = ["otlp", "ca", "service_name", "sample"];

/// One in a hundred: a busy Scrim has thousands of statements a second.
const SAMPLE: f64 = 0.01;
const SERVICE_NAME: &str = "scrim";

/// Reads the value of `telemetry`; `span` is its key's.
pub(super) fn telemetry(
    reader: &mut Reader<'_>,
    node: &Node,
    span: Span,
    folder: &Path,
) -> Option<TelemetryOptions> {
    let mut place = None;
    let mut ca = None;
    let mut service_name = Some(SERVICE_NAME.to_owned());
    let mut sample = Some(SAMPLE);
    if !matches!(node.kind, Kind::Mapping(_)) {
        // It may be an address with a password in it.
        reader.conceal(node);
    }
    let entries = reader.mapping(node);
    for entry in entries {
        let value = &entry.value;
        match entry.key.as_str() {
            "otlp" => {
                reader.conceal(value);
                place = Some(reader.filled_text(value).map(|text| (text, value.span)));
            }
            "ca" => ca = reader.filled_text(value).map(|text| (folder.join(text), value.span)),
            "service_name" => service_name = reader.filled_text(value),
            "sample" => sample = share(reader, value),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if place.is_none() {
        let help = "the collector's address, such as http://127.0.0.1:4318";
        reader.complain(Diagnostic::error("`telemetry` needs `otlp`", span).help(help));
    }
    let (text, span) = place??;
    let address = address(reader, &text, span, ca)?;
    Some(TelemetryOptions { address, service_name: service_name?, sample: sample? })
}

fn address(
    reader: &mut Reader<'_>,
    text: &str,
    span: Span,
    ca: Option<(PathBuf, Span)>,
) -> Option<Address> {
    let is_open = !text.starts_with("https:");
    let roots: Option<Arc<RootCertStore>> = match ca {
        Some((_, span)) if is_open => {
            reader.complain(Diagnostic::error("`ca` counts for `https:` only", span));
            None
        }
        Some((path, span)) => {
            let found = tls::root_certificates(&path);
            let found =
                found.map_err(|error| reader.complain(Diagnostic::error(error.to_string(), span)));
            Some(found.ok()?)
        }
        None if is_open => None,
        None => Some(system_roots(reader, span, "otlp")?),
    };
    match Address::new(text, roots.as_ref()) {
        Ok(address) => Some(address),
        Err(fault) => {
            let help = match fault {
                AddressFault::NoAddress => {
                    "`http:` or `https:`, OTLP over HTTP (usually port 4318)"
                }
                AddressFault::Credentials => {
                    "the environment's OTEL_EXPORTER_OTLP_HEADERS has headers such as `Authorization`"
                }
            };
            reader.complain(Diagnostic::error(fault.to_string(), span).help(help));
            None
        }
    }
}

/// A number from 0 to 1.
fn share(reader: &mut Reader<'_>, node: &Node) -> Option<f64> {
    let text = match &node.kind {
        Kind::Number(text) => Some(text.clone()),
        Kind::String(text) if text.contains("${") => Some(reader.text(node)?),
        Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::Sequence(_) | Kind::Mapping(_) => None,
    };
    let share = text.and_then(|text| text.parse().ok());
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        let message = "`sample` needs a number from 0 to 1, the share that is taken";
        let help = "such as 0.01, one in a hundred";
        reader.complain(Diagnostic::error(message, node.span).help(help));
    }
    share
}
