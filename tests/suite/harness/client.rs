//! A client that hides nothing: it speaks the protocol by hand and keeps every byte it receives.
//!
//! Blocking, without TLS; the drivers under `clients` cover the rest.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

/// An answer that takes longer is a hang, and a test must not hang.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The version that every client has spoken for twenty years.
pub const PROTOCOL_3_0: i32 = 196_608;

/// The form in which a statement is sent, and results are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One Query message; text results.
    Simple,
    /// Parse, Describe, Bind, Describe, Execute, Sync; text results.
    ExtendedText,
    /// The same with binary results.
    ExtendedBinary,
}

impl Form {
    pub const ALL: [Form; 3] = [Form::Simple, Form::ExtendedText, Form::ExtendedBinary];
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub body: Vec<u8>,
}

/// A result column, as RowDescription tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub table: u32,
    pub column: i16,
    pub type_oid: u32,
    pub type_modifier: i32,
}

/// What an ErrorResponse says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    pub severity: String,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    pub detail: Option<String>,
    pub position: Option<String>,
}

/// The answer to one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Option<Vec<Field>>,
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// Bytes of COPY TO STDOUT.
    pub copied: Vec<u8>,
    pub tag: Option<String>,
    pub error: Option<ServerError>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection, logged in.
pub struct Client {
    stream: Stream,
    /// Every byte received since the last [`Client::take_received`].
    received: Vec<u8>,
    /// How much of `received` has been cut into frames.
    read: usize,
    /// `I`, `T` or `E` of the last ReadyForQuery.
    pub transaction: u8,
    pub parameters: BTreeMap<String, String>,
    pub backend_key: Vec<u8>,
    /// What NegotiateProtocolVersion said.
    pub negotiated: Option<Vec<u8>>,
    /// What is sent where the server asks for the data of a COPY; without any, the client gives up.
    pub data: Option<Vec<u8>>,
    /// The unit under way is of the extended protocol: its Sync was ignored where a COPY asked for data.
    is_extended: bool,
}

impl Client {
    /// Logs in over TCP with SCRAM. `options` are startup parameters beside user and database.
    pub fn connect(
        address: SocketAddr,
        user: &str,
        password: &str,
        database: &str,
        options: &[(&str, &str)],
    ) -> Result<Client, Box<ServerError>> {
        Client::connect_with_version(address, PROTOCOL_3_0, user, password, database, options)
    }

    /// The same with another version of the protocol.
    pub fn connect_with_version(
        address: SocketAddr,
        version: i32,
        user: &str,
        password: &str,
        database: &str,
        options: &[(&str, &str)],
    ) -> Result<Client, Box<ServerError>> {
        Client::log_in(Stream::Tcp(tcp(address)), version, user, password, database, options)
    }

    /// Sends these bytes first, as a proxy does.
    pub fn connect_after(
        address: SocketAddr,
        first: &[u8],
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, Box<ServerError>> {
        let mut stream = tcp(address);
        stream.write_all(first).expect("bytes");
        Client::log_in(Stream::Tcp(stream), PROTOCOL_3_0, user, password, database, &[])
    }

    /// Logs in over the Unix socket of a private PostgreSQL, which trusts everybody.
    pub fn connect_unix(folder: &Path, port: u16, user: &str, database: &str) -> Client {
        Client::connect_unix_with(folder, port, user, database, &[])
    }

    /// The same with startup parameters.
    pub fn connect_unix_with(
        folder: &Path,
        port: u16,
        user: &str,
        database: &str,
        options: &[(&str, &str)],
    ) -> Client {
        let stream =
            UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).expect("Unix socket");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("time-out");
        Client::log_in(Stream::Unix(stream), PROTOCOL_3_0, user, "", database, options)
            .expect("login")
    }

    fn log_in(
        stream: Stream,
        version: i32,
        user: &str,
        password: &str,
        database: &str,
        options: &[(&str, &str)],
    ) -> Result<Client, Box<ServerError>> {
        let mut client = Client {
            stream,
            received: Vec::new(),
            read: 0,
            transaction: b'I',
            parameters: BTreeMap::new(),
            backend_key: Vec::new(),
            negotiated: None,
            data: None,
            is_extended: false,
        };
        let mut body = version.to_be_bytes().to_vec();
        for (name, value) in
            [("user", user), ("database", database)].into_iter().chain(options.iter().copied())
        {
            put_string(&mut body, name);
            put_string(&mut body, value);
        }
        body.push(0);
        let mut startup = (body.len() as u32 + 4).to_be_bytes().to_vec();
        startup.extend(body);
        client.send_raw(&startup);
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let frame = client.frame();
            match frame.kind {
                b'R' => client.authenticate(&frame.body, &mut scram),
                b'S' => {
                    let mut parts = frame.body.split(|byte| *byte == 0).map(text);
                    let (name, value) = (parts.next(), parts.next());
                    client.parameters.insert(name.expect("name"), value.expect("value"));
                }
                b'K' => client.backend_key = frame.body,
                b'E' => return Err(Box::new(error_fields(&frame.body))),
                b'v' => client.negotiated = Some(frame.body),
                b'N' => {}
                b'Z' => {
                    client.transaction = frame.body[0];
                    client.forget_random_bytes();
                    return Ok(client);
                }
                other => panic!("unexpected message {:?} during login", char::from(other)),
            }
        }
    }

    /// SCRAM's nonces and the cancel key are random and would hold any mark sooner or later.
    fn forget_random_bytes(&mut self) {
        let mut rest = self.received.as_slice();
        let mut kept = Vec::new();
        while let Some((header, _)) = rest.split_first_chunk::<5>() {
            let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
            let (frame, after) = rest.split_at(length as usize + 1);
            if !matches!(header[0], b'R' | b'K') {
                kept.extend(frame);
            }
            rest = after;
        }
        self.read = kept.len();
        self.received = kept;
    }

    fn authenticate(&mut self, body: &[u8], scram: &mut ScramSha256) {
        let (kind, rest) = body.split_at(4);
        let mut reply = Vec::new();
        match kind[3] {
            0 => return,
            10 => {
                put_string(&mut reply, "SCRAM-SHA-256");
                reply.extend((scram.message().len() as u32).to_be_bytes());
                reply.extend(scram.message());
            }
            11 => {
                scram.update(rest).expect("server's first SCRAM message");
                reply.extend(scram.message());
            }
            12 => return scram.finish(rest).expect("server's last SCRAM message"),
            other => panic!("unexpected authentication {other}"),
        }
        self.send(b'p', &reply);
    }

    /// Sends one message.
    pub fn send(&mut self, kind: u8, body: &[u8]) {
        let mut message = vec![kind];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        self.send_raw(&message);
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the other side takes bytes");
    }

    /// The same to somebody who may be gone.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Panics if anything comes within this time.
    pub fn expect_silence(&mut self, time: Duration) {
        let Stream::Tcp(stream) = &self.stream else { panic!("over TCP only") };
        stream.set_read_timeout(Some(time)).expect("time-out");
        let mut said = [0; 400];
        let read = stream.peek(&mut said);
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("time-out");
        assert!(read.is_err(), "something has come: {}", String::from_utf8_lossy(&said));
    }

    /// The next message; panics if the connection ends.
    pub fn frame(&mut self) -> Frame {
        self.next_frame().unwrap_or_else(|| {
            let last = self.received.len().saturating_sub(300);
            let heard = String::from_utf8_lossy(&self.received[last..]);
            panic!("the connection has ended in the middle of an answer; last heard: {heard:?}")
        })
    }

    /// The next message; `None` when the connection has ended.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let pending = &self.received[self.read..];
            if let Some((header, rest)) = pending.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
                let length = length as usize - 4;
                if rest.len() >= length {
                    let frame = Frame { kind: header[0], body: rest[..length].to_vec() };
                    self.read += 5 + length;
                    return Some(frame);
                }
            }
            let mut chunk = [0; 16 * 1024];
            let count = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(&mut chunk),
                Stream::Unix(stream) => stream.read(&mut chunk),
            };
            match count {
                Ok(0) => return None,
                Ok(count) => self.received.extend(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // A machine that was paused and goes on.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    /// Every byte received since the last call, login included.
    pub fn take_received(&mut self) -> Vec<u8> {
        let rest = self.received.split_off(self.read);
        self.read = 0;
        std::mem::replace(&mut self.received, rest)
    }

    /// Runs a text in one of the forms. The extended protocol takes one statement at a time: `statements` are
    /// the text's, and the first error ends the run.
    pub fn run(&mut self, form: Form, text: &str, statements: &[&str]) -> Vec<Answer> {
        if form == Form::Simple {
            return self.simple(text);
        }
        let mut answers = Vec::new();
        for statement in statements {
            answers.push(self.extended(statement, form == Form::ExtendedBinary));
            if answers.last().is_some_and(|answer| answer.error.is_some()) {
                break;
            }
        }
        answers
    }

    /// One Query message.
    pub fn simple(&mut self, text: &str) -> Vec<Answer> {
        let mut body = Vec::new();
        put_string(&mut body, text);
        self.is_extended = false;
        self.send(b'Q', &body);
        self.answers()
    }

    /// One unit of the extended protocol.
    pub fn extended(&mut self, statement: &str, binary: bool) -> Answer {
        let mut message = Vec::new();
        put_string(&mut message, "");
        put_string(&mut message, statement);
        message.extend(0_i16.to_be_bytes());
        self.send(b'P', &message);
        self.send(b'D', b"S\0");
        let mut bind = b"\0\0".to_vec();
        for number in [0, 0, 1, i16::from(binary)] {
            bind.extend(number.to_be_bytes());
        }
        self.send(b'B', &bind);
        self.send(b'D', b"P\0");
        self.send(b'E', b"\0\0\0\0\0");
        self.send(b'S', b"");
        self.is_extended = true;
        let mut answers = self.answers();
        assert!(answers.len() <= 1, "one statement, many answers: {answers:?}");
        answers.pop().unwrap_or_default()
    }

    fn feed(&mut self) {
        match self.data.clone() {
            Some(data) => {
                // In pieces that end where no line does.
                data.chunks(7).for_each(|piece| self.send(b'd', piece));
                self.send(b'c', b"");
            }
            None => self.send(b'f', b"no data\0"),
        }
        if self.is_extended {
            self.send(b'S', b"");
        }
    }

    /// Reads answers up to ReadyForQuery.
    pub fn answers(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut current = Answer::default();
        loop {
            let frame = self.frame();
            match frame.kind {
                b'T' => current.columns = Some(fields(&frame.body)),
                b'D' => current.rows.push(values(&frame.body)),
                b'd' => current.copied.extend(frame.body),
                b'G' => self.feed(),
                b'C' | b'I' | b's' => {
                    let tag = text(frame.body.strip_suffix(&[0]).unwrap_or(&frame.body));
                    current.tag = Some(tag);
                    answers.push(std::mem::take(&mut current));
                }
                b'E' => {
                    current.error = Some(error_fields(&frame.body));
                    answers.push(std::mem::take(&mut current));
                }
                b'Z' => {
                    self.transaction = frame.body[0];
                    return answers;
                }
                // Parse, Bind, Close complete; no data, parameters; notices, notifications, status; COPY's frame.
                b'1' | b'2' | b'3' | b'n' | b't' | b'N' | b'A' | b'S' | b'H' | b'c' => {}
                other => panic!("unexpected message {:?}", char::from(other)),
            }
        }
    }
}

/// Appends a string as the protocol writes it.
pub fn put_string(body: &mut Vec<u8>, string: &str) {
    body.extend(string.as_bytes());
    body.push(0);
}

/// Bytes as text, for messages and comparisons of text results.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("TCP connection");
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(READ_TIMEOUT)).expect("time-out");
    stream
}

fn error_fields(body: &[u8]) -> ServerError {
    let mut error = ServerError::default();
    for field in body.split(|byte| *byte == 0) {
        let Some((kind, value)) = field.split_first() else { continue };
        let value = text(value);
        match kind {
            b'V' => error.severity = value,
            b'C' => error.code = value,
            b'M' => error.message = value,
            b'H' => error.hint = Some(value),
            b'D' => error.detail = Some(value),
            b'P' => error.position = Some(value),
            _ => {}
        }
    }
    error
}

/// Cuts bytes from the front; a body that is too short is a bug of the server under test.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().expect("2 bytes"))
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("4 bytes"))
    }

    fn string(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("a zero byte");
        let string = text(self.take(end));
        self.take(1);
        string
    }
}

fn fields(body: &[u8]) -> Vec<Field> {
    let mut cursor = Cursor(body);
    let fields = (0..cursor.i16())
        .map(|_| {
            let name = cursor.string();
            let (table, column) = (cursor.i32() as u32, cursor.i16());
            let (type_oid, _length) = (cursor.i32() as u32, cursor.i16());
            let (type_modifier, _format) = (cursor.i32(), cursor.i16());
            Field { name, table, column, type_oid, type_modifier }
        })
        .collect();
    assert!(cursor.0.is_empty(), "a row description with bytes left over");
    fields
}

fn values(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut cursor = Cursor(body);
    let values = (0..cursor.i16())
        .map(|_| usize::try_from(cursor.i32()).ok().map(|length| cursor.take(length).to_vec()))
        .collect();
    assert!(cursor.0.is_empty(), "a row with bytes left over");
    values
}

/// Cancels what the session of this key is doing.
pub fn cancel(address: SocketAddr, key: &[u8]) {
    let mut request = (u32::try_from(key.len()).unwrap() + 8).to_be_bytes().to_vec();
    request.extend(80_877_102_u32.to_be_bytes());
    request.extend(key);
    let mut stream = TcpStream::connect(address).expect("connection");
    stream.write_all(&request).expect("sent");
    let _ = stream.read(&mut [0; 1]);
}
