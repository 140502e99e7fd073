//! Where a client comes from: its socket's other end, or what a trusted proxy says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// `None`: over a Unix socket.
    address: Option<SocketAddr>,
    via: Option<SocketAddr>,
}

impl Peer {
    /// Over TCP. An IPv4 address that a socket of IPv6 has taken is told as what it is.
    pub fn tcp(address: SocketAddr) -> Peer {
        Peer { address: Some(canonical(address)), via: None }
    }

    /// Over a Unix socket.
    pub fn local() -> Peer {
        Peer { address: None, via: None }
    }

    /// A client for whom this one, a proxy, has opened the connection.
    pub fn stands_for(self, client: SocketAddr) -> Peer {
        Peer { address: Some(canonical(client)), via: self.address }
    }

    /// The address without the port; `None`: over a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// The proxy between.
    pub fn via(&self) -> Option<SocketAddr> {
        self.via
    }
}

/// As in PostgreSQL's log.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("[local]"),
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn peers_are_told_by_their_own_addresses() {
        let mapped = Peer::tcp("[::ffff:10.0.0.1]:7".parse().unwrap());
        assert_eq!(mapped.to_string(), "10.0.0.1:7");
        assert_eq!(Peer::local().to_string(), "[local]");
        let behind = mapped.stands_for("[2001:db8::1]:9".parse().unwrap());
        assert_eq!(behind.to_string(), "[2001:db8::1]:9");
        assert_eq!(behind.via(), Some("10.0.0.1:7".parse().unwrap()));
    }
}
