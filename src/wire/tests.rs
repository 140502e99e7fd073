//! Frames, readers and writers together, with pgwire's encoder as the second opinion.
//!
//! Two properties: what pgwire encodes is cut and read as what it says; and whatever a reader accepts, however
//! damaged it came, means exactly its bytes: written again it is the same. The second leaves no room for a body that
//! two readers could understand differently.

use bytes::{Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::extendedquery as extended;
use pgwire::messages::simplequery;
use proptest::prelude::*;

use super::reader::{self, Bind, BindHead, Close, Describe, Execute, Named, Parse, Query};
use super::startup::{self, FirstPacket};
use super::{Frame, Limits, Piece, Pieces, writer};

/// The only frame of `bytes`.
fn one_frame(mut bytes: BytesMut, limits: Limits) -> Frame {
    let piece = Pieces::new(limits).next(&mut bytes).unwrap().unwrap();
    assert!(bytes.is_empty());
    match piece {
        Piece::Whole(frame) => frame,
        Piece::Start { .. } | Piece::More { .. } => panic!("not whole"),
    }
}

fn encoded(message: &impl Message, limits: Limits) -> Frame {
    let mut out = BytesMut::new();
    message.encode(&mut out).unwrap();
    one_frame(out, limits)
}

fn body(say: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    say(&mut out);
    out[5..].to_vec()
}

fn name() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

type Values = Vec<Option<Vec<u8>>>;

fn values() -> impl Strategy<Value = Values> {
    prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), 0..6)
}

fn borrowed(values: &Values) -> Vec<Option<&[u8]>> {
    values.iter().map(Option::as_deref).collect()
}

fn formats() -> impl Strategy<Value = Vec<i16>> {
    prop::collection::vec(0..2_i16, 0..4)
}

/// Table, column, type, size, modifier and format of a result column.
type Numbers = (u32, i16, u32, i16, i32, i16);

fn column() -> impl Strategy<Value = (String, Numbers)> {
    (name(), any::<Numbers>())
}

/// A change to a body: bytes replaced, put in, taken out, cut off or added.
#[derive(Debug, Clone)]
enum Damage {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let byte = || prop_oneof![Just(0_u8), Just(1), Just(255), Just(0x7f), any::<u8>()];
    let one = prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        at().prop_map(Damage::Remove),
        at().prop_map(Damage::Cut),
        prop::collection::vec(byte(), 1..6).prop_map(Damage::Append),
    ];
    prop::collection::vec(one, 0..4)
}

fn damaged(mut body: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for each in damage {
        let room = body.len();
        match each {
            Damage::Replace(at, byte) if room > 0 => body[at.index(room)] = *byte,
            Damage::Insert(at, byte) => body.insert(at.index(room + 1), *byte),
            Damage::Remove(at) if room > 0 => drop(body.remove(at.index(room))),
            Damage::Replace(..) | Damage::Remove(_) => {}
            Damage::Cut(at) => body.truncate(at.index(room + 1)),
            Damage::Append(bytes) => body.extend_from_slice(bytes),
        }
    }
    body
}

/// Gives the body to every reader that has a writer; what is accepted must come out as it came.
fn accepted_is_exact(bytes: &[u8]) {
    let same = |written: Vec<u8>| assert_eq!(written, bytes);
    if let Ok(read) = Query::read(bytes) {
        same(body(|out| writer::query(out, read.text).unwrap()));
    }
    if let Ok(read) = Parse::read(bytes) {
        same(body(|out| writer::parse(out, read.name, read.text, &read.types).unwrap()));
    }
    if let Ok(read) = Bind::read(bytes) {
        let (formats, results) = (&read.parameter_formats, &read.result_formats);
        same(body(|out| {
            writer::bind(out, read.head, formats, &read.parameters, results).unwrap();
        }));
        assert_eq!(BindHead::read(bytes), Ok(read.head));
    }
    if let Ok(read) = Describe::read(bytes) {
        same(body(|out| writer::describe(out, read.kind, read.name).unwrap()));
    }
    if let Ok(read) = Close::read(bytes) {
        same(body(|out| writer::close(out, read.kind, read.name).unwrap()));
    }
    if let Ok(read) = Execute::read(bytes) {
        same(body(|out| writer::execute(out, read.portal, read.rows_max).unwrap()));
    }
    if let Ok(read) = reader::row_description(bytes) {
        same(body(|out| writer::row_description(out, &read).unwrap()));
    }
    if let Ok(read) = reader::data_row(bytes) {
        same(body(|out| writer::data_row(out, &read).unwrap()));
    }
    if let Ok((name, value)) = reader::parameter_status(bytes) {
        same(body(|out| writer::parameter_status(out, name, value)));
    }
    if let Ok(read) = reader::command_tag(bytes) {
        same(body(|out| writer::command_complete(out, read.text)));
    }
    if let Ok(read) = reader::backend_key(bytes) {
        same(body(|out| writer::backend_key_data(out, read.process_id, read.key).unwrap()));
    }
    if let Ok(status) = reader::ready_status(bytes) {
        same(body(|out| writer::ready_for_query(out, status)));
    }
    if let Ok(read) = reader::sasl_initial(bytes)
        && let Some(data) = read.data
    {
        same(body(|out| writer::sasl_initial(out, read.mechanism, data).unwrap()));
    }
    let _ = reader::error_fields(bytes).map(Iterator::count);
    let _ = reader::authentication(bytes);
}

fn columns(described: &[(String, Numbers)]) -> Vec<reader::Column<'_>> {
    let mut columns = Vec::new();
    for (name, numbers) in described {
        let (table, number, type_oid, size, modifier, format) = *numbers;
        columns.push(reader::Column { name, table, number, type_oid, size, modifier, format });
    }
    columns
}

#[test]
fn the_origin_of_a_column_can_be_changed_and_nothing_else() {
    let came = b"\0\x02id\0\0\0\x40\0\0\x03\0\0\0\x14\0\x08\xff\xff\xff\xff\0\x01\
                 e\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\x0c\0\0";
    let mut columns = reader::row_description(came).unwrap();
    (columns[1].table, columns[1].number) = (16_384, 5);
    let changed = body(|out| writer::row_description(out, &columns).unwrap());
    let mut expected = came.to_vec();
    expected[25..31].copy_from_slice(&[0, 0, 0x40, 0, 0, 5]);
    assert_eq!(changed, expected);
}

#[test]
fn lists_longer_than_their_count_are_not_written() {
    let long = vec![0_i16; 65_536];
    let nulls = vec![None; 65_536];
    let head = BindHead { portal: "", statement: "" };
    let mut out = BytesMut::new();
    assert!(writer::bind(&mut out, head, &long, &[], &[]).is_err());
    assert!(writer::bind(&mut out, head, &[], &nulls, &[]).is_err());
    assert!(writer::bind(&mut out, head, &[], &[], &long).is_err());
    assert!(writer::bind(&mut out, BindHead { portal: "a\0", ..head }, &[], &[], &[]).is_err());
    assert!(writer::data_row(&mut out, &nulls).is_err());
    assert!(out.is_empty());
    writer::bind(&mut out, head, &long[1..], &nulls[1..], &long[1..]).unwrap();
    let frame = Frame::new(out.freeze());
    let read = Bind::read(frame.body()).unwrap();
    assert_eq!((read.parameters.len(), read.result_formats.len()), (65_535, 65_535));
}

#[test]
fn nothing_that_holds_a_statement_or_a_value_prints_it() {
    let parse = Parse { name: "s", text: "SELECT 'secret'", types: vec![25] };
    let bind = Bind {
        head: BindHead { portal: "", statement: "s" },
        parameter_formats: vec![],
        parameters: vec![Some(b"secret")],
        result_formats: vec![],
    };
    let fields = reader::error_fields(b"C22P02\0Minvalid: \"secret\"\0\0").unwrap();
    let printed = format!("{parse:?} {:?} {bind:?} {fields:?}", Query { text: parse.text });
    assert!(!printed.contains("secret") && printed.contains("ErrorFields(\"CM\")"), "{printed}");
}

#[test]
fn messages_without_a_body_have_none() {
    assert_eq!(reader::nothing(b"", "Sync message"), Ok(()));
    // A Sync that covers a Query: one reader's statement is another's padding.
    let hidden = reader::nothing(b"Q\0\0\0\x0dSELECT 1\0", "Sync message").unwrap_err();
    assert_eq!((hidden.to_string().as_str(), hidden.code()), ("malformed Sync message", "08P01"));
    assert_eq!(reader::copy_fail(b"why\0"), Ok("why"));
    assert!(reader::copy_fail(b"why").is_err() && reader::copy_fail(b"why\0\0").is_err());
    assert_eq!(reader::copy_fail(b"\xff\0").unwrap_err().code(), "22021");
}

#[test]
fn first_packets_read_back() {
    let said = |say: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        say(&mut out);
        let packet = startup::read(&mut out).unwrap().unwrap();
        assert!(out.is_empty());
        packet
    };
    assert!(matches!(said(&writer::ssl_request), FirstPacket::SslRequest));
    let parameters = [("user", "alice"), ("options", r"-c a=b\ c"), ("x", "")];
    let read = said(&|out| writer::startup(out, &parameters).unwrap());
    let FirstPacket::Startup(read) = read else { panic!("no startup") };
    assert_eq!((read.minor, read.user(), read.parameter("x")), (0, Some("alice"), Some("")));
    assert_eq!(read.options, [("a".to_owned(), "b c".to_owned())]);
    for length in [4, 32, 256] {
        let key = vec![7_u8; length];
        let read = said(&|out| writer::cancel_request(out, -5, &key).unwrap());
        assert!(matches!(read, FirstPacket::Cancel { process_id: -5, key: read } if read == key));
        let told = body(|out| writer::backend_key_data(out, -5, &key).unwrap());
        assert_eq!(reader::backend_key(&told).unwrap().key, key);
    }
    for length in [0, 3, 257] {
        let (mut out, key) = (BytesMut::new(), vec![7; length]);
        assert!(writer::backend_key_data(&mut out, 1, &key).is_err(), "{length}");
        assert!(writer::cancel_request(&mut out, 1, &key).is_err(), "{length}");
        assert!(out.is_empty());
    }
}

#[test]
fn negotiation_is_said_as_postgresql_says_it() {
    let mut out = BytesMut::new();
    writer::negotiate_protocol_version(&mut out, 0x0003_0002, &["_pq_.x".to_owned()]);
    assert_eq!(out.as_ref(), b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
}

proptest! {
    #[test]
    fn what_pgwire_encodes_is_read_as_it_is_meant(
        (portal, statement, text) in (name(), name(), name()),
        types in prop::collection::vec(any::<u32>(), 0..5),
        (parameter_formats, result_formats) in (formats(), formats()),
        values in values(),
        rows_max in any::<i32>(),
    ) {
        let frontend = Limits::frontend();
        let frame = encoded(&simplequery::Query::new(text.clone()), frontend);
        prop_assert_eq!(Query::read(frame.body()), Ok(Query { text: &text }));

        let message =
            extended::Parse::new(Some(statement.clone()), text.clone(), types.clone());
        let frame = encoded(&message, frontend);
        prop_assert_eq!(frame.tag(), b'P');
        prop_assert_eq!(Parse::read(frame.body()), Ok(Parse { name: &statement, text: &text, types }));

        let message = extended::Bind::new(
            Some(portal.clone()),
            Some(statement.clone()),
            parameter_formats.clone(),
            values.iter().map(|value| value.clone().map(Bytes::from)).collect(),
            result_formats.clone(),
        );
        let frame = encoded(&message, frontend);
        let expected = Bind {
            head: BindHead { portal: &portal, statement: &statement },
            parameter_formats,
            parameters: borrowed(&values),
            result_formats,
        };
        prop_assert_eq!(BindHead::of_whole(frame.body()), Ok(expected.head));
        prop_assert_eq!(Bind::read(frame.body()), Ok(expected));

        for (byte, kind) in [(b'S', Named::Statement), (b'P', Named::Portal)] {
            let frame = encoded(&extended::Describe::new(byte, Some(portal.clone())), frontend);
            prop_assert_eq!(Describe::read(frame.body()), Ok(Describe { kind, name: &portal }));
            let frame = encoded(&extended::Close::new(byte, Some(portal.clone())), frontend);
            prop_assert_eq!(Close::read(frame.body()), Ok(Close { kind, name: &portal }));
        }
        let frame = encoded(&extended::Execute::new(Some(portal.clone()), rows_max), frontend);
        prop_assert_eq!(Execute::read(frame.body()), Ok(Execute { portal: &portal, rows_max }));
    }

    #[test]
    fn what_a_reader_accepts_means_exactly_its_bytes(
        (portal, statement, text) in (name(), name(), name()),
        types in prop::collection::vec(any::<u32>(), 0..5),
        (parameter_formats, result_formats) in (formats(), formats()),
        values in values(),
        described in prop::collection::vec(column(), 0..4),
        damage in damage(),
    ) {
        let head = BindHead { portal: &portal, statement: &statement };
        let bodies = [
            body(|out| writer::query(out, &text).unwrap()),
            body(|out| writer::parse(out, &statement, &text, &types).unwrap()),
            body(|out| {
                let values = borrowed(&values);
                writer::bind(out, head, &parameter_formats, &values, &result_formats).unwrap();
            }),
            body(|out| writer::close(out, Named::Portal, &portal).unwrap()),
            body(|out| writer::execute(out, &portal, 7).unwrap()),
            body(|out| writer::row_description(out, &columns(&described)).unwrap()),
            body(|out| writer::data_row(out, &borrowed(&values)).unwrap()),
            body(|out| writer::parameter_status(out, &portal, &text)),
            body(|out| writer::sasl_initial(out, "SCRAM-SHA-256", text.as_bytes()).unwrap()),
            body(|out| writer::authentication_sasl(out, &["SCRAM-SHA-256", &text])),
            body(|out| {
                writer::error_response(out, &writer::ErrorMessage::new("ERROR", "42501", &text));
            }),
        ];
        for each in bodies {
            accepted_is_exact(&each);
            accepted_is_exact(&damaged(each, &damage));
        }
    }
}
