//! A client that throws away what it reads, so that it costs little beside what is measured; and that can be held by the
//! thousand. Blocking, without TLS, SCRAM only.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use scrim::demo::DATABASE;

use crate::stand::Target;

/// An answer that takes longer is a failure.
const TIMEOUT: Duration = Duration::from_secs(120);

const PROTOCOL_3_0: i32 = 196_608;

/// How much is read at once while rows are counted.
const READ_BYTES: usize = 256 * 1024;

/// A connection that is logged in.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Logs in.
    pub fn connect(target: &Target) -> Result<Client, String> {
        let stream = TcpStream::connect(target.address)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                Ok(stream)
            })
            .map_err(|error| format!("connect to {}: {error}", target.address))?;
        let mut client = Client { stream };
        client.log_in(target)?;
        Ok(client)
    }

    fn log_in(&mut self, target: &Target) -> Result<(), String> {
        let mut startup = PROTOCOL_3_0.to_be_bytes().to_vec();
        for text in ["user", target.user, "database", DATABASE] {
            put_text(&mut startup, text);
        }
        if !target.options.is_empty() {
            put_text(&mut startup, "options");
            put_text(&mut startup, &target.options);
        }
        put_text(&mut startup, "");
        self.send(None, &startup)?;
        let unbound = ChannelBinding::unsupported();
        let mut scram = ScramSha256::new(target.password.as_bytes(), unbound);
        loop {
            let (kind, body) = self.receive()?;
            let (code, rest) = body.split_at_checked(4).unwrap_or_default();
            match (kind, code) {
                (b'R', [0, 0, 0, 10]) => {
                    let mut reply = Vec::new();
                    put_text(&mut reply, "SCRAM-SHA-256");
                    put_length(&mut reply, scram.message().len())?;
                    reply.extend(scram.message());
                    self.send(Some(b'p'), &reply)?;
                }
                (b'R', [0, 0, 0, 11]) => {
                    scram.update(rest).map_err(|error| format!("SCRAM: {error}"))?;
                    let reply = scram.message().to_vec();
                    self.send(Some(b'p'), &reply)?;
                }
                (b'R', [0, 0, 0, 12]) => {
                    scram.finish(rest).map_err(|error| format!("SCRAM: {error}"))?;
                }
                (b'R', [0, 0, 0, 0]) | (b'S' | b'K' | b'N', _) => {}
                (b'Z', _) => return Ok(()),
                (b'E', _) => return Err(error_text(&body)),
                (kind, _) => return Err(format!("message `{}` at login", char::from(kind))),
            }
        }
    }

    /// Sends a statement as one Query and counts the rows of its answer, a COPY's lines among them.
    pub fn count_rows(&mut self, sql: &str) -> Result<u64, String> {
        let mut rows = 0;
        self.answer(sql, &mut |kind, _| {
            if matches!(kind, b'D' | b'd') {
                rows += 1;
            }
        })?;
        Ok(rows)
    }

    /// The bodies of the rows of an answer.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut rows = Vec::new();
        self.answer(sql, &mut |kind, body| {
            if kind == b'D' {
                rows.push(body.to_vec());
            }
        })?;
        Ok(rows)
    }

    fn answer(&mut self, sql: &str, each: &mut dyn FnMut(u8, &[u8])) -> Result<(), String> {
        let mut body = Vec::new();
        put_text(&mut body, sql);
        self.send(Some(b'Q'), &body)?;
        let mut buffer = vec![0; READ_BYTES];
        // What of the buffer has been read and not been cut into messages.
        let mut held = 0..0;
        let mut error = None;
        loop {
            let text = buffer.get(held.clone()).unwrap_or_default();
            if let Some((kind, body, length)) = message(text) {
                match kind {
                    b'E' => error = Some(error_text(body)),
                    b'Z' => return error.map_or(Ok(()), Err),
                    kind => each(kind, body),
                }
                held.start += length;
                continue;
            }
            // Half a message goes to the front; one longer than the buffer makes it grow.
            buffer.copy_within(held.clone(), 0);
            held = 0..held.len();
            if held.end == buffer.len() {
                buffer.resize(buffer.len().saturating_mul(2), 0);
            }
            let room = buffer.get_mut(held.end..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => return Err("the connection was closed".into()),
                Ok(read) => held.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("read: {error}")),
            }
        }
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), String> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        put_length(&mut message, body.len().saturating_add(4))?;
        message.extend(body);
        self.stream.write_all(&message).map_err(|error| format!("write: {error}"))
    }

    /// One message during login, when little comes.
    fn receive(&mut self) -> Result<(u8, Vec<u8>), String> {
        let failed = |error| format!("read: {error}");
        let mut header = [0; 5];
        self.stream.read_exact(&mut header).map_err(failed)?;
        let [kind, length @ ..] = header;
        let length = u32::from_be_bytes(length).saturating_sub(4);
        let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(READ_BYTES)];
        self.stream.read_exact(&mut body).map_err(failed)?;
        Ok((kind, body))
    }
}

/// The first whole message: its kind, its body, and how long it is with its header.
fn message(text: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (header, rest) = text.split_first_chunk::<5>()?;
    let [kind, length @ ..] = *header;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    Some((kind, rest.get(..length.checked_sub(4)?)?, length + 1))
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend(text.as_bytes());
    body.push(0);
}

fn put_length(body: &mut Vec<u8>, length: usize) -> Result<(), String> {
    let length = u32::try_from(length).map_err(|_| "a message of over 4 GiB".to_owned())?;
    body.extend(length.to_be_bytes());
    Ok(())
}

/// SQLSTATE and message.
fn error_text(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let wanted = fields.filter(|(kind, _)| matches!(kind, b'C' | b'M'));
    wanted.map(|(_, text)| String::from_utf8_lossy(text)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_where_they_end() {
        let text = b"D\0\0\0\x06abZ\0\0\0\x05I";
        assert_eq!(message(text), Some((b'D', b"ab".as_slice(), 7)));
        assert_eq!(message(&text[7..]), Some((b'Z', b"I".as_slice(), 6)));
        assert_eq!(message(&text[..6]), None);
        assert_eq!(message(b"Z\0\0"), None);
        assert_eq!(message(b"Z\0\0\0\x01"), None);
    }

    #[test]
    fn errors_say_code_and_message() {
        assert_eq!(error_text(b"SERROR\0C42501\0Mscrim: no\0\0"), "42501 scrim: no");
    }
}
