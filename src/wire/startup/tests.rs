use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::{FirstPacket, Startup, StartupFault, read};

fn packet(code: u32, body: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u32(u32::try_from(body.len()).unwrap() + 8);
    bytes.put_u32(code);
    bytes.extend_from_slice(body);
    bytes
}

fn startup(body: &[u8]) -> Result<Startup, StartupFault> {
    version(0x0003_0000, body)
}

fn version(version: u32, body: &[u8]) -> Result<Startup, StartupFault> {
    match read(&mut packet(version, body))? {
        Some(FirstPacket::Startup(startup)) => Ok(startup),
        _ => panic!("no startup"),
    }
}

fn options(text: &str) -> Result<Vec<(String, String)>, StartupFault> {
    startup(format!("user\0a\0options\0{text}\0\0").as_bytes()).map(|startup| startup.options)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_startup_message() {
    let read = startup(b"user\0alice\0database\0desk\0client_encoding\0UTF8\0\0").unwrap();
    assert_eq!((read.user(), read.database()), (Some("alice"), Some("desk")));
    assert_eq!(read.parameter("client_encoding"), Some("UTF8"));
    assert_eq!(read.negotiation(), None);
    let read = startup(b"user\0alice\0\0").unwrap();
    assert_eq!(read.database(), Some("alice"));
    assert_eq!(startup(b"database\0desk\0\0").unwrap().user(), None);
}

#[test]
fn requests_and_cancels_have_exact_lengths() {
    assert!(matches!(read(&mut packet(80_877_103, b"")), Ok(Some(FirstPacket::SslRequest))));
    assert!(matches!(read(&mut packet(80_877_104, b"")), Ok(Some(FirstPacket::GssEncRequest))));
    assert!(read(&mut packet(80_877_103, b"x")).is_err());
    let cancel = read(&mut packet(80_877_102, &[0, 0, 0, 7, 1, 2, 3, 4])).unwrap();
    assert!(matches!(
        cancel,
        Some(FirstPacket::Cancel { process_id: 7, key }) if key == [1, 2, 3, 4]
    ));
    assert!(read(&mut packet(80_877_102, &[0, 0, 0, 7, 1, 2, 3])).is_err());
    assert!(read(&mut packet(80_877_102, &[0; 261])).is_err());
}

#[test]
fn lengths_and_terminators_that_lie() {
    for length in [0_i32, 7, -1, 10_001, i32::MIN] {
        let mut bytes = BytesMut::new();
        bytes.put_i32(length);
        assert!(matches!(read(&mut bytes), Err(StartupFault::Length)));
    }
    assert!(startup(b"").is_err());
    assert!(startup(b"user\0alice\0").is_err());
    assert!(startup(b"user\0alice").is_err());
    assert!(startup(b"user\0alice\0\0x").is_err());
    assert!(startup(b"user\0alice\0\0\0").is_err());
    assert!(startup(b"user\0alice\0user\0dba\0\0").is_err());
    assert_eq!(startup(b"user\0\xff\0\0"), Err(StartupFault::Utf8));
    let fault = StartupFault::Version { major: 2, minor: 0 };
    assert_eq!(version(0x0002_0000, b"user\0a\0\0"), Err(fault));
}

#[test]
fn what_comes_behind_the_packet_stays() {
    let mut bytes = packet(80_877_103, b"");
    bytes.extend_from_slice(b"early");
    assert!(read(&mut bytes).unwrap().is_some());
    assert_eq!(bytes.as_ref(), b"early");
}

#[test]
fn newer_versions_and_unknown_options_are_negotiated() {
    let read = version(0x0003_270f, b"user\0a\0_pq_.grease\0x\0\0").unwrap();
    let negotiation = read.negotiation().unwrap();
    assert_eq!(negotiation.version, 0x0003_0002);
    assert_eq!(negotiation.unknown_options, ["_pq_.grease"]);
    let read = version(0x0003_0000, b"user\0a\0_pq_.x\0\0\0").unwrap();
    assert_eq!(read.negotiation().unwrap().version, 0x0003_0000);
    let read = version(0x0003_0002, b"user\0a\0\0").unwrap();
    assert_eq!((read.negotiation(), read.minor_spoken()), (None, 2));
    let read = version(0x0003_0001, b"user\0a\0\0").unwrap();
    assert_eq!((read.negotiation().unwrap().version, read.minor_spoken()), (0x0003_0000, 0));
}

#[test]
fn options_are_split_as_postgresql_splits_them() {
    assert_eq!(options("").unwrap(), []);
    assert_eq!(options(" \t ").unwrap(), []);
    let geqo = pairs(&[("geqo", "off")]);
    for text in ["-c geqo=off", "-cgeqo=off", "--geqo=off", "  -c\tgeqo=off "] {
        assert_eq!(options(text).unwrap(), geqo, "{text}");
    }
    assert_eq!(
        options(r"-c search_path=a,\ b --application-name=x\\y\").unwrap(),
        pairs(&[("search_path", "a, b"), ("application_name", r"x\y")])
    );
    assert_eq!(options("-c a=b=c").unwrap(), pairs(&[("a", "b=c")]));
    assert_eq!(options("-c a=").unwrap(), pairs(&[("a", "")]));
}

#[test]
fn other_switches_are_refused() {
    for text in ["-d 5", "-e", "geqo=off", "--", "-", "\\", "-c =x", "--=x", "-x-c a=b"] {
        assert!(matches!(options(text), Err(StartupFault::Argument(_))), "{text}");
    }
    for text in ["-c", "-c geqo", "-cgeqo", "--geqo"] {
        assert!(matches!(options(text), Err(StartupFault::NoValue(_))), "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_a_packet_waits_for_its_end(
        code in prop_oneof![Just(80_877_102_u32), Just(80_877_103), Just(0x0003_0000), any::<u32>()],
        body in prop::collection::vec(prop_oneof![Just(0_u8), Just(b'-'), Just(b'c'), any::<u8>()], 0..60),
        cut in 0_usize..60,
    ) {
        let mut whole = packet(code, &body);
        let cut = cut.min(whole.len() - 1);
        let mut part = BytesMut::from(&whole[..cut]);
        prop_assert!(matches!(read(&mut part), Ok(None)));
        prop_assert_eq!(part.len(), cut);
        let _ = read(&mut whole);
        prop_assert!(whole.is_empty());
    }
}
