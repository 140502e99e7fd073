//! What a server sends: cut, and read by Scrim and by pgwire.

use bytes::BytesMut;
use pgwire::messages::{DecodeContext, Message};
use pgwire::messages::{data, response, startup};
use scrim::wire::Limits;
use scrim::wire::reader;

use crate::frames;

const TAGS: &[u8] = b"123ACEGHIKNRSTVZcdDnstv\0";

/// One input; panics with what was found.
pub fn run(bytes: &[u8]) {
    let stream = frames::stream(bytes, TAGS);
    for limits in [Limits::backend(), frames::small(Limits::backend())] {
        for frame in frames::cut(&stream, limits) {
            read(frame.tag(), frame.body());
        }
    }
    for tag in TAGS {
        read(*tag, &stream);
    }
}

fn read(tag: u8, body: &[u8]) {
    match tag {
        b'T' => {
            let Ok(read) = reader::row_description(body) else { return };
            let other = decoded::<data::RowDescription>(body);
            assert_eq!(other.fields.len(), read.len());
            for (other, read) in other.fields.iter().zip(&read) {
                assert_eq!(other.name, read.name);
                assert_eq!((other.table_id, other.column_id), (signed(read.table), read.number));
                assert_eq!((other.type_id, other.type_size), (read.type_oid, read.size));
                assert_eq!((other.type_modifier, other.format_code), (read.modifier, read.format));
            }
        }
        b'D' => {
            let Ok(read) = reader::data_row(body) else { return };
            let other = decoded::<data::DataRow>(body);
            assert_eq!(usize::from(other.field_count as u16), read.len());
        }
        b'E' | b'N' => {
            let Ok(read) = reader::error_fields(body) else { return };
            let clean = scrim::guard::clean_error_fields(body).expect("an error that was read");
            let clean = reader::error_fields(&clean).expect("a cleaned error is one");
            assert_eq!(clean.clone().count(), clean.count());
            let other = decoded::<response::ErrorResponse>(body);
            let read: Vec<(u8, String)> = read.map(|(code, text)| (code, text.into())).collect();
            assert_eq!(other.fields, read);
        }
        b'Z' => {
            let _ = reader::ready_status(body);
        }
        b'C' => {
            let Ok(read) = reader::command_tag(body) else { return };
            assert_eq!(decoded::<response::CommandComplete>(body).tag, read.text);
        }
        b'S' => {
            let Ok((name, value)) = reader::parameter_status(body) else { return };
            let other = decoded::<startup::ParameterStatus>(body);
            assert_eq!((other.name.as_str(), other.value.as_str()), (name, value));
        }
        b'K' => {
            let _ = reader::backend_key(body);
        }
        b'R' => {
            let _ = reader::authentication(body);
        }
        _ => {
            let _ = reader::nothing(body, "message");
        }
    }
}

fn signed(oid: u32) -> i32 {
    i32::from_be_bytes(oid.to_be_bytes())
}

/// pgwire's reading of a body that a reader of Scrim has accepted: its own takes bodies on trust.
fn decoded<M: Message>(body: &[u8]) -> M {
    let mut buffer = BytesMut::from(body);
    let read = M::decode_body(&mut buffer, body.len() + 4, &DecodeContext::default());
    let read = read.unwrap_or_else(|error| panic!("pgwire refuses what was accepted: {error}"));
    assert!(buffer.is_empty(), "pgwire leaves {} bytes", buffer.len());
    read
}
