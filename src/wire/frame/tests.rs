use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::{Direction, Frame, FrameFault, Limits, Piece, Pieces};

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.put_u32(u32::try_from(body.len()).unwrap() + 4);
    bytes.extend_from_slice(body);
    bytes
}

fn tiny() -> Limits {
    Limits {
        direction: Direction::Frontend,
        statement_bytes_max: 40,
        small_bytes_max: 30,
        piece_bytes: 16,
    }
}

/// Messages put together again: type, bytes, whether it came whole.
fn cut(limits: Limits, chunks: &[&[u8]]) -> Result<Vec<(u8, Vec<u8>, bool)>, FrameFault> {
    let mut pieces = Pieces::new(limits);
    let mut buffer = BytesMut::new();
    let mut messages: Vec<(u8, Vec<u8>, bool)> = Vec::new();
    let mut ended = true;
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Some(piece) = pieces.next(&mut buffer)? {
            match piece {
                Piece::Whole(frame) => {
                    assert!(ended);
                    messages.push((frame.tag(), frame.into_bytes().to_vec(), true));
                }
                Piece::Start { tag, bytes } => {
                    assert!(ended);
                    ended = false;
                    messages.push((tag, bytes.to_vec(), false));
                }
                Piece::More { bytes, last } => {
                    assert!(!ended && !bytes.is_empty());
                    ended = last;
                    messages.last_mut().unwrap().1.extend_from_slice(&bytes);
                }
            }
            assert_eq!(ended, pieces.between_messages());
        }
    }
    Ok(messages)
}

#[test]
fn a_long_bind_comes_in_pieces_and_a_long_query_over_its_own_limit() {
    let stream = [
        message(b'B', &[7; 30]),
        message(b'Q', &[8; 30]),
        message(b'Q', &[9; 36]),
        message(b'S', &[]),
    ];
    let whole: Vec<_> = cut(tiny(), &[&stream.concat()])
        .unwrap()
        .into_iter()
        .map(|(tag, bytes, whole)| (tag, bytes.len(), whole))
        .collect();
    assert_eq!(whole, [(b'B', 35, false), (b'Q', 35, true), (b'Q', 41, false), (b'S', 5, true)]);
}

#[test]
fn the_start_of_a_long_message_is_exactly_one_piece_long() {
    let mut buffer = BytesMut::from(message(b'd', &[1; 100]).as_slice());
    let start = Pieces::new(tiny()).next(&mut buffer).unwrap().unwrap();
    let expected = Bytes::from(message(b'd', &[1; 100])[..16].to_vec());
    assert_eq!(start, Piece::Start { tag: b'd', bytes: expected });
}

#[test]
fn lengths_that_lie_are_refused_before_the_body_comes() {
    for (tag, length) in [
        (b'S', 0_i32),
        (b'S', 3),
        (b'Q', -1),
        (b'D', i32::MIN),
        (b'S', 10_000),
        (b'f', 10_000),
        (b'Q', 0x3fff_fffe),
        (b'B', i32::MAX),
    ] {
        let mut bytes = vec![tag];
        bytes.put_i32(length);
        let fault = FrameFault::Length { tag: char::from(tag), length: i64::from(length) };
        assert_eq!(cut(Limits::frontend(), &[&bytes]), Err(fault));
    }
    let mut notice = vec![b'N'];
    notice.put_i32(16 * 1024 * 1024);
    assert!(cut(Limits::backend(), &[&notice]).is_err());
    let mut row = vec![b'D'];
    row.put_i32(i32::MAX);
    assert_eq!(cut(Limits::backend(), &[&row]), Ok(Vec::new()));
}

#[test]
fn types_belong_to_a_direction() {
    let unknown = |tag: u8| Err(FrameFault::UnknownType(char::from(tag)));
    assert_eq!(cut(Limits::login(), &[b"Q"]), unknown(b'Q'));
    assert_eq!(cut(Limits::login(), &[&message(b'p', b"x")]).unwrap().len(), 1);
    assert_eq!(cut(Limits::frontend(), &[b"T"]), unknown(b'T'));
    assert_eq!(cut(Limits::frontend(), &[b"p"]), unknown(b'p'));
    assert_eq!(cut(Limits::frontend(), &[&[0x16, 3, 1, 0, 9]]), unknown(0x16));
    assert_eq!(cut(Limits::backend(), &[b"Q"]), unknown(b'Q'));
    assert_eq!(cut(Limits::backend(), &[b"W"]), unknown(b'W'));
}

#[test]
fn a_frame_does_not_print_its_body() {
    let mut buffer = BytesMut::from(message(b'p', b"secret").as_slice());
    let piece = Pieces::new(Limits::login()).next(&mut buffer).unwrap();
    assert_eq!(format!("{piece:?}"), "Some(Whole(Frame('p', 11 bytes)))");
}

#[test]
fn a_text_of_one_mebibyte_is_held_whole_and_a_longer_one_is_skipped_in_bounded_memory() {
    const CHUNK: usize = 8 * 1024;
    let limits = Limits::frontend();
    let longest = message(b'Q', &vec![b'x'; 1024 * 1024]);
    assert!(cut(limits, &[&longest]).unwrap()[0].2);

    let sync = message(b'S', &[]);
    let stream = [message(b'P', &vec![b'x'; 5 * 1024 * 1024]), sync.clone()].concat();
    let mut pieces = Pieces::new(limits);
    let mut buffer = BytesMut::new();
    let mut most = 0;
    let mut last = None;
    for chunk in stream.chunks(CHUNK) {
        buffer.extend_from_slice(chunk);
        most = most.max(buffer.len());
        while let Some(piece) = pieces.next(&mut buffer).unwrap() {
            last = Some(piece);
        }
    }
    assert!(most <= limits.piece_bytes + CHUNK, "{most} bytes were held");
    assert_eq!(last, Some(Piece::Whole(Frame::new(sync.into()))));
}

#[test]
fn an_announced_length_makes_no_room() {
    for tag in *b"QPBFd" {
        let mut buffer = BytesMut::with_capacity(64);
        buffer.put_u8(tag);
        buffer.put_u32(0x3fff_0000);
        let capacity = buffer.capacity();
        assert_eq!(Pieces::new(Limits::frontend()).next(&mut buffer), Ok(None));
        assert_eq!((buffer.len(), buffer.capacity()), (5, capacity));
    }
}

proptest! {
    #[test]
    fn noise_never_panics_and_nothing_is_lost(
        noise in prop::collection::vec(
            prop_oneof![3 => Just(0_u8), 1 => prop::sample::select(b"QPBdSEDHXcFTRZ".to_vec()), 1 => any::<u8>()],
            0..200,
        ),
        direction in prop::sample::select(vec![Direction::Login, Direction::Frontend, Direction::Backend]),
    ) {
        let limits = Limits { direction, ..tiny() };
        let (mut pieces, mut buffer) = (Pieces::new(limits), BytesMut::from(noise.as_slice()));
        let mut given = Vec::new();
        while let Ok(Some(piece)) = pieces.next(&mut buffer) {
            match piece {
                Piece::Whole(frame) => given.extend_from_slice(&frame.into_bytes()),
                Piece::Start { bytes, .. } | Piece::More { bytes, .. } => {
                    given.extend_from_slice(&bytes);
                }
            }
        }
        given.extend_from_slice(&buffer);
        prop_assert_eq!(given, noise);
    }

    #[test]
    fn whole_or_byte_by_byte_gives_the_same_messages(
        messages in prop::collection::vec(
            (prop::sample::select(b"QPBdSEDHXcF".to_vec()), prop::collection::vec(any::<u8>(), 0..25)),
            0..12,
        ),
        rest in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut stream: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
        let sent = stream.clone();
        let whole = cut(tiny(), &[&stream]).unwrap();
        let together: Vec<u8> = whole.iter().flat_map(|(_, bytes, _)| bytes.clone()).collect();
        prop_assert_eq!(together, sent);
        prop_assert_eq!(whole.len(), messages.len());
        stream.extend_from_slice(&rest);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(cut(tiny(), &[&stream]), cut(tiny(), &bytes));
    }
}
