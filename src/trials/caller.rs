//! One statement over a connection, with its answer as text.

use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;

use crate::upstream::ServerConnection;
use crate::wire::reader::{self, BindHead, Malformed, Named};
use crate::wire::writer::{self, Unwritable};

/// How much of an answer is taken.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Rows; 0: all.
    pub rows: i32,
    /// Bytes.
    pub bytes: usize,
}

impl Bounds {
    /// A test that needs more rows than fit in here counts them.
    pub(super) const OF_A_TEST: Bounds = Bounds { rows: 0, bytes: 64 << 20 };
}

/// What a test says when it is asked for data: CopyFail, and a Sync, since PostgreSQL takes none while it copies.
const NO_DATA: &[u8] = b"f\0\0\0\x1ea rule test sends no data\0S\0\0\0\x04";

/// What came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The names of the columns; empty where no rows are described.
    pub columns: Vec<String>,
    /// Values as text; `None`: NULL. COPY is one value a line.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows that the statement says it has read or written.
    pub count: Option<u64>,
    /// The error.
    pub error: Option<ServerError>,
    /// What was said beside it.
    pub notices: Vec<String>,
    /// There are more rows than were asked for.
    pub has_more: bool,
}

/// An error as the client is told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE.
    pub code: String,
    /// Message.
    pub message: String,
    /// Detail.
    pub detail: Option<String>,
    /// Hint.
    pub hint: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct NoAnswer(pub String);

impl From<Malformed> for NoAnswer {
    fn from(fault: Malformed) -> NoAnswer {
        NoAnswer(fault.to_string())
    }
}

impl From<Unwritable> for NoAnswer {
    fn from(fault: Unwritable) -> NoAnswer {
        NoAnswer(fault.to_string())
    }
}

/// Asks, and reads up to ReadyForQuery.
///
/// # Errors
/// There is no answer, or it is larger than it may be; the connection is of no more use then.
pub async fn ask(
    connection: &mut ServerConnection,
    statement: &str,
    params: &[Option<String>],
    bounds: Bounds,
) -> Result<Answer, NoAnswer> {
    let mut out = BytesMut::new();
    let params: Vec<Option<&[u8]>> =
        params.iter().map(|param| param.as_deref().map(str::as_bytes)).collect();
    writer::parse(&mut out, "", statement, &[])?;
    writer::bind(&mut out, BindHead { portal: "", statement: "" }, &[], &params, &[])?;
    writer::describe(&mut out, Named::Portal, "")?;
    writer::execute(&mut out, "", bounds.rows)?;
    writer::sync(&mut out);
    send(connection, &out).await?;
    let mut answer = Answer::default();
    let mut bytes = 0_usize;
    loop {
        let frame = connection.receive().await.map_err(NoAnswer)?;
        bytes = bytes.saturating_add(frame.len());
        if bytes > bounds.bytes {
            let most = bounds.bytes >> 20;
            return Err(NoAnswer(format!("the answer is larger than {most} MiB")));
        }
        match frame.tag() {
            b'T' => {
                let columns = reader::row_description(frame.body())?;
                answer.columns = columns.iter().map(|column| column.name.to_owned()).collect();
            }
            b'D' => {
                let values = reader::data_row(frame.body())?;
                answer.rows.push(values.into_iter().map(|value| value.map(text)).collect());
            }
            // Of COPY.
            b'd' => {
                let line = text(frame.body());
                answer.rows.push(vec![Some(line.trim_end_matches('\n').to_owned())]);
            }
            b'G' => send(connection, NO_DATA).await?,
            b'C' => answer.count = reader::command_tag(frame.body())?.rows,
            b's' => answer.has_more = true,
            b'E' => answer.error = Some(error(frame.body())?),
            b'N' => {
                let fields = reader::error_fields(frame.body())?;
                answer.notices.push(fields.field(b'M').unwrap_or_default().to_owned());
            }
            b'Z' => return Ok(answer),
            // Completions, and what is said of parameters and channels.
            _ => {}
        }
    }
}

/// Says goodbye.
pub async fn leave(mut connection: ServerConnection) {
    let mut out = BytesMut::new();
    writer::terminate(&mut out);
    // Whoever has gone needs none.
    let _ = send(&mut connection, &out).await;
}

async fn send(connection: &mut ServerConnection, bytes: &[u8]) -> Result<(), NoAnswer> {
    let failed = |error: std::io::Error| NoAnswer(error.to_string());
    connection.stream.write_all(bytes).await.map_err(failed)?;
    connection.stream.flush().await.map_err(failed)
}

fn error(body: &[u8]) -> Result<ServerError, NoAnswer> {
    let fields = reader::error_fields(body)?;
    let owned = |code: u8| fields.field(code).map(str::to_owned);
    Ok(ServerError {
        code: owned(b'C').unwrap_or_default(),
        message: owned(b'M').unwrap_or_default(),
        detail: owned(b'D'),
        hint: owned(b'H'),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::NO_DATA;

    #[test]
    fn the_message_has_its_length() {
        let length = u32::from_be_bytes(NO_DATA[1..5].try_into().unwrap());
        assert_eq!(NO_DATA.len(), length as usize + 1 + 5);
    }
}
