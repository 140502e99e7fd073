use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::password::scram_sha_256;
use proptest::prelude::*;

use super::{EndPoint, ProcessSecret, SaslFault, Scram, mechanisms};
use crate::wire::channel_binding::tls_server_end_point;

fn log_in(verifier: Option<&str>, password: &str) -> Result<(), SaslFault> {
    let secret = ProcessSecret::random().unwrap();
    let mut server = Scram::new(verifier, "alice", &secret, None);
    let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    let first = server.first(mechanisms(None)[0], client.message())?;
    client.update(first.as_bytes()).unwrap();
    let last = server.last(client.message())?;
    client.finish(last.as_bytes()).unwrap();
    Ok(())
}

#[test]
fn a_client_logs_in_with_the_right_password_only() {
    let verifier = scram_sha_256(b"alice-demo");
    assert_eq!(log_in(Some(&verifier), "alice-demo"), Ok(()));
    assert_eq!(log_in(Some(&verifier), "alice"), Err(SaslFault::Password));
    assert_eq!(log_in(Some(&verifier), ""), Err(SaslFault::Password));
}

#[test]
fn nobody_unknown_gets_in() {
    assert_eq!(log_in(None, "alice-demo"), Err(SaslFault::Password));
    let short = "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA";
    for verifier in ["", "md5abc", "SCRAM-SHA-256$0:AAAA$:", short] {
        assert_eq!(log_in(Some(verifier), ""), Err(SaslFault::Password));
    }
}

#[test]
fn an_unknown_user_has_the_same_salt_at_every_try() {
    let secret = ProcessSecret::random().unwrap();
    let salt = |user: &str| {
        let first = Scram::new(None, user, &secret, None).first("SCRAM-SHA-256", b"n,,n=,r=abc");
        let first = first.unwrap();
        let salt = first.split(',').nth(1).unwrap().to_owned();
        assert!(salt.starts_with("s=") && first.ends_with(",i=4096"));
        salt
    };
    assert_eq!(salt("mallory"), salt("mallory"));
    assert_ne!(salt("mallory"), salt("mallet"));
}

#[test]
fn other_mechanisms_bindings_lengths_and_orders_are_refused() {
    let secret = ProcessSecret::random().unwrap();
    let first = |mechanism: &str, data: &[u8]| {
        let mut scram = Scram::new(None, "alice", &secret, None);
        scram.first(mechanism, data).map(|_| ())
    };
    let name = "SCRAM-SHA-256";
    assert_eq!(first(name, b"y,,n=,r=abc"), Ok(()));
    assert_eq!(first("SCRAM-SHA-256-PLUS", b"n,,n=,r=a"), Err(SaslFault::Mechanism));
    let binding = b"p=tls-server-end-point,,n=,r=a";
    assert_eq!(first(name, binding), Err(SaslFault::ChannelBinding));
    assert_eq!(first(name, b""), Err(SaslFault::Malformed));
    assert_eq!(first(name, b"n,,n=,"), Err(SaslFault::Malformed));
    assert_eq!(first(name, b"\xff"), Err(SaslFault::Malformed));
    assert_eq!(first(name, &[b'n'; 2049]), Err(SaslFault::TooLong(2049)));
    let mut scram = Scram::new(None, "alice", &secret, None);
    assert_eq!(scram.last(b"c=biws"), Err(SaslFault::OutOfTurn));
    assert_eq!(scram.first(name, b"n,,n=,r=a"), Err(SaslFault::OutOfTurn));
}

/// The client's last message as `change` leaves it.
fn last_changed(change: impl FnOnce(&str) -> String) -> Result<(), SaslFault> {
    let secret = ProcessSecret::random().unwrap();
    let verifier = scram_sha_256(b"alice-demo");
    let mut server = Scram::new(Some(&verifier), "alice", &secret, None);
    let mut client = ScramSha256::new(b"alice-demo", ChannelBinding::unsupported());
    let first = server.first(mechanisms(None)[0], client.message()).unwrap();
    client.update(first.as_bytes()).unwrap();
    let last = change(std::str::from_utf8(client.message()).unwrap());
    server.last(last.as_bytes()).map(|_| ())
}

#[test]
fn a_last_message_that_was_tampered_with_is_refused() {
    assert_eq!(last_changed(str::to_owned), Ok(()));
    let nonce = |last: &str| {
        let (head, rest) = last.split_once(",r=").unwrap();
        let (nonce, proof) = rest.split_once(",p=").unwrap();
        (head.to_owned(), nonce.to_owned(), proof.to_owned())
    };
    let shorter = |last: &str| {
        let (head, nonce, proof) = nonce(last);
        format!("{head},r={},p={proof}", &nonce[..nonce.len() - 1])
    };
    let longer = |last: &str| {
        let (head, nonce, proof) = nonce(last);
        format!("{head},r={nonce}x,p={proof}")
    };
    assert_eq!(last_changed(shorter), Err(SaslFault::Malformed));
    assert_eq!(last_changed(longer), Err(SaslFault::Malformed));
    // `biws` is `n,,`, `eSws` is `y,,`: what the first message said must be said again.
    let flag = |last: &str| last.replacen("c=biws", "c=eSws", 1);
    assert_eq!(last_changed(flag), Err(SaslFault::Malformed));
    let extended = |last: &str| last.replacen(",p=", ",x=y,p=", 1);
    assert_ne!(last_changed(extended), Ok(()));
    let without_proof = |last: &str| last.split_once(",p=").unwrap().0.to_owned();
    assert_eq!(last_changed(without_proof), Err(SaslFault::Malformed));
    let short_proof = |last: &str| format!("{},p=AAAA", last.split_once(",p=").unwrap().0);
    assert_eq!(last_changed(short_proof), Err(SaslFault::Malformed));
    let other_proof =
        |last: &str| format!("{},p={}=", last.split_once(",p=").unwrap().0, "A".repeat(43));
    assert_eq!(last_changed(other_proof), Err(SaslFault::Password));
    assert_eq!(
        last_changed(|last| format!("{last}{}", " ".repeat(2048))).unwrap_err().code(),
        "08P01"
    );
}

#[test]
fn an_unknown_user_looks_the_same_at_each_step() {
    let secret = ProcessSecret::random().unwrap();
    let verifier = scram_sha_256(b"alice-demo");
    let shapes = [Some(verifier.as_str()), None].map(|verifier| {
        let mut server = Scram::new(verifier, "alice", &secret, None);
        let mut client = ScramSha256::new(b"guess", ChannelBinding::unsupported());
        let first = server.first(mechanisms(None)[0], client.message()).unwrap();
        client.update(first.as_bytes()).unwrap();
        (first.len(), first.split(',').count(), server.last(client.message()))
    });
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0].2, Err(SaslFault::Password));
}

#[test]
fn first_messages_that_ask_for_more_are_refused() {
    let secret = ProcessSecret::random().unwrap();
    for data in [
        "n,a=dba,n=,r=abc", // to act for somebody else
        "n,,m=x,n=,r=abc",  // an extension that must be understood
        "x,,n=,r=abc",
        "N,,n=,r=abc",
        "n,n=,r=abc",
        "n,,r=abc",
        "n,,n=",
    ] {
        let mut scram = Scram::new(None, "alice", &secret, None);
        let read = scram.first("SCRAM-SHA-256", data.as_bytes());
        assert_eq!(read, Err(SaslFault::Malformed), "{data}");
    }
    let mut scram = Scram::new(None, "alice", &secret, None);
    assert_eq!(scram.first("scram-sha-256", b"n,,n=,r=a"), Err(SaslFault::Mechanism));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn noise_never_panics_and_never_logs_in(
        first in "[nyp,=arm]{0,12}(n=)?,(r=)?[ -~]{0,12}",
        last in prop_oneof!["(c=biws)?,(r=)?[ -~]{0,40},(p=)?[A-Za-z0-9+/=]{0,50}", "\\PC{0,40}"],
    ) {
        let secret = ProcessSecret::random().unwrap();
        let verifier = scram_sha_256(b"alice-demo");
        let mut scram = Scram::new(Some(&verifier), "alice", &secret, None);
        let _ = scram.first("SCRAM-SHA-256", first.as_bytes());
        prop_assert!(scram.last(last.as_bytes()).is_err());
    }
}

fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.self_signed(&key).unwrap().der().to_vec()
}

/// A login over TLS with this certificate, as a client that sees `seen` and was offered `mechanism`.
fn log_in_bound(own: &[u8], seen: ChannelBinding, mechanism: &str) -> Result<(), SaslFault> {
    let secret = ProcessSecret::random().unwrap();
    let verifier = scram_sha_256(b"alice-demo");
    let mut server = Scram::new(Some(&verifier), "alice", &secret, EndPoint::of(own));
    let mut client = ScramSha256::new(b"alice-demo", seen);
    let first = server.first(mechanism, client.message())?;
    client.update(first.as_bytes()).unwrap();
    let last = server.last(client.message())?;
    client.finish(last.as_bytes()).unwrap();
    Ok(())
}

#[test]
fn over_tls_a_login_is_bound_to_the_certificate() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let (own, other) = (certificate(algorithm), certificate(algorithm));
        let end_point = EndPoint::of(&own).unwrap();
        assert_eq!(mechanisms(Some(&end_point)), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
        let bound =
            |der: &[u8]| ChannelBinding::tls_server_end_point(tls_server_end_point(der).unwrap());
        let (plus, plain) = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
        assert_eq!(log_in_bound(&own, bound(&own), plus), Ok(()));
        // Who has no use for it.
        assert_eq!(log_in_bound(&own, ChannelBinding::unsupported(), plain), Ok(()));
        // Somebody in between shows another certificate.
        assert_eq!(log_in_bound(&own, bound(&other), plus), Err(SaslFault::OtherEndPoint));
        // Somebody in between does not pass the offer on.
        let downgraded = log_in_bound(&own, ChannelBinding::unrequested(), plain);
        assert_eq!(downgraded, Err(SaslFault::Downgrade));
        assert_eq!(downgraded.unwrap_err().code(), "28000");
        // Or changes what the client says of it.
        assert_eq!(log_in_bound(&own, bound(&own), plain), Err(SaslFault::ChannelBinding));
        let unbound = log_in_bound(&own, ChannelBinding::unsupported(), plus);
        assert_eq!(unbound, Err(SaslFault::ChannelBinding));
        let unbound = log_in_bound(&own, ChannelBinding::unrequested(), plus);
        assert_eq!(unbound, Err(SaslFault::ChannelBinding));
    }
}

#[test]
fn a_certificate_that_defines_no_binding_offers_none() {
    for der in [certificate(&rcgen::PKCS_ED25519), b"no certificate".to_vec(), Vec::new()] {
        assert!(EndPoint::of(&der).is_none());
    }
    let own = certificate(&rcgen::PKCS_ED25519);
    assert_eq!(log_in_bound(&own, ChannelBinding::unrequested(), "SCRAM-SHA-256"), Ok(()));
    let plus = log_in_bound(&own, ChannelBinding::unrequested(), "SCRAM-SHA-256-PLUS");
    assert_eq!(plus, Err(SaslFault::Mechanism));
}

#[test]
fn other_bindings_and_changed_ones_are_refused() {
    let own = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    let secret = ProcessSecret::random().unwrap();
    let verifier = scram_sha_256(b"alice-demo");
    for data in [
        "p=tls-unique,,n=,r=abc",
        "p=tls-exporter,,n=,r=abc",
        "p=,,n=,r=abc",
        "p,,n=,r=abc",
        "p=tls-server-end-point,a=dba,n=,r=abc",
        "p=tls-server-end-point",
    ] {
        let mut scram = Scram::new(Some(&verifier), "alice", &secret, EndPoint::of(&own));
        let read = scram.first("SCRAM-SHA-256-PLUS", data.as_bytes());
        assert_eq!(read, Err(SaslFault::ChannelBinding), "{data}");
    }
    // The binding of the first message alone, and none at all.
    for last in ["c=cD10bHMtc2VydmVyLWVuZC1wb2ludCws,r=abc,p=AAAA", "c=biws,r=abc,p=AAAA", "", "c="]
    {
        let mut scram = Scram::new(Some(&verifier), "alice", &secret, EndPoint::of(&own));
        scram.first("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc").unwrap();
        assert_eq!(scram.last(last.as_bytes()), Err(SaslFault::OtherEndPoint), "{last}");
    }
}
