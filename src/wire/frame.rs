//! Frames: type byte, length, body. The only place that reads a length.
//!
//! Sans-I/O. The invariant: the pieces of a stream, put behind each other, are that stream, and no piece crosses
//! from one message into the next. A type that the direction does not know, or a length that its type may not
//! have, ends the connection before a byte of the body is kept.
//! <https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>

use std::fmt;

use bytes::{Bytes, BytesMut};

/// Type byte and length.
const HEADER_BYTES: usize = 5;
/// PostgreSQL's `PQ_LARGE_MESSAGE_LIMIT`: what a client may announce at most.
const LARGE_BYTES_MAX: usize = 0x3fff_fffe;

/// A whole message, exactly as it came: type byte, length, body.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
}

#[expect(clippy::len_without_is_empty, reason = "a frame has at least its header")]
impl Frame {
    /// Wraps what was cut or encoded as exactly one message.
    pub(crate) fn new(bytes: Bytes) -> Frame {
        debug_assert!(bytes.len() >= HEADER_BYTES, "a frame has a header");
        Frame { bytes }
    }

    /// The type byte.
    pub fn tag(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// What comes after the length.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// All of it, header included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of all of it, header included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// All of it, for forwarding.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Says type and length only: a body may hold a password or a row.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?}, {} bytes)", char::from(self.tag()), self.len())
    }
}

/// What a read gives: small messages whole, large ones in pieces so that memory stays bounded.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Whole(Frame),
    /// The first bytes (header included, [`Limits::piece_bytes`] of them) of a message too long to hold: DataRow,
    /// CopyData, Bind and FunctionCall over `piece_bytes`; Query and Parse over `statement_bytes_max`, which are
    /// given out only so that they can be refused and skipped. At least one `More` follows.
    Start {
        /// The type byte.
        tag: u8,
        /// Header and the first part of the body.
        bytes: Bytes,
    },
    /// More of it.
    More {
        /// The next part.
        bytes: Bytes,
        /// True when this ends the message.
        last: bool,
    },
}

/// Says types and lengths only, as [`Frame`] does.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Whole(frame) => write!(f, "Whole({frame:?})"),
            Piece::Start { tag, bytes } => {
                write!(f, "Start({:?}, {} bytes)", char::from(*tag), bytes.len())
            }
            Piece::More { bytes, last } => write!(f, "More({} bytes, last: {last})", bytes.len()),
        }
    }
}

/// Who sends, and how far the connection is: decides which types there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A client before login: password and SASL messages only.
    Login,
    /// A client after login.
    Frontend,
    /// A server.
    Backend,
}

/// How long a message may be, by type; by phase of the connection (before or after login).
/// All lengths are of the whole message, header included.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Which types are known.
    pub direction: Direction,
    /// Query and Parse: longer ones come in pieces and are not read.
    pub statement_bytes_max: usize,
    /// Every other message that is held whole.
    pub small_bytes_max: usize,
    /// From this length on, DataRow, CopyData, Bind and FunctionCall come in pieces.
    pub piece_bytes: usize,
}

impl Limits {
    /// For a client before login: nothing but password messages of at most 10,000 bytes.
    pub fn login() -> Limits {
        Limits { direction: Direction::Login, ..Limits::frontend() }
    }

    /// For a client after login: statements up to 1 MiB, small messages up to 10,000 bytes as in PostgreSQL.
    /// Header, names and parameter types come on top of the text, so that a text of exactly 1 MiB is held whole.
    pub fn frontend() -> Limits {
        Limits {
            direction: Direction::Frontend,
            statement_bytes_max: 1024 * 1024 + 64 * 1024,
            small_bytes_max: 10_000,
            piece_bytes: 64 * 1024,
        }
    }

    /// For the server: everything but rows and copy data is held whole, up to 16 MiB.
    pub fn backend() -> Limits {
        Limits {
            direction: Direction::Backend,
            statement_bytes_max: 0,
            small_bytes_max: 16 * 1024 * 1024,
            piece_bytes: 64 * 1024,
        }
    }

    /// How a type is held, or `None` when the direction has no such type.
    fn holding(&self, tag: u8) -> Option<Holding> {
        let in_pieces = Holding::InPiecesOver(self.piece_bytes);
        match self.direction {
            Direction::Login => (tag == b'p').then_some(Holding::Whole),
            Direction::Frontend => match tag {
                b'Q' | b'P' => Some(Holding::InPiecesOver(self.statement_bytes_max)),
                b'B' | b'F' | b'd' => Some(in_pieces),
                // No `p`: after login PostgreSQL does not know password messages either.
                b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => Some(Holding::Whole),
                _ => None,
            },
            Direction::Backend => match tag {
                b'D' | b'd' => Some(in_pieces),
                b'1' | b'2' | b'3' | b'A' | b'C' | b'E' | b'G' | b'H' | b'I' | b'K' | b'N'
                | b'R' | b'S' | b'T' | b'V' | b'Z' | b'c' | b'n' | b's' | b't' | b'v' => {
                    Some(Holding::Whole)
                }
                _ => None,
            },
        }
    }

    /// The longest message that comes in pieces.
    fn large_bytes_max(&self) -> usize {
        match self.direction {
            Direction::Login | Direction::Frontend => LARGE_BYTES_MAX,
            Direction::Backend => usize::MAX,
        }
    }
}

/// How a type of message is given out.
#[derive(Clone, Copy)]
enum Holding {
    Whole,
    InPiecesOver(usize),
}

/// The bytes are no message of the protocol; the connection cannot go on (08P01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Unknown type byte.
    #[error("unknown message type {0:?}")]
    UnknownType(char),
    /// A length below 4, or over the limit for its type.
    #[error("message of type {tag:?} announces {length} bytes")]
    Length {
        /// The type byte.
        tag: char,
        /// What it announces.
        length: i64,
    },
}

impl FrameFault {
    /// SQLSTATE to close the connection with.
    pub fn code(&self) -> &'static str {
        match self {
            FrameFault::UnknownType(_) | FrameFault::Length { .. } => "08P01",
        }
    }
}

/// Cuts a stream into pieces. Sans-I/O: bytes go into the buffer, pieces come out.
#[derive(Debug)]
pub struct Pieces {
    limits: Limits,
    /// Bytes of a message given out in pieces that are still to come.
    left: usize,
}

impl Pieces {
    /// From the first byte after startup.
    pub fn new(limits: Limits) -> Pieces {
        Pieces { limits, left: 0 }
    }

    /// True between messages: nothing of a message given out in pieces is still to come.
    pub fn between_messages(&self) -> bool {
        self.left == 0
    }

    /// The next piece in `buffer`, or `None` until more bytes have come. After a fault the connection is over.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, FrameFault> {
        if self.left > 0 {
            return Ok(self.more(buffer));
        }
        let Some(header) = Header::read(buffer) else {
            // An unknown type is refused before its length has come: bytes that are no protocol at all.
            return match buffer.first() {
                Some(tag) if self.limits.holding(*tag).is_none() => {
                    Err(FrameFault::UnknownType(char::from(*tag)))
                }
                _ => Ok(None),
            };
        };
        let tag = char::from(header.tag);
        let holding = self.limits.holding(header.tag).ok_or(FrameFault::UnknownType(tag))?;
        let fault = FrameFault::Length { tag, length: i64::from(header.length) };
        let total = header.total().ok_or(fault)?;
        let piece = self.limits.piece_bytes.max(HEADER_BYTES);
        match holding {
            Holding::Whole if total > self.limits.small_bytes_max => Err(fault),
            Holding::InPiecesOver(_) if total > self.limits.large_bytes_max() => Err(fault),
            Holding::InPiecesOver(most) if total > most.max(piece) => {
                if buffer.len() < piece {
                    return Ok(None);
                }
                self.left = total - piece;
                Ok(Some(Piece::Start { tag: header.tag, bytes: buffer.split_to(piece).freeze() }))
            }
            Holding::Whole | Holding::InPiecesOver(_) => {
                if buffer.len() < total {
                    return Ok(None);
                }
                Ok(Some(Piece::Whole(Frame::new(buffer.split_to(total).freeze()))))
            }
        }
    }

    /// What has come of the message that is given out in pieces.
    fn more(&mut self, buffer: &mut BytesMut) -> Option<Piece> {
        let here = self.left.min(buffer.len());
        if here == 0 {
            return None;
        }
        self.left -= here;
        Some(Piece::More { bytes: buffer.split_to(here).freeze(), last: self.left == 0 })
    }
}

/// Bytes of the whole message, of which these are the first, header included; 0 for less than a header.
pub fn announced_bytes(bytes: &[u8]) -> u64 {
    let total = Header::read(bytes).and_then(|header| header.total());
    total.and_then(|total| u64::try_from(total).ok()).unwrap_or_default()
}

/// A header as it came.
struct Header {
    tag: u8,
    length: i32,
}

impl Header {
    fn read(buffer: &[u8]) -> Option<Header> {
        let (tag, rest) = buffer.split_first()?;
        let length = rest.first_chunk::<4>()?;
        Some(Header { tag: *tag, length: i32::from_be_bytes(*length) })
    }

    /// Bytes of the whole message; `None` when the length does not even cover itself.
    fn total(&self) -> Option<usize> {
        let length = usize::try_from(self.length).ok()?;
        (length >= 4).then_some(length)?.checked_add(1)
    }
}

#[cfg(test)]
mod tests;
