//! The hash chain: each line carries the number after that of the line before, and its SHA-256.
//!
//! The chain shows that no line in it was changed, taken out or put in between. It cannot show that the last
//! lines were cut off, or that somebody wrote the whole file anew: for that its hash must be kept elsewhere.
//!
//! The trail may be many files. The first line of each is then a [`Record::Rotated`], which follows from the last line of
//! the file before; where old files were removed, it says up to which record.
//!
//! A crash may leave a torn line. It stays where it is; the next line is a [`Record::Recovered`], which follows
//! from the last whole line and carries the hash of what is torn, so that this too cannot be changed later.

use std::io::BufRead;

use jiff::Timestamp;
use ring::digest;
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::rendered::Rendered;

/// The event of the first line of a file that goes on from another one.
const ROTATED: &str = "rotated";

/// What the first line carries.
pub(super) const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ChainFault {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Checks a whole trail and gives the number of its records.
///
/// # Errors
/// The first line that does not follow from the one before.
pub fn verify_chain(reader: impl BufRead) -> Result<usize, ChainFault> {
    let mut chain = Chain::from(Beginning::First);
    for line in reader.split(b'\n') {
        let line = line.map_err(|_| chain.fault("cannot be read"))?;
        chain.push(&line)?;
    }
    let checked = chain.end()?;
    Ok(usize::try_from(checked.records).unwrap_or(usize::MAX))
}

/// Where a trail may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With its first record, or with a file before which Scrim has removed older ones and said so.
    First,
    /// With any record: what was before it is elsewhere.
    Anywhere,
}

/// What a whole chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// How many records.
    pub records: u64,
    /// The number of the first one; 0: there is none.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
}

/// Checks a trail line by line, through all of its files.
#[derive(Debug)]
pub struct Chain {
    beginning: Beginning,
    /// `None` before the first record.
    link: Option<Link>,
    checked: Checked,
    /// In the present file.
    line: usize,
    /// What may be torn: the first line of it, what is wrong there, its bytes.
    torn: Option<(ChainFault, Vec<u8>)>,
    /// Up to which record Scrim has removed what was before the first one.
    removed_through: u64,
}

impl Chain {
    /// Before the first line.
    pub fn from(beginning: Beginning) -> Chain {
        let (link, checked) = (None, Checked::default());
        Chain { beginning, link, checked, line: 0, torn: None, removed_through: 0 }
    }

    /// At the line that was pushed last.
    fn fault(&self, what: &'static str) -> ChainFault {
        ChainFault { line: self.line, what }
    }

    /// The next line, without its end. True when it is a record, false when it may be what a crash has torn.
    ///
    /// # Errors
    /// It does not follow from the line before.
    pub fn push(&mut self, line: &[u8]) -> Result<bool, ChainFault> {
        self.line = self.line.saturating_add(1);
        let carried = Carried::read(line);
        let torn = self.torn.take();
        let link = self.link.clone().unwrap_or_else(Link::first);
        match (carried, torn) {
            (Some(carried), None) => {
                // What was before the first file is vouched for at the end.
                let may_begin_here = self.link.is_none()
                    && carried.sequence > 1
                    && (self.beginning == Beginning::Anywhere || carried.event == ROTATED);
                if !may_begin_here {
                    if carried.previous != link.previous {
                        return Err(self.fault("does not carry the hash of the line before"));
                    }
                    if carried.sequence != link.sequence.saturating_add(1) {
                        return Err(self.fault("does not carry the next number"));
                    }
                }
                self.follow(line, &carried);
                Ok(true)
            }
            (None, None) => {
                self.torn = Some((self.fault("is not whole"), line.to_vec()));
                Ok(false)
            }
            // The line that ends what is torn answers for it.
            (Some(carried), Some((_, bytes))) if carried.recovers(&bytes, &link) => {
                self.follow(line, &carried);
                Ok(true)
            }
            (_, Some((fault, mut bytes))) => {
                bytes.push(b'\n');
                bytes.extend_from_slice(line);
                self.torn = Some((fault, bytes));
                Ok(false)
            }
        }
    }

    fn follow(&mut self, line: &[u8], carried: &Carried) {
        if self.link.is_none() {
            self.checked.first = carried.sequence;
        }
        self.checked.last = carried.sequence;
        self.checked.records = self.checked.records.saturating_add(1);
        if carried.event == ROTATED {
            self.removed_through = self.removed_through.max(carried.removed_through);
        }
        self.link = Some(Link::after(line, carried.sequence));
    }

    /// What is pushed from here on stands in the next file.
    ///
    /// # Errors
    /// The file before does not end with a whole line. (What a crash tears is mended in the same file.)
    pub fn next_file(&mut self) -> Result<(), ChainFault> {
        self.line = 0;
        self.torn.take().map_or(Ok(()), |(fault, _)| Err(fault))
    }

    /// The hash of the record that was pushed last; `None`: there is none.
    pub fn last_hash(&self) -> Option<&str> {
        self.link.as_ref().map(|link| link.previous.as_str())
    }

    /// Nothing comes any more.
    ///
    /// # Errors
    /// The last line is not whole; or records are missing before the first one, and no record says that Scrim has removed
    /// them.
    pub fn end(mut self) -> Result<Checked, ChainFault> {
        self.next_file()?;
        let before = self.checked.first.saturating_sub(1);
        if self.beginning == Beginning::First && before > self.removed_through {
            let what = "is not the first record of the trail, and no record says that what was \
                        before it has been removed";
            return Err(ChainFault { line: 1, what });
        }
        Ok(self.checked)
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
    #[serde(default)]
    removed_through: u64,
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
    time: &'a str,
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

    /// The number of the last line.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Adds a record's line to `out` and moves on.
    pub(super) fn append(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.append_at(record, &now(), out);
    }

    /// As [`Link::append`], of what has been written before where there is much of its kind.
    pub(super) fn append_rendered(
        &mut self,
        record: &Record,
        rendered: &mut Rendered,
        out: &mut Vec<u8>,
    ) {
        let (start, sequence) = (out.len(), self.sequence.saturating_add(1));
        match rendered.line(record, sequence, &self.previous, out) {
            Some(()) => self.ends(start, out),
            None => {
                out.truncate(start);
                self.append(record, out);
            }
        }
    }

    /// As [`Link::append`], at this time.
    pub(super) fn append_at(&mut self, record: &Record, time: &str, out: &mut Vec<u8>) {
        let (start, sequence) = (out.len(), self.sequence.saturating_add(1));
        let line = Line { time, sequence, previous: &self.previous, record };
        // Names, numbers and texts always have a JSON form; if not, the line says so and the chain holds.
        if serde_json::to_writer(&mut *out, &line).is_err() {
            out.truncate(start);
            let line = format!(
                "{{\"sequence\":{sequence},\"previous\":\"{}\",\"event\":\"unwritable\"}}",
                self.previous
            );
            out.extend_from_slice(line.as_bytes());
        }
        self.ends(start, out);
    }

    /// The line that begins at `start` is whole.
    fn ends(&mut self, start: usize, out: &mut Vec<u8>) {
        self.sequence = self.sequence.saturating_add(1);
        self.previous = hash(out.get(start..).unwrap_or_default());
        out.push(b'\n');
    }
}

/// As lines say it.
pub(super) fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// SHA-256, in hex.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Two small digits for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    // Digits are ASCII.
    String::from_utf8(text).unwrap_or_default()
}
