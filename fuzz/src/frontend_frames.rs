//! What a client sends: cut, and read by Scrim and by pgwire.

use bytes::BytesMut;
use pgwire::messages::extendedquery as extended;
use pgwire::messages::simplequery;
use pgwire::messages::{DecodeContext, Message};
use scrim::wire::reader::{self, Bind, BindHead, Close, Describe, Execute, Named, Parse, Query};
use scrim::wire::{Limits, writer};

use crate::frames;

const TAGS: &[u8] = b"QPBFdCDEHSXcfpq\0";

/// One input; panics with what was found.
pub fn run(data: &[u8]) {
    let stream = frames::stream(data, TAGS);
    for limits in [Limits::login(), Limits::frontend(), frames::small(Limits::frontend())] {
        for frame in frames::cut(&stream, limits) {
            read(frame.tag(), frame.body());
        }
    }
    read_all(&stream);
}

/// Whatever the bytes, no reader panics.
fn read_all(body: &[u8]) {
    for tag in TAGS {
        read(*tag, body);
    }
}

/// Reads a body; what is read means exactly its bytes, and pgwire reads the same.
fn read(tag: u8, body: &[u8]) {
    match tag {
        b'Q' => {
            let Ok(read) = Query::read(body) else { return };
            same(body, |out| writer::query(out, read.text).is_ok());
            assert_eq!(decoded::<simplequery::Query>(body).query, read.text);
        }
        b'P' => {
            let Ok(read) = Parse::read(body) else { return };
            same(body, |out| writer::parse(out, read.name, read.text, &read.types).is_ok());
            let other = decoded::<extended::Parse>(body);
            assert_eq!((named(&other.name), other.query.as_str()), (read.name, read.text));
            assert_eq!(other.type_oids, read.types);
        }
        b'B' => {
            let head = BindHead::read(body);
            let Ok(read) = Bind::read(body) else { return };
            assert_eq!(head, Ok(read.head));
            let (formats, results) = (&read.parameter_formats, &read.result_formats);
            same(body, |out| {
                writer::bind(out, read.head, formats, &read.parameters, results).is_ok()
            });
            let other = decoded::<extended::Bind>(body);
            assert_eq!(named(&other.portal_name), read.head.portal);
            assert_eq!(named(&other.statement_name), read.head.statement);
            assert_eq!(&other.parameter_format_codes, formats);
            assert_eq!(&other.result_column_format_codes, results);
            let parameters: Vec<Option<&[u8]>> =
                other.parameters.iter().map(Option::as_deref).collect();
            assert_eq!(parameters, read.parameters);
        }
        b'C' => {
            let Ok(read) = Close::read(body) else { return };
            same(body, |out| writer::close(out, read.kind, read.name).is_ok());
            let other = decoded::<extended::Close>(body);
            assert_eq!((other.target_type, named(&other.name)), (letter(read.kind), read.name));
        }
        b'D' => {
            let Ok(read) = Describe::read(body) else { return };
            same(body, |out| writer::describe(out, read.kind, read.name).is_ok());
            let other = decoded::<extended::Describe>(body);
            assert_eq!((other.target_type, named(&other.name)), (letter(read.kind), read.name));
        }
        b'E' => {
            let Ok(read) = Execute::read(body) else { return };
            let other = decoded::<extended::Execute>(body);
            assert_eq!((named(&other.name), other.max_rows), (read.portal, read.rows_max));
        }
        b'f' => {
            let _ = reader::copy_fail(body);
        }
        b'p' => {
            let _ = reader::sasl_initial(body);
        }
        _ => {
            let _ = reader::nothing(body, "message");
        }
    }
}

/// The body, written again.
fn same(body: &[u8], write: impl FnOnce(&mut BytesMut) -> bool) {
    let mut out = BytesMut::new();
    assert!(write(&mut out), "what was read cannot be written");
    assert_eq!(&out[5..], body, "what was read is not what came");
}

/// pgwire's reading of a body that a reader of Scrim has accepted: its own takes bodies on trust.
fn decoded<M: Message>(body: &[u8]) -> M {
    let mut buffer = BytesMut::from(body);
    let read = M::decode_body(&mut buffer, body.len() + 4, &DecodeContext::default());
    let read = read.unwrap_or_else(|error| panic!("pgwire refuses what was accepted: {error}"));
    assert!(buffer.is_empty(), "pgwire leaves {} bytes", buffer.len());
    read
}

fn named(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or_default()
}

fn letter(kind: Named) -> u8 {
    match kind {
        Named::Statement => b'S',
        Named::Portal => b'P',
    }
}
