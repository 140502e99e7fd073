//! The untyped messages before login.
//!
//! Pure: bytes in, one [`FirstPacket`] out. The invariant: a packet is read to exactly its announced end, and what
//! cannot be read as PostgreSQL reads it is a fault, not a guess.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>

use bytes::BytesMut;

/// The longest packet before login, as in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`).
pub const PACKET_BYTES_MAX: usize = 10_000;
/// The newest minor version of protocol 3 that Scrim speaks. The other is 0: 3.1 was never given out.
pub const MINOR_MAX: u16 = 2;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS_ENC: u32 = 80_877_104;

/// What a client may send first.
#[derive(Clone, PartialEq, Eq)]
pub enum FirstPacket {
    /// Asks for TLS: answered by one byte, `S` or `N`.
    SslRequest,
    /// Asks for GSSAPI encryption: answered by one byte, `N`.
    GssEncRequest,
    /// Asks to cancel what another connection runs: never answered.
    Cancel {
        /// As told to that connection.
        process_id: i32,
        /// As told to that connection, 4 to 256 bytes.
        key: Vec<u8>,
    },
    /// Begins a session.
    Startup(Startup),
}

/// StartupMessage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// Major version: always 3.
    pub major: u16,
    /// Minor version as asked for; see [`Startup::negotiation`].
    pub minor: u16,
    /// Names and values in the order sent, each name once, without `options` and protocol options.
    pub parameters: Vec<(String, String)>,
    /// The settings in `options`, in order: a later one of the same name wins.
    pub options: Vec<(String, String)>,
    /// Protocol options (`_pq_.…`), none of which Scrim knows.
    pub unknown_options: Vec<String>,
}

/// What NegotiateProtocolVersion has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiation {
    /// The version spoken: major in the upper 16 bits.
    pub version: i32,
    /// Protocol options that are not known.
    pub unknown_options: Vec<String>,
}

impl Startup {
    /// A parameter by its exact name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(each, _)| each == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Who wants to log in; `None` when empty or missing (28000).
    pub fn user(&self) -> Option<&str> {
        self.parameter("user").filter(|user| !user.is_empty())
    }

    /// The database: the user's name when empty or missing, as in PostgreSQL.
    pub fn database(&self) -> Option<&str> {
        let named = self.parameter("database").filter(|name| !name.is_empty());
        named.or_else(|| self.user())
    }

    /// The minor version that is spoken with this client: 2, or 0 when it asked for less. From 2 on a cancel key
    /// may be longer than 4 bytes.
    pub fn minor_spoken(&self) -> u16 {
        if self.minor < MINOR_MAX { 0 } else { MINOR_MAX }
    }

    /// What to tell the client, before authentication, when it does not get what it asked for.
    pub fn negotiation(&self) -> Option<Negotiation> {
        if self.minor == self.minor_spoken() && self.unknown_options.is_empty() {
            return None;
        }
        Some(Negotiation {
            version: i32::from(self.major) << 16 | i32::from(self.minor_spoken()),
            unknown_options: self.unknown_options.clone(),
        })
    }
}

/// The first packet is none that can be answered by a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartupFault {
    /// Shorter than its head or longer than [`PACKET_BYTES_MAX`]: also what anything that is no PostgreSQL client
    /// sends. Answered by closing.
    #[error("invalid length of startup packet")]
    Length,
    /// The layout is wrong.
    #[error("invalid startup packet: {0}")]
    Layout(&'static str),
    /// Another major version.
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2")]
    Version {
        /// As asked for.
        major: u16,
        /// As asked for.
        minor: u16,
    },
    /// A switch in `options` that is not `-c` or `--`.
    #[error("invalid command-line argument for server process: {0}")]
    Argument(String),
    /// A setting in `options` without `=`.
    #[error("{0} requires a value")]
    NoValue(String),
    /// A name or value is not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\" in startup packet")]
    Utf8,
}

impl StartupFault {
    /// SQLSTATE to close the connection with.
    pub fn code(&self) -> &'static str {
        match self {
            StartupFault::Length | StartupFault::Layout(_) => "08P01",
            StartupFault::Version { .. } => "0A000",
            StartupFault::Argument(_) | StartupFault::NoValue(_) => "42601",
            StartupFault::Utf8 => "22021",
        }
    }
}

/// Takes the first packet out of `buffer`, or gives `None` until all of it has come.
/// Bytes behind it stay: after SSLRequest there must be none (they would have come before TLS).
pub fn read(buffer: &mut BytesMut) -> Result<Option<FirstPacket>, StartupFault> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| StartupFault::Length)?;
    if !(8..=PACKET_BYTES_MAX).contains(&length) {
        return Err(StartupFault::Length);
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let packet = buffer.split_to(length);
    let body = packet.get(4..).unwrap_or_default();
    let (code, body) = body.split_first_chunk::<4>().ok_or(StartupFault::Length)?;
    match u32::from_be_bytes(*code) {
        SSL if body.is_empty() => Ok(Some(FirstPacket::SslRequest)),
        GSS_ENC if body.is_empty() => Ok(Some(FirstPacket::GssEncRequest)),
        SSL | GSS_ENC => Err(StartupFault::Length),
        CANCEL => cancel(body).map(Some),
        version => {
            let [major_high, major_low, minor_high, minor_low] = version.to_be_bytes();
            let major = u16::from_be_bytes([major_high, major_low]);
            let minor = u16::from_be_bytes([minor_high, minor_low]);
            if major != 3 {
                return Err(StartupFault::Version { major, minor });
            }
            startup(major, minor, body).map(|startup| Some(FirstPacket::Startup(startup)))
        }
    }
}

fn cancel(body: &[u8]) -> Result<FirstPacket, StartupFault> {
    let (process_id, key) = body.split_first_chunk::<4>().ok_or(StartupFault::Length)?;
    match key.len() {
        4..=256 => Ok(FirstPacket::Cancel {
            process_id: i32::from_be_bytes(*process_id),
            key: key.to_vec(),
        }),
        _ => Err(StartupFault::Length),
    }
}

/// Names and values, ended by an empty name that is the packet's last byte.
fn startup(major: u16, minor: u16, body: &[u8]) -> Result<Startup, StartupFault> {
    let mut startup = Startup {
        major,
        minor,
        parameters: Vec::new(),
        options: Vec::new(),
        unknown_options: Vec::new(),
    };
    let mut left = body;
    let mut has_options = false;
    loop {
        let name = string(&mut left)?;
        if name.is_empty() {
            break;
        }
        let value = string(&mut left)?;
        if name.starts_with("_pq_.") {
            startup.unknown_options.push(name);
        } else if startup.parameter(&name).is_some() || (name == "options" && has_options) {
            // PostgreSQL lets the last one win; whoever sends two hopes that two readers differ.
            return Err(StartupFault::Layout("a parameter is given twice"));
        } else if name == "options" {
            has_options = true;
            startup.options = settings(&split_options(&value))?;
        } else {
            startup.parameters.push((name, value));
        }
    }
    if !left.is_empty() {
        return Err(StartupFault::Layout("expected terminator as last byte"));
    }
    Ok(startup)
}

fn string(left: &mut &[u8]) -> Result<String, StartupFault> {
    let end = left.iter().position(|byte| *byte == 0);
    let end = end.ok_or(StartupFault::Layout("expected terminator as last byte"))?;
    let (string, rest) = left.split_at(end);
    *left = rest.get(1..).unwrap_or_default();
    let string = std::str::from_utf8(string).map_err(|_| StartupFault::Utf8)?;
    Ok(string.to_owned())
}

/// Splits `options` into arguments as PostgreSQL's `pg_split_opts` does: at white space, a backslash takes the
/// next character as it is.
fn split_options(options: &str) -> Vec<String> {
    let space = |each: char| matches!(each, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    let mut arguments = Vec::new();
    let mut left = options.chars().peekable();
    loop {
        while left.next_if(|each| space(*each)).is_some() {}
        if left.peek().is_none() {
            return arguments;
        }
        let mut argument = String::new();
        while let Some(each) = left.next_if(|each| !space(*each)) {
            match each {
                '\\' => argument.extend(left.next()),
                each => argument.push(each),
            }
        }
        arguments.push(argument);
    }
}

/// `-c name=value`, `-cname=value`, `--name=value`; every other switch is refused.
fn settings(arguments: &[String]) -> Result<Vec<(String, String)>, StartupFault> {
    let mut settings = Vec::new();
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        let (switch, setting) = if argument == "-c" {
            let next = left.next();
            ("-c ", next.ok_or(StartupFault::NoValue("-c".to_owned()))?.as_str())
        } else if let Some(setting) = argument.strip_prefix("--") {
            ("--", setting)
        } else if let Some(setting) = argument.strip_prefix("-c") {
            ("-c ", setting)
        } else {
            return Err(StartupFault::Argument(argument.clone()));
        };
        let (name, value) = match setting.split_once('=') {
            Some(("", _)) => return Err(StartupFault::Argument(argument.clone())),
            Some(pair) => pair,
            None if setting.is_empty() => return Err(StartupFault::Argument(argument.clone())),
            None => return Err(StartupFault::NoValue(format!("{switch}{setting}"))),
        };
        // As PostgreSQL's ParseLongOption: a dash in a name is an underscore.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
