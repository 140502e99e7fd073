//! Streams of frames that lie, and what must hold of cutting them.

use bytes::BytesMut;
use scrim::wire::{Frame, FrameFault, Limits, Piece, Pieces};

/// A stream's bytes out of an input's: a quarter of the inputs as they are, else frames. Each frame is a kind, how the
/// length lies, how long the body is, and the body.
pub fn stream(data: &[u8], tags: &[u8]) -> Vec<u8> {
    let Some((mode, mut rest)) = data.split_first() else { return Vec::new() };
    if mode % 4 == 0 {
        return rest.to_vec();
    }
    let mut stream = Vec::new();
    while let [kind, lie, length, tail @ ..] = rest {
        let body = &tail[..tail.len().min(usize::from(*length))];
        rest = &tail[body.len()..];
        let true_length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
        let announced = match lie {
            0..=199 => true_length,
            200..=209 => true_length + 1,
            210..=219 => true_length - 1,
            220..=224 => i32::MAX,
            225..=229 => i32::MIN,
            230..=234 => 0,
            235..=239 => -1,
            240..=244 => 3,
            245..=249 => true_length << 8,
            _ => true_length.saturating_add(i32::from(*kind) << 4),
        };
        stream.push(tags[usize::from(*kind) % tags.len()]);
        stream.extend_from_slice(&announced.to_be_bytes());
        stream.extend_from_slice(body);
    }
    stream
}

/// A message as it was cut: its bytes, and whether all of it came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    bytes: Vec<u8>,
    whole: bool,
    ended: bool,
}

/// What came of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    messages: Vec<Message>,
    fault: Option<FrameFault>,
    left: Vec<u8>,
}

/// Cuts a stream at once and in drips of several sizes; panics where that is not the same, where bytes are lost or
/// made, or where more is held than the limits say. Gives the whole frames.
pub fn cut(stream: &[u8], limits: Limits) -> Vec<Frame> {
    let mut frames = Vec::new();
    let whole = pieces(stream, stream.len().max(1), limits, &mut frames);
    for drip in [1, 2, 7, 64] {
        let dripped = pieces(stream, drip, limits, &mut Vec::new());
        assert_eq!(dripped, whole, "in drips of {drip}");
    }
    let given: usize = whole.messages.iter().map(|message| message.bytes.len()).sum();
    let all: Vec<u8> = whole.messages.iter().flat_map(|message| message.bytes.clone()).collect();
    assert_eq!(all, stream[..given], "what was given out is not what came");
    if whole.fault.is_none() {
        assert_eq!(whole.left, stream[given..], "bytes are lost");
    }
    frames
}

fn pieces(stream: &[u8], drip: usize, limits: Limits, frames: &mut Vec<Frame>) -> Cut {
    let held_max = limits.statement_bytes_max.max(limits.small_bytes_max).max(limits.piece_bytes);
    let mut cutter = Pieces::new(limits);
    let mut buffer = BytesMut::new();
    let mut messages: Vec<Message> = Vec::new();
    for part in stream.chunks(drip) {
        buffer.extend_from_slice(part);
        loop {
            match cutter.next(&mut buffer) {
                Ok(Some(Piece::Whole(frame))) => {
                    frames.push(frame.clone());
                    let bytes = frame.into_bytes().to_vec();
                    messages.push(Message { bytes, whole: true, ended: true });
                }
                Ok(Some(Piece::Start { bytes, .. })) => {
                    assert!(bytes.len() <= limits.piece_bytes.max(5), "a long first piece");
                    messages.push(Message { bytes: bytes.to_vec(), whole: false, ended: false });
                }
                Ok(Some(Piece::More { bytes, last })) => {
                    let message = messages.last_mut().expect("something to go on with");
                    assert!(!message.ended && !bytes.is_empty());
                    message.bytes.extend_from_slice(&bytes);
                    message.ended = last;
                }
                Ok(None) => break,
                Err(fault) => {
                    return Cut { messages, fault: Some(fault), left: Vec::new() };
                }
            }
        }
        assert!(buffer.len() <= held_max.max(5), "{} bytes are held", buffer.len());
        assert_eq!(cutter.between_messages(), messages.last().is_none_or(|last| last.ended));
    }
    Cut { messages, fault: None, left: buffer.to_vec() }
}

/// Small enough for what a fuzzer makes.
pub fn small(limits: Limits) -> Limits {
    Limits { statement_bytes_max: 96, small_bytes_max: 64, piece_bytes: 48, ..limits }
}
