//! Who gets each line of the trail beside the file: standard output, a syslog (RFC 5424) by datagrams, and a table of a
//! PostgreSQL.
//!
//! A sink has a copy. The chain lives in the file, and is checked there; a sink that is not well stops statements all the
//! same. A syslog line is one message. What is too long for one, as a record with a long statement may be, is cut there to
//! who, when, and the SHA-256 of the whole line.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use syslog_fmt::v5424::{Config, Formatter, Msg, write_msg, write_nil_value};
use syslog_fmt::{Facility, Severity};

use super::chain::hash;
use super::record::{Record, Verdict};
use super::table::{Table, TablePlace};

/// RFC 5424 lets a receiver cut what is longer than 2048 bytes; rsyslog and syslog-ng take 8 KiB unless told otherwise.
const MESSAGE_BYTES_MAX: usize = 8192;

/// How long a receiver that takes nothing holds the writer up before that counts as a failure.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// What stays of a line that is too long.
const KEPT: [&str; 9] =
    ["time", "sequence", "previous", "event", "session", "user", "role", "verdict", "statement"];

/// Names of facilities, as syslog daemons write them.
pub const FACILITIES: [(&str, u8); 12] = [
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("authpriv", 10),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// A line of `sinks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkOptions {
    /// As the line stands in the file.
    Stdout,
    /// A message of RFC 5424 for each line.
    Syslog {
        /// Where it listens.
        address: SyslogAddress,
        /// Number of the facility.
        facility: u8,
    },
    /// A row for each line.
    Table(Box<TablePlace>),
}

/// Where a syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A datagram socket, such as `/dev/log`.
    Unix(PathBuf),
    /// A UDP port. What the network loses nobody hears of.
    Udp(SocketAddr),
}

impl SinkOptions {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be reached.
    pub(super) fn open(&self) -> io::Result<Outlet> {
        match self {
            SinkOptions::Stdout => {
                let own = io::stdout().as_fd().try_clone_to_owned()?;
                Ok(Outlet::Stdout(File::from(own)))
            }
            SinkOptions::Syslog { address, facility } => {
                let mut syslog = Syslog {
                    address: address.clone(),
                    formatter: formatter(*facility)?,
                    socket: None,
                };
                syslog.socket()?;
                Ok(Outlet::Syslog(syslog))
            }
            SinkOptions::Table(place) => Ok(Outlet::Table(Box::new(Table::open(place)?))),
        }
    }
}

/// A line among the bytes of a batch.
#[derive(Debug)]
pub(super) struct Line {
    /// With its end.
    pub(super) place: Range<usize>,
    /// What a syslog wants to know.
    pub(super) about: About,
}

impl Line {
    /// Without its end.
    fn text<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let whole = bytes.get(self.place.clone()).unwrap_or_default();
        whole.strip_suffix(b"\n").unwrap_or(whole)
    }
}

/// What a syslog wants to know of a record.
#[derive(Debug)]
pub(super) struct About {
    event: &'static str,
    severity: Severity,
}

impl From<&Record> for About {
    fn from(record: &Record) -> About {
        let severity = match record {
            Record::Breach { .. } => Severity::Alert,
            Record::Grant(grant) if grant.action == "break_glass" => Severity::Alert,
            Record::Grant(_) => Severity::Notice,
            Record::ReloadRefused { .. } => Severity::Err,
            Record::Login { refused: Some(_), .. }
            | Record::Found { .. }
            | Record::Recovered { .. } => Severity::Warning,
            Record::Console(facts) if facts.refused.is_some() => Severity::Warning,
            Record::Statement(statement) => match statement.verdict {
                Verdict::Refuse => Severity::Warning,
                Verdict::Forward | Verdict::Rewrite => Severity::Info,
            },
            Record::Login { refused: None, .. }
            | Record::Completed(_)
            | Record::Rotated { .. }
            | Record::Reload { .. }
            | Record::Console(_)
            | Record::Logout { .. } => Severity::Info,
        };
        About { event: record.event(), severity }
    }
}

/// An open sink.
#[derive(Debug)]
pub(super) enum Outlet {
    Stdout(File),
    Syslog(Syslog),
    Table(Box<Table>),
}

impl Outlet {
    /// Gives it what of the trail in `file` it has not got, if it can tell.
    pub(super) fn catch_up(&mut self, file: &Path) -> io::Result<()> {
        match self {
            Outlet::Table(table) => table.catch_up(file),
            Outlet::Stdout(_) | Outlet::Syslog(_) => Ok(()),
        }
    }

    /// Gives it the lines from `taken` on, and counts there which it has.
    pub(super) fn give(
        &mut self,
        bytes: &[u8],
        lines: &[Line],
        taken: &mut usize,
    ) -> io::Result<()> {
        while let Some(line) = lines.get(*taken) {
            let count = match self {
                Outlet::Stdout(out) => {
                    out.write_all(bytes.get(line.place.clone()).unwrap_or_default())?;
                    1
                }
                Outlet::Syslog(syslog) => {
                    syslog.send(line.text(bytes), &line.about)?;
                    1
                }
                Outlet::Table(table) => {
                    let rest = lines.iter().skip(*taken).map(|line| line.text(bytes));
                    table.give(&rest.collect::<Vec<_>>())?
                }
            };
            *taken = taken.saturating_add(count);
        }
        Ok(())
    }
}

/// A syslog that listens to datagrams.
#[derive(Debug)]
pub(super) struct Syslog {
    address: SyslogAddress,
    formatter: Formatter,
    /// `None` after a failure: it may have been started again.
    socket: Option<Datagrams>,
}

#[derive(Debug)]
enum Datagrams {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Syslog {
    fn socket(&mut self) -> io::Result<&Datagrams> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connect().map_err(|error| {
                let place = match &self.address {
                    SyslogAddress::Unix(path) => path.display().to_string(),
                    SyslogAddress::Udp(address) => format!("udp://{address}"),
                };
                io::Error::new(error.kind(), format!("the syslog at {place}: {error}"))
            })?,
        };
        Ok(self.socket.insert(socket))
    }

    fn connect(&self) -> io::Result<Datagrams> {
        Ok(match &self.address {
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(SEND_TIMEOUT))?;
                socket.connect(path)?;
                Datagrams::Unix(socket)
            }
            SyslogAddress::Udp(address) => {
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => ([0_u8; 4], 0).into(),
                    SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_write_timeout(Some(SEND_TIMEOUT))?;
                socket.connect(address)?;
                Datagrams::Udp(socket)
            }
        })
    }

    fn send(&mut self, line: &[u8], about: &About) -> io::Result<()> {
        let mut message = self.message(line, about)?;
        if message.len() > MESSAGE_BYTES_MAX {
            message = self.message(&cut(line), about)?;
        }
        let sent = match self.socket()? {
            Datagrams::Unix(socket) => socket.send(&message),
            Datagrams::Udp(socket) => socket.send(&message),
        };
        if sent.is_err() {
            self.socket = None;
        }
        sent.map(|_| ())
    }

    /// The text is JSON in UTF-8, without the mark that RFC 5424 would have before it: readers of JSON choke on that.
    fn message(&self, line: &[u8], about: &About) -> io::Result<Vec<u8>> {
        let mut message = Vec::with_capacity(line.len().saturating_add(128));
        let time = time_of(line);
        self.formatter.write_header(&mut message, about.severity, time, Some(about.event))?;
        write_nil_value(&mut message)?;
        write_msg(&mut message, Msg::NonUnicodeBytes(line))?;
        Ok(message)
    }
}

/// The time of the record, which begins each line.
fn time_of(line: &[u8]) -> syslog_fmt::v5424::Timestamp<'_> {
    let time =
        line.strip_prefix(b"{\"time\":\"").and_then(|rest| rest.split(|b| *b == b'"').next());
    match time.and_then(|time| std::str::from_utf8(time).ok()) {
        Some(time) => syslog_fmt::v5424::Timestamp::PreformattedStr(time),
        None => syslog_fmt::v5424::Timestamp::None,
    }
}

/// Who and when, and by which hash the whole line is found in the file.
fn cut(line: &[u8]) -> Vec<u8> {
    let whole: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
    // What a client has called itself has no place here if that is what is long.
    let is_short = |value: &Value| value.as_str().is_none_or(|text| text.len() <= 256);
    let kept = KEPT.iter().filter_map(|key| {
        whole.get(*key).filter(|value| is_short(value)).map(|v| ((*key).to_owned(), v.clone()))
    });
    let mut short: Map<String, Value> = kept.collect();
    short.insert("cut_bytes".into(), line.len().into());
    short.insert("cut_hash".into(), hash(line).into());
    serde_json::to_vec(&short).unwrap_or_default()
}

fn formatter(facility: u8) -> io::Result<Formatter> {
    let facility =
        Facility::try_from(facility).map_err(|_| io::Error::other("there is no such facility"))?;
    // Where it cannot be read, RFC 5424 has a dash.
    let host = machine();
    let process = std::process::id().to_string();
    let config = Config {
        facility,
        hostname: host.as_deref(),
        app_name: Some("scrim"),
        proc_id: Some(&process),
    };
    Ok(config.into_formatter())
}

/// The name of this machine, as `hostname` tells it.
pub fn machine() -> Option<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn line(text: &str) -> Vec<u8> {
        format!("{{\"time\":\"2026-11-28T09:00:00.000000Z\",\"sequence\":7,\"sql\":\"{text}\"}}\n")
            .into_bytes()
    }

    fn given(outlet: &mut Outlet, bytes: &[u8], event: &'static str, severity: Severity) {
        let lines = [Line { place: 0..bytes.len(), about: About { event, severity } }];
        let mut taken = 0;
        outlet.give(bytes, &lines, &mut taken).unwrap();
        assert_eq!(taken, 1);
    }

    #[test]
    fn a_syslog_gets_messages_of_rfc_5424() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let options =
            SinkOptions::Syslog { address: SyslogAddress::Unix(path.clone()), facility: 10 };
        let mut outlet = options.open().unwrap();
        given(&mut outlet, &line("SELECT ?"), "statement", Severity::Warning);
        let mut buffer = vec![0; 20_000];
        let got = receiver.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..got]).unwrap();
        // PRI is facility * 8 + severity.
        let (head, json) = text.split_once(" - {").unwrap();
        assert!(head.starts_with("<84>1 2026-11-28T09:00:00.000000Z "), "{text}");
        assert!(head.ends_with(&format!(" scrim {} statement", std::process::id())), "{text}");
        assert_eq!(
            json,
            "\"time\":\"2026-11-28T09:00:00.000000Z\",\"sequence\":7,\"sql\":\"SELECT ?\"}"
        );

        // Too long: the hash of the whole line is in its place.
        let long = line(&"x".repeat(10_000));
        given(&mut outlet, &long, "breach", Severity::Alert);
        let got = receiver.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..got]).unwrap();
        assert!(text.starts_with("<81>1 ") && text.len() < MESSAGE_BYTES_MAX, "{text}");
        assert!(text.contains(&hash(long.strip_suffix(b"\n").unwrap())), "{text}");
        assert!(text.contains("\"sequence\":7") && !text.contains("xxx"), "{text}");

        // Who has gone away fails, and may come back.
        drop(receiver);
        std::fs::remove_file(&path).unwrap();
        let bytes = line("SELECT 1");
        let about = About { event: "statement", severity: Severity::Info };
        let lines = [Line { place: 0..bytes.len(), about }];
        let mut taken = 0;
        assert!(outlet.give(&bytes, &lines, &mut taken).is_err() && taken == 0);
        assert!(outlet.give(&bytes, &lines, &mut taken).is_err());
        let receiver = UnixDatagram::bind(&path).unwrap();
        outlet.give(&bytes, &lines, &mut taken).unwrap();
        assert!(receiver.recv(&mut buffer).unwrap() > 0 && taken == 1);
    }

    #[test]
    fn a_syslog_listens_at_a_udp_port_too() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = SyslogAddress::Udp(receiver.local_addr().unwrap());
        let mut outlet = SinkOptions::Syslog { address, facility: 16 }.open().unwrap();
        given(&mut outlet, &line("SELECT ?"), "login", Severity::Info);
        let mut buffer = [0; 4096];
        let got = receiver.recv(&mut buffer).unwrap();
        assert!(buffer[..got].starts_with(b"<134>1 2026-"));
    }

    #[test]
    fn every_facility_that_has_a_name_is_one() {
        for (name, number) in FACILITIES {
            assert!(formatter(number).is_ok(), "{name}");
        }
    }
}
