//! What clients send.
//!
//! What holds a statement's text or a value prints lengths only: neither may stand in a log.

use std::fmt;

use super::{Malformed, Walk};

/// Query: one string of statements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The SQL.
    pub text: &'a str,
}

impl<'a> Query<'a> {
    /// Reads the body of a Query.
    pub fn read(body: &'a [u8]) -> Result<Query<'a>, Malformed> {
        let mut walk = Walk::new(body, "Query message");
        let text = walk.string_bytes()?;
        walk.end()?;
        Ok(Query { text: utf8(text, walk.what)? })
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({} bytes)", self.text.len())
    }
}

/// Parse: prepares a statement.
#[derive(Clone, PartialEq, Eq)]
pub struct Parse<'a> {
    /// Name of the statement, empty for the unnamed one.
    pub name: &'a str,
    /// The SQL.
    pub text: &'a str,
    /// OIDs of the parameters' types as far as given; 0 leaves one open.
    pub types: Vec<u32>,
}

impl<'a> Parse<'a> {
    /// Reads the body of a Parse.
    pub fn read(body: &'a [u8]) -> Result<Parse<'a>, Malformed> {
        let mut walk = Walk::new(body, "Parse message");
        let name = walk.string_bytes()?;
        let text = walk.string_bytes()?;
        let count = walk.count()?;
        let oids = walk.take(count * 4)?;
        walk.end()?;
        let mut oids = Walk::new(oids, walk.what);
        Ok(Parse {
            name: utf8(name, walk.what)?,
            text: utf8(text, walk.what)?,
            types: (0..count).map(|_| oids.oid()).collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Debug for Parse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parse({:?}, {} bytes, {:?})", self.name, self.text.len(), self.types)
    }
}

/// The two names at the head of a Bind; reads a whole body as well as the start of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindHead<'a> {
    /// Name of the portal, empty for the unnamed one.
    pub portal: &'a str,
    /// Name of the prepared statement, empty for the unnamed one.
    pub statement: &'a str,
}

impl<'a> BindHead<'a> {
    /// Reads the names and looks at nothing behind them: for the first piece of a long Bind.
    pub fn read(body_start: &'a [u8]) -> Result<BindHead<'a>, Malformed> {
        let mut walk = Walk::new(body_start, "Bind message");
        Ok(BindHead { portal: walk.string()?, statement: walk.string()? })
    }

    /// Reads the names of a whole Bind, and checks every count and length behind them as [`Bind::read`] does, but keeps
    /// nothing of that.
    pub fn of_whole(body: &'a [u8]) -> Result<BindHead<'a>, Malformed> {
        let mut walk = Walk::new(body, "Bind message");
        let portal = walk.string_bytes()?;
        let statement = walk.string_bytes()?;
        skip_formats(&mut walk)?;
        for _ in 0..walk.count()? {
            walk.value()?;
        }
        skip_formats(&mut walk)?;
        walk.end()?;
        Ok(BindHead { portal: utf8(portal, walk.what)?, statement: utf8(statement, walk.what)? })
    }
}

/// A whole Bind, every count and length of it checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The names.
    pub head: BindHead<'a>,
    /// Formats of the parameters: none (all text), one for all, or one each.
    pub parameter_formats: Vec<i16>,
    /// The parameters; `None` is NULL.
    pub parameters: Vec<Option<&'a [u8]>>,
    /// Formats of the result's columns: none (all text), one for all, or one each.
    pub result_formats: Vec<i16>,
}

impl<'a> Bind<'a> {
    /// Reads the body of a Bind.
    pub fn read(body: &'a [u8]) -> Result<Bind<'a>, Malformed> {
        let mut walk = Walk::new(body, "Bind message");
        let portal = walk.string_bytes()?;
        let statement = walk.string_bytes()?;
        let parameter_formats = formats(&mut walk)?;
        let count = walk.count()?;
        let parameters = (0..count).map(|_| walk.value()).collect::<Result<_, _>>()?;
        let result_formats = formats(&mut walk)?;
        walk.end()?;
        Ok(Bind {
            head: BindHead {
                portal: utf8(portal, walk.what)?,
                statement: utf8(statement, walk.what)?,
            },
            parameter_formats,
            parameters,
            result_formats,
        })
    }
}

impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bind({:?}, {} parameters)", self.head, self.parameters.len())
    }
}

/// A count and as many format codes.
fn formats(walk: &mut Walk<'_>) -> Result<Vec<i16>, Malformed> {
    let count = walk.count()?;
    (0..count).map(|_| walk.int16()).collect()
}

fn skip_formats(walk: &mut Walk<'_>) -> Result<(), Malformed> {
    let count = walk.count()?;
    walk.take(count.saturating_mul(2)).map(|_| ())
}

/// What Describe and Close name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A prepared statement (`S`).
    Statement,
    /// A portal (`P`).
    Portal,
}

/// Describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Describe<'a> {
    /// Statement or portal.
    pub kind: Named,
    /// Its name, empty for the unnamed one.
    pub name: &'a str,
}

impl<'a> Describe<'a> {
    /// Reads the body of a Describe.
    pub fn read(body: &'a [u8]) -> Result<Describe<'a>, Malformed> {
        let (kind, name) = kind_and_name(body, "Describe message")?;
        Ok(Describe { kind, name })
    }
}

/// Close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// Statement or portal.
    pub kind: Named,
    /// Its name, empty for the unnamed one.
    pub name: &'a str,
}

impl<'a> Close<'a> {
    /// Reads the body of a Close.
    pub fn read(body: &'a [u8]) -> Result<Close<'a>, Malformed> {
        let (kind, name) = kind_and_name(body, "Close message")?;
        Ok(Close { kind, name })
    }
}

fn kind_and_name<'a>(body: &'a [u8], what: &'static str) -> Result<(Named, &'a str), Malformed> {
    let mut walk = Walk::new(body, what);
    let kind = match walk.byte()? {
        b'S' => Named::Statement,
        b'P' => Named::Portal,
        _ => return Err(walk.fault()),
    };
    let name = walk.string_bytes()?;
    walk.end()?;
    Ok((kind, utf8(name, what)?))
}

/// Execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// Name of the portal, empty for the unnamed one.
    pub portal: &'a str,
    /// Rows to fetch at most; 0 or less is all.
    pub rows_max: i32,
}

impl<'a> Execute<'a> {
    /// Reads the body of an Execute.
    pub fn read(body: &'a [u8]) -> Result<Execute<'a>, Malformed> {
        let mut walk = Walk::new(body, "Execute message");
        let portal = walk.string_bytes()?;
        let rows_max = walk.int32()?;
        walk.end()?;
        Ok(Execute { portal: utf8(portal, walk.what)?, rows_max })
    }
}

/// Reads the body of a CopyFail: the reason, as the client words it.
pub fn copy_fail(body: &[u8]) -> Result<&str, Malformed> {
    let mut walk = Walk::new(body, "CopyFail message");
    let reason = walk.string_bytes()?;
    walk.end()?;
    utf8(reason, walk.what)
}

/// Reads the body of a PasswordMessage: the password.
pub fn password(body: &[u8]) -> Result<&str, Malformed> {
    let mut walk = Walk::new(body, "password message");
    let password = walk.string_bytes()?;
    walk.end()?;
    utf8(password, walk.what)
}

/// SASLInitialResponse, the first password message. (The second, SASLResponse, is its body and nothing else.)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    /// The mechanism that the client chose.
    pub mechanism: &'a str,
    /// Its first message; `None` where the client sent none.
    pub data: Option<&'a [u8]>,
}

/// Reads the body of a SASLInitialResponse.
pub fn sasl_initial(body: &[u8]) -> Result<SaslInitial<'_>, Malformed> {
    let mut walk = Walk::new(body, "SASLInitialResponse message");
    let mechanism = walk.string()?;
    let data = walk.value()?;
    walk.end()?;
    Ok(SaslInitial { mechanism, data })
}

/// Text is checked after the shape, so that `utf8` says that only the text is wrong.
fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed { what, utf8: true })
}
