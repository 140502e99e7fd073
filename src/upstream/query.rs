//! Queries of our own, over the simple protocol: the catalog, probes.
//!
//! Only between a session's exchanges: everything up to ReadyForQuery is read here, so whoever calls finds the
//! connection as it was.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::ServerConnection;
use crate::wire::reader::{self, BindHead, Malformed};
use crate::wire::{Frame, Limits, Piece, Pieces, writer};

/// Bytes to make room for before a read.
const READ_BYTES: usize = 8 * 1024;

/// What the rows of one answer may take in all: many times the largest catalog, and less than the machine has.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A query of our own failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The server said no.
    #[error("the database refused a query of Scrim: {code} {message}")]
    Server {
        /// SQLSTATE.
        code: String,
        /// Message.
        message: String,
    },
    /// The connection is gone.
    #[error("the connection to the database broke: {0}")]
    Broken(String),
}

impl From<Malformed> for QueryError {
    fn from(fault: Malformed) -> QueryError {
        QueryError::Broken(fault.to_string())
    }
}

/// All up to a ReadyForQuery.
struct Answer {
    rows: Vec<Vec<Option<String>>>,
    /// RowDescription.
    columns: Option<Frame>,
}

impl ServerConnection {
    /// Runs one statement and gives its rows in text form. After [`QueryError::Server`] the connection is ready
    /// again; after [`QueryError::Broken`] it must be dropped. No time limit: the caller sets one.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        let mut out = BytesMut::new();
        writer::query(&mut out, sql).map_err(|fault| QueryError::Broken(fault.to_string()))?;
        self.send(&out).await?;
        self.answer().await.map(|answer| answer.rows)
    }

    /// The same with parameters, `$1` and on, by the extended protocol: no value stands in the text.
    pub async fn query_with(
        &mut self,
        sql: &str,
        values: &[Option<&str>],
    ) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        let mut out = BytesMut::new();
        let values: Vec<Option<&[u8]>> =
            values.iter().map(|value| value.map(str::as_bytes)).collect();
        let head = BindHead { portal: "", statement: "" };
        writer::parse(&mut out, "", sql, &[])
            .and_then(|()| writer::bind(&mut out, head, &[], &values, &[]))
            .and_then(|()| writer::execute(&mut out, "", 0))
            .map_err(|fault| QueryError::Broken(fault.to_string()))?;
        writer::sync(&mut out);
        self.send(&out).await?;
        self.answer().await.map(|answer| answer.rows)
    }

    /// Sends whole messages, which end with so many that are answered with ReadyForQuery, and gives the RowDescription or
    /// the error of each. As [`ServerConnection::query`] otherwise.
    pub async fn tell(
        &mut self,
        messages: &[u8],
        answers: usize,
    ) -> Result<Vec<Result<Option<Frame>, QueryError>>, QueryError> {
        self.send(messages).await?;
        let mut told = Vec::with_capacity(answers);
        for _ in 0..answers {
            told.push(match self.answer().await {
                Ok(answer) => Ok(answer.columns),
                Err(error @ QueryError::Server { .. }) => Err(error),
                Err(error @ QueryError::Broken(_)) => return Err(error),
            });
        }
        Ok(told)
    }

    async fn send(&mut self, messages: &[u8]) -> Result<(), QueryError> {
        let broken = |error: std::io::Error| QueryError::Broken(error.to_string());
        self.stream.write_all(messages).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)
    }

    /// Everything up to ReadyForQuery.
    async fn answer(&mut self) -> Result<Answer, QueryError> {
        let (mut rows, mut columns) = (Vec::new(), None);
        let mut rows_bytes = 0_usize;
        let mut refused = None;
        loop {
            let frame = match self.receive().await {
                Ok(frame) => frame,
                Err(why) => return Err(broken_off(refused, why)),
            };
            match frame.tag() {
                b'D' => {
                    rows_bytes = rows_bytes.saturating_add(frame.len());
                    if rows_bytes > ANSWER_BYTES_MAX {
                        return Err(QueryError::Broken("an answer of over 256 MiB".to_owned()));
                    }
                    rows.push(texts(&frame)?);
                }
                b'S' => self.note_parameter(&frame)?,
                b'E' => refused = Some(server_error(&frame)?),
                b'T' => columns = Some(frame),
                b'C' | b'I' | b'N' | b'A' | b'1' | b'2' | b'3' | b't' | b'n' => {}
                b'Z' => {
                    reader::ready_status(frame.body())?;
                    return refused.map_or(Ok(Answer { rows, columns }), Err);
                }
                other => {
                    let other = char::from(other);
                    let why = format!("message of type {other:?}, expected the answer to a query");
                    return Err(QueryError::Broken(why));
                }
            }
        }
    }

    /// The next message, whole; rows too, up to 16 MiB. The error is the reason, in words.
    pub async fn receive(&mut self) -> Result<Frame, String> {
        let limits = Limits::backend();
        let mut pieces = Pieces::new(Limits { piece_bytes: limits.small_bytes_max, ..limits });
        loop {
            let piece = pieces.next(&mut self.buffer);
            match piece.map_err(|fault| fault.to_string())? {
                Some(Piece::Whole(frame)) => return Ok(frame),
                Some(Piece::Start { .. } | Piece::More { .. }) => {
                    return Err("a row of more than 16 MiB".to_owned());
                }
                None => {}
            }
            self.buffer.reserve(READ_BYTES);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Keeps what a ParameterStatus says.
    pub(super) fn note_parameter(&mut self, frame: &Frame) -> Result<(), Malformed> {
        let (name, value) = reader::parameter_status(frame.body())?;
        let known = self.parameters.iter_mut().find(|(each, _)| each == name);
        match known {
            Some((_, old)) => value.clone_into(old),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

/// The values of a DataRow as text.
fn texts(frame: &Frame) -> Result<Vec<Option<String>>, QueryError> {
    let values = reader::data_row(frame.body())?;
    let text = |value: Option<&[u8]>| {
        value
            .map(|bytes| String::from_utf8(bytes.to_vec()))
            .transpose()
            .map_err(|_| QueryError::Broken("a value that is not UTF-8".to_owned()))
    };
    values.into_iter().map(text).collect()
}

/// A server that ends the connection says why before (FATAL): that tells more than the end of the stream.
fn broken_off(refused: Option<QueryError>, why: String) -> QueryError {
    match refused {
        Some(QueryError::Server { code, message }) => {
            QueryError::Broken(format!("{code} {message}"))
        }
        Some(QueryError::Broken(why)) => QueryError::Broken(why),
        None => QueryError::Broken(why),
    }
}

fn server_error(frame: &Frame) -> Result<QueryError, QueryError> {
    let fields = reader::error_fields(frame.body())?;
    Ok(QueryError::Server {
        code: fields.field(b'C').unwrap_or("XX000").to_owned(),
        message: fields.field(b'M').unwrap_or_default().to_owned(),
    })
}
