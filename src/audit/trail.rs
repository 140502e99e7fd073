//! The file of the trail: where the chain goes on in it, and whole batches at its end.
//!
//! One process writes it; a second one is told so when it opens it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::chain::{Carried, Link, hash};
use super::record::Record;

/// How much of the file's end is read to find its last whole line. No line is nearly as long.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

/// Where batches of lines go: the file, and in tests something that fails at will.
pub(super) trait Sink: Send + 'static {
    /// All of the bytes, or none; with `sync` they are on disk.
    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()>;
}

/// The open file.
#[derive(Debug)]
pub(super) struct Trail {
    file: File,
    /// Where a batch began of which a part may stand in the file though it was not written.
    torn_at: Option<u64>,
}

/// Readable and writable by Scrim's own user alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// The end of the file, or all of it.
struct Tail {
    bytes: Vec<u8>,
    is_all: bool,
}

/// How long a lock is waited for. A lock belongs to the open file, of which a child process has a copy between
/// its fork and its exec; and a Scrim that is just ending may still hold it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Locks the trail against other writers.
fn lock(file: &File) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_TIMEOUT => {
                std::thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => {
                let message = "another process writes this audit file";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

impl Trail {
    /// Opens the trail and finds the link to go on from. What a crash has torn keeps its place: it is ended, and
    /// a record says so.
    ///
    /// # Errors
    /// The file cannot be opened, another process writes it, or it is no audit trail.
    pub(super) fn open(path: &Path) -> io::Result<(Trail, Link)> {
        let file = private().open(path)?;
        let mut trail = Trail { file, torn_at: None };
        // A device has no end to go on from.
        if !trail.file.metadata()?.is_file() {
            return Ok((trail, Link::first()));
        }
        lock(&trail.file)?;
        let tail = trail.tail()?;
        let (mut link, ending) = last_link(&tail)?;
        match ending {
            Ending::Whole => {}
            Ending::Unended => trail.append(b"\n", true)?,
            Ending::Torn(torn) => {
                let mut bytes = b"\n".to_vec();
                let torn_bytes = u64::try_from(torn.len()).unwrap_or(u64::MAX);
                let record = Record::Recovered { torn_bytes, torn_hash: hash(torn) };
                link.append(&record, &mut bytes);
                trail.append(&bytes, true)?;
            }
        }
        Ok((trail, link))
    }

    fn tail(&mut self) -> io::Result<Tail> {
        let length = self.file.seek(SeekFrom::End(0))?;
        let start = length.saturating_sub(TAIL_BYTES);
        self.file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        Ok(Tail { bytes, is_all: start == 0 })
    }
}

impl Sink for Trail {
    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        if let Some(end) = self.torn_at {
            self.file.set_len(end)?;
        }
        let end = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(bytes).and_then(|()| match sync {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        // A device such as /dev/full cannot be cut, and keeps nothing either.
        let is_cut = written.is_ok() || self.file.set_len(end).is_ok() || end == 0;
        self.torn_at = (!is_cut).then_some(end);
        written
    }
}

/// What stands behind the last whole line.
enum Ending<'f> {
    /// Its line end, as it should be.
    Whole,
    /// Not even that.
    Unended,
    /// What a crash left. There may be line ends in it, since a crash can tear what was to recover from one.
    Torn(&'f [u8]),
}

/// The link after the last whole line. No part of a line is a JSON object, so what reads as one is whole.
fn last_link(tail: &Tail) -> io::Result<(Link, Ending<'_>)> {
    let Tail { bytes, is_all } = tail;
    let mut end = bytes.len();
    for line in bytes.split(|byte| *byte == b'\n').rev() {
        if let Some(carried) = Carried::read(line) {
            let ending = match bytes.get(end..).unwrap_or_default() {
                [] => Ending::Unended,
                [_] => Ending::Whole,
                [_, torn @ ..] => Ending::Torn(torn),
            };
            return Ok((Link::after(line, carried.sequence), ending));
        }
        // The line end before it.
        end = end.saturating_sub(line.len()).saturating_sub(1);
    }
    match bytes.as_slice() {
        [] if *is_all => Ok((Link::first(), Ending::Whole)),
        torn if *is_all && begins_as_a_line(torn) => Ok((Link::first(), Ending::Torn(torn))),
        _ => {
            let message = "this file is no audit trail of Scrim's";
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }
}

/// The first line itself may be torn, after any number of its bytes.
fn begins_as_a_line(torn: &[u8]) -> bool {
    torn.iter().zip(b"{\"time\":\"").all(|(found, expected)| found == expected)
}
