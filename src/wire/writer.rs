//! What Scrim itself says, encoded by pgwire.
//!
//! Every function appends exactly one message to `out`. A zero byte in a text would end it early and turn the rest
//! into bytes of the writer's choosing, so towards the client zero bytes are left out of messages, and towards the
//! server such a text is [`Unwritable`].

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::data::{DataRow, FieldDescription, RowDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Flush, Parse, ParseComplete, Sync,
};
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ErrorResponse, NoticeResponse, ReadyForQuery,
    TransactionStatus,
};
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SASLInitialResponse,
    SASLResponse, SecretKey, SslRequest, Startup,
};
use pgwire::messages::terminate::Terminate;

use super::reader::{BindHead, Column, Named};

/// Counts are Int16 on the wire; pgwire would cut a longer list's count off and still write all of it.
const LIST_MAX: usize = u16::MAX as usize;

/// What PostgreSQL says of a prepared statement that has other columns by now. Drivers (pgjdbc, asyncpg) know it by the
/// routine, and prepare the statement again.
pub const OTHER_COLUMNS: (&str, &str) =
    ("cached plan must not change result type", "RevalidateCachedQuery");

/// A message that cannot be said: a text with a zero byte, a key or a list of a length that has no encoding.
/// Nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode {what}")]
pub struct Unwritable {
    /// The message.
    pub what: &'static str,
}

/// An error or a notice of Scrim's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorMessage<'a> {
    /// `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`.
    pub severity: &'a str,
    /// SQLSTATE.
    pub code: &'a str,
    /// One line.
    pub message: &'a str,
    /// More about it.
    pub detail: Option<&'a str>,
    /// What to do.
    pub hint: Option<&'a str>,
    /// Where in the statement: characters from 1.
    pub position: Option<u32>,
}

impl<'a> ErrorMessage<'a> {
    /// Severity, code and message; nothing else.
    pub fn new(severity: &'a str, code: &'a str, message: &'a str) -> ErrorMessage<'a> {
        ErrorMessage { severity, code, message, detail: None, hint: None, position: None }
    }

    fn fields(&self) -> Vec<(u8, String)> {
        let mut fields = vec![
            (b'S', without_zero(self.severity)),
            (b'V', without_zero(self.severity)),
            (b'C', without_zero(self.code)),
            (b'M', without_zero(self.message)),
        ];
        let position = self.position.map(|position| position.to_string());
        let (said, routine) = OTHER_COLUMNS;
        let routine = (self.message == said).then_some(routine);
        let others =
            [(b'D', self.detail), (b'H', self.hint), (b'P', position.as_deref()), (b'R', routine)];
        for (code, text) in others {
            fields.extend(text.map(|text| (code, without_zero(text))));
        }
        fields
    }
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    say(out, &Authentication::Ok);
}

/// AuthenticationCleartextPassword.
pub fn authentication_cleartext_password(out: &mut BytesMut) {
    say(out, &Authentication::CleartextPassword);
}

/// AuthenticationSASL with the mechanisms on offer.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    let mechanisms = mechanisms.iter().map(|name| without_zero(name)).collect();
    say(out, &Authentication::SASL(mechanisms));
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut BytesMut, data: &[u8]) {
    say(out, &Authentication::SASLContinue(Bytes::copy_from_slice(data)));
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut BytesMut, data: &[u8]) {
    say(out, &Authentication::SASLFinal(Bytes::copy_from_slice(data)));
}

/// ParameterStatus.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    say(out, &ParameterStatus::new(without_zero(name), without_zero(value)));
}

/// BackendKeyData; the key has 4 to 256 bytes (4 unless protocol 3.2 was agreed on).
pub fn backend_key_data(out: &mut BytesMut, process_id: i32, key: &[u8]) -> Result<(), Unwritable> {
    let key = SecretKey::Bytes(Bytes::copy_from_slice(key));
    try_say(out, &BackendKeyData::new(process_id, key), "BackendKeyData")
}

/// NegotiateProtocolVersion: the newest version spoken (major in the upper 16 bits) and the `_pq_.` options that
/// are not known.
pub fn negotiate_protocol_version(out: &mut BytesMut, version: i32, unknown_options: &[String]) {
    let options = unknown_options.iter().map(|name| without_zero(name)).collect();
    say(out, &NegotiateProtocolVersion::new(version, options));
}

/// ErrorResponse.
pub fn error_response(out: &mut BytesMut, message: &ErrorMessage<'_>) {
    say(out, &ErrorResponse::new(message.fields()));
}

/// NoticeResponse.
pub fn notice_response(out: &mut BytesMut, message: &ErrorMessage<'_>) {
    say(out, &NoticeResponse::new(message.fields()));
}

/// ReadyForQuery with the status byte as the server said it; anything but `I` and `T` is said as `E`.
pub fn ready_for_query(out: &mut BytesMut, status: u8) {
    let status = match status {
        b'I' => TransactionStatus::Idle,
        b'T' => TransactionStatus::Transaction,
        _ => TransactionStatus::Error,
    };
    say(out, &ReadyForQuery::new(status));
}

/// ParseComplete.
pub fn parse_complete(out: &mut BytesMut) {
    say(out, &ParseComplete::new());
}

/// BindComplete.
pub fn bind_complete(out: &mut BytesMut) {
    say(out, &BindComplete::new());
}

/// CloseComplete.
pub fn close_complete(out: &mut BytesMut) {
    say(out, &CloseComplete::new());
}

/// NoData.
pub fn no_data(out: &mut BytesMut) {
    say(out, &pgwire::messages::data::NoData::new());
}

/// EmptyQueryResponse.
pub fn empty_query(out: &mut BytesMut) {
    say(out, &EmptyQueryResponse::new());
}

/// RowDescription. Columns as [`super::reader::row_description`] gives them come out as they came, so that a
/// column's origin can be changed and the rest stays.
pub fn row_description(out: &mut BytesMut, columns: &[Column<'_>]) -> Result<(), Unwritable> {
    const WHAT: &str = "RowDescription";
    check_lists(&[columns.len()], WHAT)?;
    let field = |column: &Column<'_>| {
        Ok(FieldDescription::new(
            checked(column.name, WHAT)?,
            column.table.cast_signed(),
            column.number,
            column.type_oid,
            column.size,
            column.modifier,
            column.format,
        ))
    };
    let fields = columns.iter().map(field).collect::<Result<_, Unwritable>>()?;
    try_say(out, &RowDescription::new(fields), WHAT)
}

/// DataRow; `None` is NULL.
pub fn data_row(out: &mut BytesMut, values: &[Option<&[u8]>]) -> Result<(), Unwritable> {
    const WHAT: &str = "DataRow";
    let count = u16::try_from(values.len()).map_err(|_| Unwritable { what: WHAT })?;
    let mut data = BytesMut::new();
    for value in values {
        match value {
            None => data.put_i32(-1),
            Some(value) => {
                let length = i32::try_from(value.len()).map_err(|_| Unwritable { what: WHAT })?;
                data.put_i32(length);
                data.put_slice(value);
            }
        }
    }
    try_say(out, &DataRow::new(data, count.cast_signed()), WHAT)
}

/// CommandComplete.
pub fn command_complete(out: &mut BytesMut, tag: &str) {
    say(out, &CommandComplete::new(without_zero(tag)));
}

/// StartupMessage of protocol 3.0; a zero byte, an empty name or a name given twice is unwritable.
pub fn startup(out: &mut BytesMut, parameters: &[(&str, &str)]) -> Result<(), Unwritable> {
    const WHAT: &str = "StartupMessage";
    let mut startup = Startup::new();
    startup.parameters = BTreeMap::new();
    for (name, value) in parameters {
        let (name, value) = (checked(name, WHAT)?, checked(value, WHAT)?);
        if name.is_empty() || startup.parameters.insert(name, value).is_some() {
            return Err(Unwritable { what: WHAT });
        }
    }
    try_say(out, &startup, WHAT)
}

/// SSLRequest.
pub fn ssl_request(out: &mut BytesMut) {
    say(out, &SslRequest::new());
}

/// CancelRequest.
pub fn cancel_request(out: &mut BytesMut, process_id: i32, key: &[u8]) -> Result<(), Unwritable> {
    let key = SecretKey::Bytes(Bytes::copy_from_slice(key));
    try_say(out, &CancelRequest::new(process_id, key), "CancelRequest")
}

/// Query.
pub fn query(out: &mut BytesMut, sql: &str) -> Result<(), Unwritable> {
    try_say(out, &Query::new(checked(sql, "Query")?), "Query")
}

/// Parse; an empty name is the unnamed statement.
pub fn parse(out: &mut BytesMut, name: &str, sql: &str, types: &[u32]) -> Result<(), Unwritable> {
    const WHAT: &str = "Parse";
    check_lists(&[types.len()], WHAT)?;
    let name = Some(checked(name, WHAT)?);
    let parse = Parse::new(name, checked(sql, WHAT)?, types.to_vec());
    try_say(out, &parse, WHAT)
}

/// Bind; an empty name is the unnamed portal or statement, `None` is NULL.
pub fn bind(
    out: &mut BytesMut,
    head: BindHead<'_>,
    parameter_formats: &[i16],
    parameters: &[Option<&[u8]>],
    result_formats: &[i16],
) -> Result<(), Unwritable> {
    const WHAT: &str = "Bind";
    check_lists(&[parameter_formats.len(), parameters.len(), result_formats.len()], WHAT)?;
    let bind = Bind::new(
        Some(checked(head.portal, WHAT)?),
        Some(checked(head.statement, WHAT)?),
        parameter_formats.to_vec(),
        parameters.iter().map(|value| value.map(Bytes::copy_from_slice)).collect(),
        result_formats.to_vec(),
    );
    try_say(out, &bind, WHAT)
}

/// Describe.
pub fn describe(out: &mut BytesMut, kind: Named, name: &str) -> Result<(), Unwritable> {
    let name = Some(checked(name, "Describe")?);
    try_say(out, &Describe::new(kind_byte(kind), name), "Describe")
}

/// Execute; 0 is all rows.
pub fn execute(out: &mut BytesMut, portal: &str, rows_max: i32) -> Result<(), Unwritable> {
    let portal = Some(checked(portal, "Execute")?);
    try_say(out, &Execute::new(portal, rows_max), "Execute")
}

/// Close of a statement or a portal.
pub fn close(out: &mut BytesMut, kind: Named, name: &str) -> Result<(), Unwritable> {
    let name = Some(checked(name, "Close")?);
    try_say(out, &Close::new(kind_byte(kind), name), "Close")
}

/// Sync.
pub fn sync(out: &mut BytesMut) {
    say(out, &Sync::new());
}

/// Flush.
pub fn flush(out: &mut BytesMut) {
    say(out, &Flush::new());
}

/// Terminate.
pub fn terminate(out: &mut BytesMut) {
    say(out, &Terminate::new());
}

/// SASLInitialResponse.
pub fn sasl_initial(out: &mut BytesMut, mechanism: &str, data: &[u8]) -> Result<(), Unwritable> {
    const WHAT: &str = "SASLInitialResponse";
    let mechanism = checked(mechanism, WHAT)?;
    let message = SASLInitialResponse::new(mechanism, Some(Bytes::copy_from_slice(data)));
    try_say(out, &message, WHAT)
}

/// SASLResponse.
pub fn sasl_response(out: &mut BytesMut, data: &[u8]) {
    say(out, &SASLResponse::new(Bytes::copy_from_slice(data)));
}

/// Messages whose encoding cannot fail; were pgwire to refuse one all the same, nothing is said.
fn say(out: &mut BytesMut, message: &impl Message) {
    let said = try_say(out, message, "message");
    debug_assert!(said.is_ok(), "pgwire refused a message that always encodes");
}

fn try_say(
    out: &mut BytesMut,
    message: &impl Message,
    what: &'static str,
) -> Result<(), Unwritable> {
    let before = out.len();
    message.encode(out).map_err(|_| {
        out.truncate(before);
        Unwritable { what }
    })
}

fn check_lists(lengths: &[usize], what: &'static str) -> Result<(), Unwritable> {
    match lengths.iter().all(|length| *length <= LIST_MAX) {
        true => Ok(()),
        false => Err(Unwritable { what }),
    }
}

fn checked(text: &str, what: &'static str) -> Result<String, Unwritable> {
    if text.contains('\0') {
        return Err(Unwritable { what });
    }
    Ok(text.to_owned())
}

fn without_zero(text: &str) -> String {
    text.replace('\0', "")
}

fn kind_byte(kind: Named) -> u8 {
    match kind {
        Named::Statement => b'S',
        Named::Portal => b'P',
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{ErrorMessage, error_response, parse, query, ready_for_query, startup};
    use crate::wire::reader::{Parse, error_fields, ready_status};
    use crate::wire::{Frame, Limits, Piece, Pieces};

    fn one_frame(mut out: BytesMut, limits: Limits) -> Frame {
        let piece = Pieces::new(limits).next(&mut out).unwrap().unwrap();
        assert!(out.is_empty());
        match piece {
            Piece::Whole(frame) => frame,
            Piece::Start { .. } | Piece::More { .. } => panic!("not whole"),
        }
    }

    #[test]
    fn an_error_reads_back_without_its_zero_bytes() {
        let mut out = BytesMut::new();
        let message = ErrorMessage {
            hint: Some("ask\0 somebody"),
            position: Some(8),
            ..ErrorMessage::new("ERROR", "42501", "scrim: no")
        };
        error_response(&mut out, &message);
        let frame = one_frame(out, Limits::backend());
        let fields = error_fields(frame.body()).unwrap();
        assert_eq!(fields.field(b'V'), Some("ERROR"));
        assert_eq!(fields.field(b'H'), Some("ask somebody"));
        assert_eq!(fields.field(b'P'), Some("8"));
        assert_eq!(fields.field(b'D'), None);
    }

    #[test]
    fn a_parse_reads_back() {
        let mut out = BytesMut::new();
        parse(&mut out, "s", "SELECT $1", &[23, 0]).unwrap();
        let frame = one_frame(out, Limits::frontend());
        let read = Parse::read(frame.body()).unwrap();
        assert_eq!((read.name, read.text), ("s", "SELECT $1"));
        assert_eq!(read.types, [23, 0]);
    }

    #[test]
    fn a_zero_byte_never_goes_upstream() {
        let mut out = BytesMut::new();
        assert!(query(&mut out, "SELECT 1\0Q").is_err());
        assert!(parse(&mut out, "a\0b", "SELECT 1", &[]).is_err());
        assert!(startup(&mut out, &[("user", "a\0database\0b")]).is_err());
        assert!(startup(&mut out, &[("user", "a"), ("user", "b")]).is_err());
        assert!(parse(&mut out, "", "SELECT 1", &vec![0; 70_000]).is_err());
        assert!(out.is_empty());
    }

    #[test]
    fn ready_for_query_says_the_status() {
        for status in [b'I', b'T', b'E'] {
            let mut out = BytesMut::new();
            ready_for_query(&mut out, status);
            let frame = one_frame(out, Limits::backend());
            assert_eq!(ready_status(frame.body()), Ok(status));
        }
    }
}
