//! By which names a client's certificate calls its holder.
//!
//! Pure. Whether an authority stands behind the certificate is for rustls to say, before; here it is only read, by
//! x509-parser. Names are compared whole and as they are: a wildcard is no pattern, and a zero byte in a name is a byte.
//! <https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6>

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// The common name of the subject, if there is exactly one, and the alternative names that are DNS names, mail
/// addresses or URIs. Nothing for what is no certificate.
pub fn names(certificate: &[u8]) -> Vec<String> {
    let Ok(([], certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let mut names = Vec::new();
    let mut common = certificate.subject().iter_common_name();
    // With two of them, readers differ in which one counts.
    if let (Some(name), None) = (common.next(), common.next()) {
        names.extend(name.as_str().ok().map(str::to_owned));
    }
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        names.extend(alternative.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                Some((*name).to_owned())
            }
            _ => None,
        }));
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::names;

    fn certificate(common: &[&str], alternative: &[SanType]) -> Vec<u8> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for (number, name) in common.iter().enumerate() {
            // rcgen has one value for each type; a second common name goes by its number.
            let kind = match number {
                0 => DnType::CommonName,
                _ => DnType::CustomDnType(vec![2, 5, 4, 3]),
            };
            parameters.distinguished_name.push(kind, *name);
        }
        parameters.subject_alt_names = alternative.to_vec();
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn common_and_alternative_names() {
        let text = |name: &str| name.to_owned().try_into().unwrap();
        let der = certificate(
            &["dba"],
            &[
                SanType::DnsName(text("dba.example.com")),
                SanType::Rfc822Name(text("dba@example.com")),
                SanType::URI(text("spiffe://example.com/dba")),
                SanType::IpAddress([10, 0, 0, 1].into()),
            ],
        );
        let expected = ["dba", "dba.example.com", "dba@example.com", "spiffe://example.com/dba"];
        assert_eq!(names(&der), expected);
    }

    #[test]
    fn names_are_whole_and_two_common_ones_are_none() {
        assert_eq!(names(&certificate(&["dba\0.evil.com"], &[])), ["dba\0.evil.com"]);
        assert_eq!(names(&certificate(&["dba", "eve"], &[])), Vec::<String>::new());
        assert_eq!(names(&certificate(&[], &[])), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        assert_eq!(names(b""), Vec::<String>::new());
        let mut der = certificate(&["dba"], &[]);
        der.push(0);
        assert_eq!(names(&der), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = certificate(&["dba"], &[]);
            let place = at.index(der.len());
            der[place] = byte;
            let _ = names(&der);
        }
    }
}
