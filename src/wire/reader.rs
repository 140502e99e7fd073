//! Borrowed readers of message bodies.
//!
//! A reader gets the body of exactly one frame and must end exactly at its end: a string without terminator, a
//! count that promises more than there is, or a byte left over is [`Malformed`]. Nothing is copied but lists of
//! numbers; text that is not UTF-8 is refused, never replaced. No reader can panic, whatever the bytes.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

mod backend;
mod frontend;

pub use backend::{
    Authentication, BackendKey, Column, CommandTag, ErrorFields, Notification, authentication,
    backend_key, command_tag, data_row, error_fields, notification, parameter_status, ready_status,
    row_description,
};
pub use frontend::{
    Bind, BindHead, Close, Describe, Execute, Named, Parse, Query, SaslInitial, copy_fail,
    password, sasl_initial,
};

/// A body that is not what its type promises (08P01, or 22021 when only its text is not UTF-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}")]
pub struct Malformed {
    /// The message or the part of it.
    pub what: &'static str,
    /// True when the shape is right but a text is not UTF-8.
    pub utf8: bool,
}

impl Malformed {
    /// SQLSTATE to answer with.
    pub fn code(&self) -> &'static str {
        if self.utf8 { "22021" } else { "08P01" }
    }
}

/// Reads the body of a message that has none, of either side: Sync, Flush, Terminate, CopyDone, ParseComplete,
/// BindComplete, CloseComplete, NoData, PortalSuspended, EmptyQueryResponse. `what` names it.
pub fn nothing(body: &[u8], what: &'static str) -> Result<(), Malformed> {
    Walk::new(body, what).end()
}

/// Walks a body from left to right.
struct Walk<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Walk<'a> {
    fn new(body: &'a [u8], what: &'static str) -> Walk<'a> {
        Walk { left: body, what }
    }

    fn fault(&self) -> Malformed {
        Malformed { what: self.what, utf8: false }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(self.fault())?;
        self.left = left;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, left) = self.left.split_first_chunk::<N>().ok_or(self.fault())?;
        self.left = left;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    fn int16(&mut self) -> Result<i16, Malformed> {
        self.chunk().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Result<i32, Malformed> {
        self.chunk().map(i32::from_be_bytes)
    }

    fn oid(&mut self) -> Result<u32, Malformed> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// An Int16 that counts. Bind and Parse may count to 65,535, as PostgreSQL reads it.
    fn count(&mut self) -> Result<usize, Malformed> {
        self.chunk().map(u16::from_be_bytes).map(usize::from)
    }

    /// A value with its length before it; -1 is NULL.
    fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| self.fault())?;
                self.take(length).map(Some)
            }
        }
    }

    /// The bytes of a string, without its terminator.
    fn string_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self.left.iter().position(|byte| *byte == 0);
        let string = self.take(end.ok_or(self.fault())?)?;
        self.byte()?;
        Ok(string)
    }

    fn string(&mut self) -> Result<&'a str, Malformed> {
        let what = self.what;
        std::str::from_utf8(self.string_bytes()?).map_err(|_| Malformed { what, utf8: true })
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.left.is_empty() { Ok(()) } else { Err(self.fault()) }
    }
}

#[cfg(test)]
mod tests;
