//! The end of a session: one FATAL where PostgreSQL would say one, then the socket.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stream::ClientStream;
use crate::sql::Refusal;
use crate::upstream::UpstreamError;
use crate::wire::FrameFault;
use crate::wire::reader::Malformed;
use crate::wire::writer::{self, ErrorMessage};

/// How long a client may take to read the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long the socket is kept for a client that is still sending: closing earlier would reset the connection, and
/// the last words with it.
const LINGER: Duration = Duration::from_secs(1);
/// How much it may send meanwhile.
const LINGER_READS_MAX: usize = 64;

/// Why a client is sent away. Everything in it may be shown to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct Farewell {
    /// SQLSTATE.
    pub code: String,
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Farewell {
    /// Code and message.
    pub fn new(code: &str, message: impl Into<String>) -> Farewell {
        Farewell { code: code.to_owned(), message: message.into(), hint: None }
    }

    /// With a hint.
    pub fn hint(self, hint: impl Into<String>) -> Farewell {
        Farewell { hint: Some(hint.into()), ..self }
    }

    /// As PostgreSQL says it at a shutdown.
    pub fn shutdown() -> Farewell {
        Farewell::new("57P01", "terminating connection due to administrator command")
    }

    /// For who comes while Scrim is ending.
    pub fn elsewhere() -> Farewell {
        Farewell::new("57P03", "scrim: this Scrim is shutting down")
            .hint("connect again: to another one, or to this one when it is back")
    }

    /// The message for the client.
    pub fn frame(&self) -> Bytes {
        let mut said = BytesMut::new();
        let error = ErrorMessage {
            hint: self.hint.as_deref(),
            ..ErrorMessage::new("FATAL", &self.code, &self.message)
        };
        writer::error_response(&mut said, &error);
        said.freeze()
    }
}

impl From<FrameFault> for Farewell {
    fn from(fault: FrameFault) -> Farewell {
        Farewell::new(fault.code(), fault.to_string())
    }
}

impl From<Malformed> for Farewell {
    fn from(fault: Malformed) -> Farewell {
        Farewell::new(fault.code(), fault.to_string())
    }
}

impl From<&UpstreamError> for Farewell {
    /// What PostgreSQL says where it speaks of the client's wish; the rest stays in the log.
    fn from(error: &UpstreamError) -> Farewell {
        match error {
            UpstreamError::Refused { code, message }
                if matches!(code.as_str(), "3D000" | "53300" | "53400" | "57P03" | "57P04") =>
            {
                Farewell::new(code, message.clone())
            }
            UpstreamError::Refused { code, message }
                if code.starts_with("22") || code == "42704" =>
            {
                // A startup parameter's value, which came from the client.
                Farewell::new(code, message.clone())
            }
            UpstreamError::Refused { .. } => {
                Farewell::new("08004", "scrim: the database refused the login of Scrim")
                    .hint("the log of Scrim has the database's answer")
            }
            UpstreamError::Connect { .. }
            | UpstreamError::Unfit { .. }
            | UpstreamError::NoHost(_) => {
                Farewell::new("57P03", "scrim: the database cannot be reached")
                    .hint("Scrim is up and connects as soon as the database is")
            }
            UpstreamError::Tls(_) | UpstreamError::Broken(_) => {
                Farewell::new("08006", "scrim: the connection to the database failed")
                    .hint("the log of Scrim has the details")
            }
        }
    }
}

/// A refusal as the client reads it: an ERROR, after which the session goes on.
pub fn error_frame(refusal: &Refusal) -> Bytes {
    let mut said = BytesMut::new();
    let error = ErrorMessage {
        hint: refusal.hint.as_deref(),
        position: refusal.position,
        ..ErrorMessage::new("ERROR", refusal.code, &refusal.message)
    };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// Writes the last words and closes, within limits of time and bytes.
pub async fn close(mut stream: ClientStream, last_words: &[u8]) {
    let saying = async {
        stream.write_all(last_words).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    let Ok(Ok(())) = tokio::time::timeout(LAST_WORDS, saying).await else { return };
    let lingering = async {
        let mut ignored = [0; 4096];
        for _ in 0..LINGER_READS_MAX {
            if !matches!(stream.read(&mut ignored).await, Ok(1..)) {
                return;
            }
        }
    };
    // Whoever still sends after that is cut off.
    let _ = tokio::time::timeout(LINGER, lingering).await;
}
