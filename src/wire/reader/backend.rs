//! What the server sends.

use std::fmt;

use super::{Malformed, Walk};

/// A column of a RowDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Name.
    pub name: &'a str,
    /// OID of the table it is read from, 0 when it is computed.
    pub table: u32,
    /// Its number in that table, 0 when it is computed.
    pub number: i16,
    /// OID of the type.
    pub type_oid: u32,
    /// Bytes of a value, negative when they vary.
    pub size: i16,
    /// Type modifier, -1 when there is none.
    pub modifier: i32,
    /// 0 text, 1 binary.
    pub format: i16,
}

/// Reads the body of a RowDescription.
pub fn row_description(body: &[u8]) -> Result<Vec<Column<'_>>, Malformed> {
    let mut walk = Walk::new(body, "RowDescription message");
    let count = walk.count()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(Column {
            name: walk.string()?,
            table: walk.oid()?,
            number: walk.int16()?,
            type_oid: walk.oid()?,
            size: walk.int16()?,
            modifier: walk.int32()?,
            format: walk.int16()?,
        });
    }
    walk.end()?;
    Ok(columns)
}

/// Reads the body of a DataRow: the values as they came, `None` is NULL.
pub fn data_row(body: &[u8]) -> Result<Vec<Option<&[u8]>>, Malformed> {
    let mut walk = Walk::new(body, "DataRow message");
    let count = walk.count()?;
    let values = (0..count).map(|_| walk.value()).collect::<Result<_, _>>()?;
    walk.end()?;
    Ok(values)
}

/// The fields of an ErrorResponse or NoticeResponse: code and text, in the order sent. Prints the codes only: the
/// texts may quote a value.
#[derive(Clone)]
pub struct ErrorFields<'a> {
    fields: std::vec::IntoIter<(u8, &'a str)>,
}

impl fmt::Debug for ErrorFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = self.fields.as_slice().iter().map(|(code, _)| char::from(*code));
        write!(f, "ErrorFields({:?})", codes.collect::<String>())
    }
}

impl<'a> ErrorFields<'a> {
    /// The first field of this code, of those not yet taken: `C` SQLSTATE, `M` message, `S` severity.
    pub fn field(&self, code: u8) -> Option<&'a str> {
        let mut fields = self.fields.as_slice().iter();
        fields.find(|(each, _)| *each == code).map(|(_, text)| *text)
    }
}

impl<'a> Iterator for ErrorFields<'a> {
    type Item = (u8, &'a str);

    fn next(&mut self) -> Option<(u8, &'a str)> {
        self.fields.next()
    }
}

/// Reads the body of an ErrorResponse or NoticeResponse.
/// <https://www.postgresql.org/docs/current/protocol-error-fields.html>
pub fn error_fields(body: &[u8]) -> Result<ErrorFields<'_>, Malformed> {
    let mut walk = Walk::new(body, "ErrorResponse message");
    let mut fields = Vec::new();
    loop {
        match walk.byte()? {
            0 => break,
            code => fields.push((code, walk.string()?)),
        }
    }
    walk.end()?;
    Ok(ErrorFields { fields: fields.into_iter() })
}

/// Reads the body of a ReadyForQuery: `I`, `T` or `E`.
pub fn ready_status(body: &[u8]) -> Result<u8, Malformed> {
    let mut walk = Walk::new(body, "ReadyForQuery message");
    let status = walk.byte()?;
    walk.end()?;
    match status {
        b'I' | b'T' | b'E' => Ok(status),
        _ => Err(walk.fault()),
    }
}

/// The tag of a CommandComplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandTag<'a> {
    /// All of it: `SELECT 5`, `INSERT 0 1`, `BEGIN`.
    pub text: &'a str,
    /// Rows read or changed, for commands that count them.
    pub rows: Option<u64>,
}

/// Reads the body of a CommandComplete.
pub fn command_tag(body: &[u8]) -> Result<CommandTag<'_>, Malformed> {
    let mut walk = Walk::new(body, "CommandComplete message");
    let text = walk.string()?;
    walk.end()?;
    let rows = text.rsplit_once(' ').and_then(|(_, count)| count.parse().ok());
    Ok(CommandTag { text, rows })
}

/// Reads the body of a ParameterStatus: name and value.
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), Malformed> {
    let mut walk = Walk::new(body, "ParameterStatus message");
    let name = walk.string()?;
    let value = walk.string()?;
    walk.end()?;
    Ok((name, value))
}

/// NotificationResponse. Does not print what was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Process id of the session that has sent it.
    pub process_id: i32,
    /// The channel.
    pub channel: &'a str,
    /// What was sent.
    pub payload: &'a str,
}

/// Reads the body of a NotificationResponse.
pub fn notification(body: &[u8]) -> Result<Notification<'_>, Malformed> {
    let mut walk = Walk::new(body, "NotificationResponse message");
    let process_id = walk.int32()?;
    let channel = walk.string()?;
    let payload = walk.string()?;
    walk.end()?;
    Ok(Notification { process_id, channel, payload })
}

/// BackendKeyData: what a cancel request must show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BackendKey<'a> {
    /// Process id.
    pub process_id: i32,
    /// The key: 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub key: &'a [u8],
}

/// Reads the body of a BackendKeyData.
pub fn backend_key(body: &[u8]) -> Result<BackendKey<'_>, Malformed> {
    let mut walk = Walk::new(body, "BackendKeyData message");
    let process_id = walk.int32()?;
    let key = walk.rest();
    match key.len() {
        4..=256 => Ok(BackendKey { process_id, key }),
        _ => Err(walk.fault()),
    }
}

/// What the server asks for at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Nothing more: logged in.
    Ok,
    /// The password in the clear.
    CleartextPassword,
    /// The password's MD5 with this salt.
    Md5Password {
        /// The salt.
        salt: [u8; 4],
    },
    /// SASL: one of these mechanisms.
    Sasl {
        /// In the server's order.
        mechanisms: Vec<&'a str>,
    },
    /// SASL: the server's next message.
    SaslContinue(&'a [u8]),
    /// SASL: the server's last message.
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI and whatever else: the code.
    Other(i32),
}

/// Reads the body of any Authentication message.
pub fn authentication(body: &[u8]) -> Result<Authentication<'_>, Malformed> {
    let mut walk = Walk::new(body, "Authentication message");
    let read = match walk.int32()? {
        0 => Authentication::Ok,
        3 => Authentication::CleartextPassword,
        5 => Authentication::Md5Password { salt: walk.chunk()? },
        10 => Authentication::Sasl { mechanisms: mechanisms(&mut walk)? },
        11 => Authentication::SaslContinue(walk.rest()),
        12 => Authentication::SaslFinal(walk.rest()),
        code => {
            walk.rest();
            Authentication::Other(code)
        }
    };
    walk.end()?;
    Ok(read)
}

/// Names, ended by an empty one.
fn mechanisms<'a>(walk: &mut Walk<'a>) -> Result<Vec<&'a str>, Malformed> {
    let mut names = Vec::new();
    loop {
        match walk.string()? {
            "" => return Ok(names),
            name => names.push(name),
        }
    }
}
