//! The PROXY protocol, version 2: a load balancer says whose connection it has passed on.
//!
//! The header is read by ppp, off the socket to its last byte and no further. INVARIANT: only who is trusted is listened
//! to, and must say something; everybody else's header is the first bytes of a client that is none. A header is read once:
//! a second one is read as what comes after the first, a startup message, and is none.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2

use std::net::SocketAddr;

use ppp::v2::{Addresses, Command, Header, Protocol};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Signature, command, family, and the length of the rest.
const HEAD_BYTES: usize = 16;
/// Addresses have 36 bytes at most; what balancers add (TLS names, identifiers of cloud endpoints) has some hundred.
const REST_BYTES_MAX: usize = 2048;

/// A trusted proxy does not say for whom it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It has gone.
    #[error("a trusted proxy closed the connection before its PROXY header was whole")]
    Gone,
    /// No version 2, not of a TCP client, or lengths that lie.
    #[error("a trusted proxy sent no PROXY header of version 2 for a TCP client")]
    Header,
}

/// Reads the header. `None`: the proxy speaks for itself, as health checks do.
pub async fn read_header(
    socket: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyFault> {
    let mut head = [0; HEAD_BYTES];
    // Byte by byte as far as it can be one, so that another protocol's client is not waited for.
    for place in 0..HEAD_BYTES {
        let byte = socket.read_u8().await.map_err(|_| ProxyFault::Gone)?;
        let Some(here) = head.get_mut(place) else { return Err(ProxyFault::Header) };
        *here = byte;
        if ppp::v2::PROTOCOL_PREFIX.get(place).is_some_and(|expected| *expected != byte) {
            return Err(ProxyFault::Header);
        }
    }
    let [.., high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > REST_BYTES_MAX {
        return Err(ProxyFault::Header);
    }
    let mut header = head.to_vec();
    header.resize(HEAD_BYTES.saturating_add(length), 0);
    let rest = header.get_mut(HEAD_BYTES..).unwrap_or_default();
    socket.read_exact(rest).await.map_err(|_| ProxyFault::Gone)?;
    let header = Header::try_from(header.as_slice()).map_err(|_| ProxyFault::Header)?;
    match (header.command, header.protocol, header.addresses) {
        (Command::Local, _, _) => Ok(None),
        (Command::Proxy, Protocol::Stream, Addresses::IPv4(addresses)) => {
            Ok(Some((addresses.source_address, addresses.source_port).into()))
        }
        (Command::Proxy, Protocol::Stream, Addresses::IPv6(addresses)) => {
            Ok(Some((addresses.source_address, addresses.source_port).into()))
        }
        (Command::Proxy, _, _) => Err(ProxyFault::Header),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::{ProxyFault, read_header};

    /// What is read of these bytes, and how many are left.
    fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyFault>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut left = bytes;
        let read = runtime.block_on(read_header(&mut left));
        (read, left.len())
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    const IPV4: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0x19, 0x20];

    #[test]
    fn clients_are_who_the_header_says_and_nothing_behind_it_is_read() {
        let mut bytes = header(0x21, 0x11, &IPV4);
        bytes.extend(b"what the client says");
        assert_eq!(read(&bytes), (Ok(Some("203.0.113.7:12345".parse().unwrap())), 20));
        let mut ipv6 = [0; 36];
        ipv6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        ipv6[15] = 1;
        ipv6[33] = 9;
        let expected = Ok(Some("[2001:db8::1]:9".parse().unwrap()));
        assert_eq!(read(&header(0x21, 0x21, &ipv6)), (expected, 0));
        // More than the addresses: a checksum, names, whatever.
        let with_more = [&IPV4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
        assert_eq!(read(&header(0x21, 0x11, &with_more)).1, 0);
        // A health check, with addresses or without.
        assert_eq!(read(&header(0x20, 0, b"")), (Ok(None), 0));
        assert_eq!(read(&header(0x20, 0x11, &IPV4)), (Ok(None), 0));
    }

    #[test]
    fn everything_else_is_refused() {
        for (bytes, fault) in [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(), ProxyFault::Header),
            (vec![0, 0, 0, 8, 4, 210, 22, 47], ProxyFault::Header),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), ProxyFault::Header),
            (Vec::new(), ProxyFault::Gone),
            (b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec(), ProxyFault::Gone),
            // Version 1 and 3, an unknown command, families and transports.
            (header(0x11, 0x11, &IPV4), ProxyFault::Header),
            (header(0x31, 0x11, &IPV4), ProxyFault::Header),
            (header(0x22, 0x11, &IPV4), ProxyFault::Header),
            (header(0x21, 0x41, &IPV4), ProxyFault::Header),
            (header(0x21, 0x13, &IPV4), ProxyFault::Header),
            // Not of TCP: unknown, a datagram, a Unix socket.
            (header(0x21, 0x00, b""), ProxyFault::Header),
            (header(0x21, 0x12, &IPV4), ProxyFault::Header),
            (header(0x21, 0x31, &[b'/'; 216]), ProxyFault::Header),
            // Lengths that lie.
            (header(0x21, 0x11, &IPV4[..11]), ProxyFault::Header),
            (header(0x21, 0x21, &IPV4), ProxyFault::Header),
            (header(0x21, 0x11, &[0; 2049]), ProxyFault::Header),
            (header(0x21, 0x11, &IPV4)[..20].to_vec(), ProxyFault::Gone),
        ] {
            assert_eq!(read(&bytes).0, Err(fault), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics(
            command in prop_oneof![Just(0x21_u8), any::<u8>()],
            family in prop_oneof![Just(0x11_u8), Just(0x21), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..300),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = header(command, family, &rest);
            let _ = read(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(read(&bytes).0.is_err());
        }
    }
}
