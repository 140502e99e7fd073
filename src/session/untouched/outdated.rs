//! Prepared statements that are not what they were, after their session has got another server connection. Pure.
//!
//! PostgreSQL refuses to run a statement whose columns have become others since it was prepared; on another connection it
//! is prepared anew, would have the new columns, and the client would read rows by the old ones. So it is not left there,
//! and whoever binds or describes it hears what PostgreSQL would say. Drivers that know the error prepare it again.

use std::collections::HashSet;

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::Frame;
use crate::wire::reader::{self, BindHead, Named};
use crate::wire::writer::{self, ErrorMessage, OTHER_COLUMNS};

/// Of what is more than this the server says that it does not exist.
const NAMES_MAX: usize = 1024;
/// The statement that is named in its place, which does not exist.
const NOBODY: &str = "scrim$outdated";
/// SQLSTATE of a statement that does not exist.
const NO_SUCH_STATEMENT: &str = "26000";
/// SQLSTATE of one that has other columns.
pub const CODE: &str = "0A000";

/// Their names.
#[derive(Debug, Default)]
pub struct Outdated(HashSet<String>);

impl Outdated {
    /// This one is not what it was.
    pub fn add(&mut self, name: String) {
        if self.0.len() < NAMES_MAX {
            self.0.insert(name);
        }
    }

    /// The client has prepared it anew, or closed it.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The client has closed all.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }

    /// What is sent in the place of a message about one of them.
    pub fn instead(&mut self, frame: &Frame) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        let mut out = BytesMut::new();
        match frame.tag() {
            b'B' => {
                let head = BindHead::read(frame.body()).ok()?;
                self.0.get(head.statement)?;
                let names = head.portal.len().checked_add(head.statement.len())?.checked_add(2)?;
                let rest = frame.body().get(names..)?;
                let mut body = BytesMut::new();
                for name in [head.portal, NOBODY] {
                    body.put_slice(name.as_bytes());
                    body.put_u8(0);
                }
                body.put_slice(rest);
                out.put_u8(b'B');
                out.put_i32(i32::try_from(body.len()).ok()?.checked_add(4)?);
                out.put_slice(&body);
            }
            b'D' => {
                let described = reader::Describe::read(frame.body()).ok()?;
                self.0.get(described.name).filter(|_| described.kind == Named::Statement)?;
                writer::describe(&mut out, Named::Statement, NOBODY).ok()?;
            }
            b'C' => {
                let closed = reader::Close::read(frame.body()).ok()?;
                if closed.kind == Named::Statement {
                    self.forget(closed.name);
                }
                return None;
            }
            _ => return None,
        }
        Some(out.freeze())
    }

    /// What the client hears in the place of the server's error about the statement that does not exist.
    pub fn said(&self, frame: &Frame) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        let fields = reader::error_fields(frame.body()).ok()?;
        let is_ours = fields.field(b'C') == Some(NO_SUCH_STATEMENT)
            && fields.field(b'M').is_some_and(|message| message.contains(NOBODY));
        let mut out = BytesMut::new();
        writer::error_response(&mut out, &ErrorMessage::new("ERROR", CODE, OTHER_COLUMNS.0));
        is_ours.then(|| out.freeze())
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{NOBODY, Outdated};
    use crate::wire::reader::{self, BindHead, Named};
    use crate::wire::writer::{self, ErrorMessage};
    use crate::wire::{Frame, Limits, Piece, Pieces};

    fn frame(limits: Limits, write: impl FnOnce(&mut BytesMut)) -> Frame {
        let mut bytes = BytesMut::new();
        write(&mut bytes);
        match Pieces::new(limits).next(&mut bytes) {
            Ok(Some(Piece::Whole(frame))) if bytes.is_empty() => frame,
            other => panic!("{other:?}"),
        }
    }

    fn client(write: impl FnOnce(&mut BytesMut)) -> Frame {
        frame(Limits::frontend(), write)
    }

    fn error(code: &str, message: &str) -> Frame {
        frame(Limits::backend(), |out| {
            writer::error_response(out, &ErrorMessage::new("ERROR", code, message));
        })
    }

    fn bind(statement: &str) -> Frame {
        let body = [b"p\0", statement.as_bytes(), b"\0\0\0\0\x01\0\0\0\x02ab\0\0"].concat();
        client(|out| {
            out.extend_from_slice(b"B");
            out.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
            out.extend_from_slice(&body);
        })
    }

    #[test]
    fn only_what_is_outdated_is_named_otherwise() {
        let mut outdated = Outdated::default();
        assert_eq!(outdated.instead(&bind("s")), None);
        outdated.add("s".into());
        assert_eq!(outdated.instead(&bind("t")), None);
        let instead = outdated.instead(&bind("s")).expect("another one");
        let instead = client(|out| out.extend_from_slice(&instead));
        let head = BindHead::read(instead.body()).unwrap();
        assert_eq!((head.portal, head.statement), ("p", NOBODY));
        let (was, now) = (bind("s"), reader::Bind::read(instead.body()).unwrap());
        assert_eq!(now.parameters, reader::Bind::read(was.body()).unwrap().parameters);
        for (kind, is_other) in [(Named::Statement, true), (Named::Portal, false)] {
            let describe = client(|out| writer::describe(out, kind, "s").unwrap());
            assert_eq!(outdated.instead(&describe).is_some(), is_other, "{kind:?}");
        }
    }

    #[test]
    fn it_ends_with_a_close_or_a_parse() {
        let mut outdated = Outdated::default();
        for name in ["s", "t"] {
            outdated.add(name.into());
        }
        let close = |kind| client(|out| writer::close(out, kind, "s").unwrap());
        assert_eq!(outdated.instead(&close(Named::Portal)), None);
        assert!(outdated.instead(&bind("s")).is_some());
        assert_eq!(outdated.instead(&close(Named::Statement)), None);
        assert_eq!(outdated.instead(&bind("s")), None);
        outdated.forget("t");
        assert_eq!(outdated.instead(&bind("t")), None);
    }

    #[test]
    fn no_other_error_is_said_otherwise() {
        let message = format!("prepared statement \"{NOBODY}\" does not exist");
        let mut outdated = Outdated::default();
        assert_eq!(outdated.said(&error("26000", &message)), None);
        outdated.add("s".into());
        assert_eq!(outdated.said(&error("42601", &message)), None);
        assert_eq!(outdated.said(&error("26000", "prepared statement \"t\" does not exist")), None);
        let said: Bytes = outdated.said(&error("26000", &message)).expect("another error");
        let said = frame(Limits::backend(), |out| out.extend_from_slice(&said));
        let fields = reader::error_fields(said.body()).unwrap();
        assert_eq!(fields.field(b'C'), Some("0A000"));
        assert_eq!(fields.field(b'R'), Some("RevalidateCachedQuery"));
    }
}
