//! What ties a SCRAM login to the TLS connection that it runs over: the hash of the server's certificate.
//!
//! Pure. The certificate is the peer's and may be anything: it is walked, never trusted, and what cannot be walked
//! has no binding.
//! <https://www.rfc-editor.org/rfc/rfc5929#section-4.1> (`tls-server-end-point`)

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// DER of SEQUENCE and OBJECT IDENTIFIER.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// 1.2.840.113549.1.1 (PKCS #1) and 1.2.840.10045.4 (ECDSA), without the arcs that name the hash.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// The binding data of a certificate in DER: its hash, by the hash function of its own signature, and by SHA-256
/// where that is MD5 or SHA-1. `None` where the RFC defines none (Ed25519, RSA-PSS), for hashes that nobody signs
/// with, and for what is no certificate.
pub fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = hash_of_signature(signature_algorithm(certificate)?)?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, signature }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, after) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(after, SEQUENCE)?;
    let (oid, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(oid)
}

fn hash_of_signature(oid: &[u8]) -> Option<&'static Algorithm> {
    if let Some(arcs) = oid.strip_prefix(RSA) {
        return match arcs {
            // md5WithRSAEncryption, sha1WithRSAEncryption, sha256WithRSAEncryption
            [4 | 5 | 11] => Some(&SHA256),
            [12] => Some(&SHA384),
            [13] => Some(&SHA512),
            _ => None,
        };
    }
    match oid.strip_prefix(ECDSA)? {
        // ecdsa-with-SHA1, ecdsa-with-SHA256
        [1] | [3, 2] => Some(&SHA256),
        [3, 3] => Some(&SHA384),
        [3, 4] => Some(&SHA512),
        _ => None,
    }
}

/// The content of the element at the start of `der`, which must have this tag, and what stands behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        // The long form: so many bytes of length. Four are plenty.
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            (usize::try_from(length).ok()?, rest)
        }
        _ => return None,
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::digest::{SHA256, SHA384, digest};

    use super::{element, hash_of_signature, tls_server_end_point};

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let der = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(tls_server_end_point(&der).unwrap(), digest(&SHA256, &der).as_ref());
        let der = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(tls_server_end_point(&der).unwrap(), digest(&SHA384, &der).as_ref());
        assert_eq!(tls_server_end_point(&certificate(&rcgen::PKCS_ED25519)), None);
    }

    #[test]
    fn old_hashes_become_sha_256_and_odd_ones_nothing() {
        let rsa = |last: u8| [super::RSA, &[last]].concat();
        for last in [4, 5, 11] {
            assert_eq!(hash_of_signature(&rsa(last)), Some(&SHA256));
        }
        // RSA-PSS names its hash elsewhere; SHA-224 is nobody's.
        for last in [10, 14] {
            assert_eq!(hash_of_signature(&rsa(last)), None);
        }
        assert_eq!(hash_of_signature(super::ECDSA), None);
        assert_eq!(hash_of_signature(b""), None);
    }

    #[test]
    fn lengths_that_lie_are_no_elements() {
        for der in
            [&b"\x30"[..], b"\x30\x02a", b"\x30\x80", b"\x30\x82\xff", b"\x30\x85\0\0\0\0\x01a"]
        {
            assert_eq!(element(der, 0x30), None);
        }
        assert_eq!(element(b"\x30\x84\xff\xff\xff\xffa", 0x30), None);
        assert_eq!(element(b"\x30\x81\x01ab", 0x30), Some((&b"a"[..], &b"b"[..])));
        assert_eq!(element(b"\x31\x01a", 0x30), None);
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), end in any::<prop::sample::Index>()) {
            let mut der = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
            let place = at.index(der.len().min(40));
            der[place] = byte;
            der.truncate(end.index(der.len()));
            let _ = tls_server_end_point(&der);
        }
    }
}
