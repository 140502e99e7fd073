//! The PostgreSQL wire protocol, as bytes: frames, limits, borrowed readers, writers, TLS, SCRAM.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>
//!
//! One opinion about where a message starts: a frame is cut from its header, once, and whoever reads it gets that
//! exact slice. A reader that does not end exactly at the frame's end refuses it. `pgwire` encodes what Scrim
//! itself says and does the SCRAM arithmetic; its decoders never see bytes first.
//! This room knows no SQL, no roles and no sessions.

pub mod certificates;
pub mod channel_binding;
pub mod frame;
pub mod identity;
pub mod keepalive;
pub mod reader;
pub mod sasl;
pub mod startup;
pub mod tls;
pub mod writer;

pub use frame::{Frame, FrameFault, Limits, Piece, Pieces};

#[cfg(test)]
mod tests;
