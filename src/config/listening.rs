//! `listen:` and `proxy_protocol:` of `scrim.yaml`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};

/// Where libpq and all other clients look for a socket in a folder.
const SOCKET_NAME: &str = ".s.PGSQL.";
/// Bytes of a socket's path at most (`sun_path` of Linux, with the zero byte at its end).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Who is believed when it says, by the PROXY protocol, for whom it speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// True for an address of theirs.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

/// `listen`: an address, a socket's path, or a list of them.
pub(super) fn listen(
    reader: &mut Reader<'_>,
    node: &Node,
    folder: &Path,
) -> Vec<(ListenAddress, Span)> {
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() {
        reader.complain(Diagnostic::error("`listen` names no address", node.span));
    }
    let mut found: Vec<(ListenAddress, Span)> = Vec::new();
    for node in nodes {
        let Some(text) = reader.text(node) else { continue };
        let address = match text.contains('/') {
            true => socket(reader, node, folder.join(text)),
            false => address_of(reader, node, &text).map(ListenAddress::Tcp),
        };
        let Some(address) = address else { continue };
        let is_any = matches!(&address, ListenAddress::Tcp(address) if address.port() == 0);
        match found.iter().find(|(other, _)| *other == address && !is_any) {
            Some((_, first)) => {
                let diagnostic = Diagnostic::error("this address stands here twice", node.span);
                reader.complain(diagnostic.also(*first, "first named here"));
            }
            None => found.push((address, node.span)),
        }
    }
    found
}

/// An address with a port.
pub(super) fn address(reader: &mut Reader<'_>, node: &Node) -> Option<SocketAddr> {
    let text = reader.text(node)?;
    address_of(reader, node, &text)
}

fn address_of(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        reader.complain(
            Diagnostic::error("this is no address with a port", node.span)
                .help("such as 127.0.0.1:6432, 0.0.0.0:6432 or \"[::1]:6432\""),
        );
    }
    address
}

fn socket(reader: &mut Reader<'_>, node: &Node, path: PathBuf) -> Option<ListenAddress> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let port = name.strip_prefix(SOCKET_NAME).unwrap_or_default();
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        let help = "such as /run/scrim/.s.PGSQL.6432, for clients with host=/run/scrim port=6432";
        let message = "a Unix socket is called `.s.PGSQL.` and a port, as clients look for it";
        reader.complain(Diagnostic::error(message, node.span).help(help));
        return None;
    }
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let message = format!(
            "the path of a Unix socket has {SOCKET_PATH_BYTES_MAX} bytes at most, and this one {}",
            path.as_os_str().len()
        );
        reader.complain(Diagnostic::error(message, node.span));
        return None;
    }
    Some(ListenAddress::Unix(path))
}

/// Keys of `proxy_protocol`.
pub(super) const PROXY_KEYS: [&str; 1] = ["from"];

/// `proxy_protocol`.
pub(super) fn proxy_protocol(reader: &mut Reader<'_>, node: &Node) -> TrustedProxies {
    let mut from = None;
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "from" => from = reader.given_texts(&entry.value),
            _ => reader.unknown_key(entry, &PROXY_KEYS),
        }
    }
    let from = from.unwrap_or_default();
    if from.is_empty() {
        let help =
            "`from: [10.0.0.5, 10.1.0.0/16]`: whose word counts for where a client comes from";
        let message = "`proxy_protocol` needs the addresses of the proxies";
        reader.complain(Diagnostic::error(message, node.span).help(help));
    }
    let mut networks = Vec::new();
    for (text, span) in from {
        match network(&text) {
            Ok(network) => networks.push(network),
            Err(why) => reader.complain(Diagnostic::error(why, span)),
        }
    }
    TrustedProxies(networks)
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| "this is no address and no network such as 10.1.0.0/16")?;
    if network.prefix_len() == 0 {
        return Err("this trusts everybody to say where they come from".to_owned());
    }
    if network.trunc() != network {
        return Err(format!("this network begins at {}", network.trunc()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::{TrustedProxies, network};

    #[test]
    fn networks_are_whole_and_never_everything() {
        for text in ["0.0.0.0/0", "::/0", "10.1.2.3/16", "10.0.0.0/33", "proxy", "", "10.0.0.1:5"] {
            assert!(network(text).is_err(), "{text}");
        }
        let trusted =
            ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"].map(|text| network(text).unwrap());
        let trusted = TrustedProxies(trusted.to_vec());
        for (address, expected) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.0.1", true),
            ("2001:db8:1::", true),
            ("::1", false),
        ] {
            assert_eq!(trusted.has(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!TrustedProxies::default().has([127, 0, 0, 1].into()));
    }
}
