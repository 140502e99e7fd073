//! Frames: type byte, length, body. The only place that reads a length.

use bytes::{Bytes, BytesMut};

/// A whole message, exactly as it came: type byte, length, body.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
}

impl Frame {
    /// The type byte.
    pub fn tag(&self) -> u8 {
        todo!()
    }

    /// What comes after the length.
    pub fn body(&self) -> &[u8] {
        todo!()
    }

    /// All of it, for forwarding.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// What a read gives: small messages whole, large rows and values in pieces so that memory stays bounded.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Whole(Frame),
    /// The first bytes (header included) of a message too long to hold: only DataRow, CopyData and Bind.
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

/// How long a message may be, by type; by phase of the connection (before or after login).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Query and Parse.
    pub statement_bytes_max: usize,
    /// Every other message that is held whole.
    pub small_bytes_max: usize,
    /// From this length on, DataRow, CopyData and Bind come in pieces.
    pub piece_bytes: usize,
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

    /// The next piece in `buffer`, or `None` until more bytes have come.
    pub fn next(&mut self, _buffer: &mut BytesMut) -> Result<Option<Piece>, FrameFault> {
        let _ = (&self.limits, self.left);
        todo!()
    }
}
