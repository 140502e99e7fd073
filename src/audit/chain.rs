//! The hash chain: each line carries the number after that of the line before, and its SHA-256.
//!
//! The chain shows that no line in it was changed, taken out or put in between. It cannot show that the last
//! lines were cut off, or that somebody wrote the whole file anew: for that its hash must be kept elsewhere.
//!
//! A crash may leave a torn line. It stays where it is; the next line is a [`Record::Recovered`], which follows
//! from the last whole line and carries the hash of what is torn, so that this too cannot be changed later.

use std::io::BufRead;

use jiff::Timestamp;
use ring::digest;
use serde::{Deserialize, Serialize};

use super::record::Record;

/// What the first line carries.
pub(super) const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ChainFault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Checks a whole trail and gives the number of its records.
///
/// # Errors
/// The first line that does not follow from the one before.
pub fn verify_chain(reader: impl BufRead) -> Result<usize, ChainFault> {
    let mut link = Link::first();
    let mut count = 0_usize;
    // What may be torn: the first line of it, what is wrong there, its bytes.
    let mut torn: Option<(ChainFault, Vec<u8>)> = None;
    for (line, number) in reader.split(b'\n').zip(1..) {
        let fault = |what| ChainFault { line: number, what };
        let line = line.map_err(|_| fault("cannot be read"))?;
        let carried = Carried::read(&line);
        torn = match (carried, torn) {
            (Some(carried), None) => {
                if carried.previous != link.previous {
                    return Err(fault("does not carry the hash of the line before"));
                }
                if carried.sequence != link.sequence.saturating_add(1) {
                    return Err(fault("does not carry the next number"));
                }
                link = Link::after(&line, carried.sequence);
                count = count.saturating_add(1);
                None
            }
            (None, None) => Some((fault("is not whole"), line)),
            // The line that ends what is torn answers for it.
            (Some(carried), Some((_, bytes))) if carried.recovers(&bytes, &link) => {
                link = Link::after(&line, carried.sequence);
                count = count.saturating_add(1);
                None
            }
            (_, Some((fault, mut bytes))) => {
                bytes.push(b'\n');
                bytes.extend_from_slice(&line);
                Some((fault, bytes))
            }
        };
    }
    match torn {
        Some((fault, _)) => Err(fault),
        None => Ok(count),
    }
}

/// What a line says of the chain.
#[derive(Deserialize)]
pub(super) struct Carried {
    pub(super) sequence: u64,
    pub(super) previous: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    torn_hash: String,
}

impl Carried {
    /// `None` when the line is no line of a trail.
    pub(super) fn read(line: &[u8]) -> Option<Carried> {
        let carried: Carried = serde_json::from_slice(line).ok()?;
        let is_hash = carried.previous.len() == FIRST.len()
            && carried.previous.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(carried)
    }

    fn recovers(&self, torn: &[u8], link: &Link) -> bool {
        self.event == "recovered"
            && self.torn_hash == hash(torn)
            && self.previous == link.previous
            && self.sequence == link.sequence.saturating_add(1)
    }
}

/// Where the chain goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    previous: String,
    sequence: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    sequence: u64,
    previous: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}

impl Link {
    /// Before the first line.
    pub(super) fn first() -> Link {
        Link { previous: FIRST.to_owned(), sequence: 0 }
    }

    /// After a line, which carries `sequence`.
    pub(super) fn after(line: &[u8], sequence: u64) -> Link {
        Link { previous: hash(line), sequence }
    }

    /// Adds a record's line to `out` and moves on.
    pub(super) fn append(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.sequence = self.sequence.saturating_add(1);
        let time = format!("{:.6}", Timestamp::now());
        let line = Line { time, sequence: self.sequence, previous: &self.previous, record };
        // Names, numbers and texts always have a JSON form; if not, the line says so and the chain holds.
        let line = serde_json::to_vec(&line).unwrap_or_else(|_| {
            format!(
                "{{\"sequence\":{},\"previous\":\"{}\",\"event\":\"unwritable\"}}",
                self.sequence, self.previous
            )
            .into_bytes()
        });
        self.previous = hash(&line);
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
}

/// SHA-256, in hex.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Two small digits for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}
