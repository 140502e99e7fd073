//! The file of the trail: where the chain goes on in it, and whole batches at its end.
//!
//! One process writes it; a second one is told so when it opens it. With a [`Rotation`] the file is closed when it is
//! large or its day is over: it gets another name, and an empty one takes its place. A crash in between leaves no file, or
//! an empty one, and the chain goes on from the newest closed one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::chain::{Carried, Link, hash};
use super::files::{Rotation, closed_files, closed_name};
use super::record::Record;

/// How much of the file's end is read to find its last whole line. No line is nearly as long.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

/// How every line begins.
const LINE_START: &[u8] = b"{\"time\":\"";
/// Enough of a line to find its day.
const LINE_START_BYTES: u64 = 32;

/// Where batches of lines go: the file, and in tests something that fails at will.
pub(super) trait Sink: Send + 'static {
    /// All of the bytes, or none; with `sync` they are on disk.
    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()>;

    /// Closes the file after the record `last`, if it is time; gives what the first line of the next one says.
    fn turn(&mut self, last: u64) -> io::Result<Option<Record>>;
}

/// The open file.
#[derive(Debug)]
pub(super) struct Trail {
    file: File,
    path: PathBuf,
    /// Where a batch began of which a part may stand in the file though it was not written.
    torn_at: Option<u64>,
    rotation: Option<Rotation>,
    /// The day of the first record, `2026-11-28`; `None`: there is none.
    day: Option<String>,
    /// The file has this name by now, and its successor is not there yet.
    closed: Option<PathBuf>,
    /// Of which a record says that they are removed; done when that is written.
    to_remove: Vec<PathBuf>,
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
    pub(super) fn open(path: &Path, rotation: Option<Rotation>) -> io::Result<(Trail, Link)> {
        let mut trail = Trail {
            file: private().open(path)?,
            path: path.to_owned(),
            torn_at: None,
            rotation,
            day: None,
            closed: None,
            to_remove: Vec::new(),
        };
        // A device has no end to go on from.
        if !trail.file.metadata()?.is_file() {
            if rotation.is_some() {
                return Err(io::Error::other("`rotate` needs a file, and this is none"));
            }
            return Ok((trail, Link::first()));
        }
        lock(&trail.file)?;
        let tail = tail(&mut trail.file)?;
        let closed = if tail.bytes.is_empty() { closed_files(path)?.pop() } else { None };
        if let Some(closed) = closed {
            let mut link = end_of(&closed)?.0;
            let record = trail.begun(&closed)?;
            let mut bytes = Vec::new();
            link.append(&record, &mut bytes);
            trail.append(&bytes, true)?;
            return Ok((trail, link));
        }
        trail.day = first_day(&mut trail.file)?;
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

    fn is_due(&self) -> io::Result<bool> {
        let Some(rotation) = self.rotation else { return Ok(false) };
        // In an empty file there is nothing to close.
        let Some(day) = &self.day else { return Ok(false) };
        let is_over = || !Timestamp::now().to_string().starts_with(day.as_str());
        let is_large = rotation.bytes.map(|most| Ok(self.file.metadata()?.len() >= most));
        Ok((rotation.daily && is_over()) || is_large.unwrap_or(Ok::<_, io::Error>(false))?)
    }

    /// What the first line says after a file was closed, and which files go.
    fn begun(&mut self, closed: &Path) -> io::Result<Record> {
        let mut files = closed_files(&self.path)?;
        let keep = self.rotation.and_then(|rotation| rotation.keep).unwrap_or(usize::MAX);
        let old = files.drain(..files.len().saturating_sub(keep)).collect::<Vec<_>>();
        let (mut removed, mut removed_through) = (Vec::new(), None);
        self.to_remove.clear();
        for file in old {
            match end_of(&file) {
                Ok((_, last)) => removed_through = Some(last),
                // Nobody could tell any more what was in it.
                Err(error) => {
                    tracing::warn!(%error, "old audit files stay");
                    break;
                }
            }
            removed.push(name(&file));
            self.to_remove.push(file);
        }
        Ok(Record::Rotated { closed: name(closed), removed, removed_through })
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The link after a closed file, and the number of its last record.
fn end_of(path: &Path) -> io::Result<(Link, u64)> {
    let wrong = || {
        let message = format!("{} does not end with a whole record", path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let tail = tail(&mut File::open(path)?)?;
    match last_link(&tail)? {
        (link, Ending::Whole) if !tail.bytes.is_empty() => {
            let last = link.sequence();
            Ok((link, last))
        }
        (_, _) => Err(wrong()),
    }
}

/// The day of the first record.
fn first_day(file: &mut File) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LINE_START_BYTES).read_to_end(&mut bytes)?;
    Ok(day_of(&bytes))
}

/// `2026-11-28` of a line that begins with `{"time":"2026-11-28T`. Where a crash has torn the first line there is none, and
/// the day begins with the next record.
fn day_of(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(LINE_START)?;
    let day = rest.get(.."2026-11-28".len())?;
    String::from_utf8(day.to_vec()).ok()
}

fn tail(file: &mut File) -> io::Result<Tail> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Tail { bytes, is_all: start == 0 })
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
        written?;
        if self.day.is_none() {
            self.day = day_of(bytes);
        }
        for file in self.to_remove.drain(..) {
            if let Err(error) = std::fs::remove_file(&file) {
                tracing::warn!(%error, file = %file.display(), "an old audit file stays");
            }
        }
        Ok(())
    }

    fn turn(&mut self, last: u64) -> io::Result<Option<Record>> {
        let closed = match self.closed.clone() {
            // Tried again: the first half is done.
            Some(closed) => closed,
            None if !self.is_due()? => return Ok(None),
            None => {
                if let Some(end) = self.torn_at.take() {
                    self.file.set_len(end)?;
                }
                self.file.sync_data()?;
                let day = Timestamp::now().strftime("%Y%m%d").to_string();
                let closed = closed_name(&self.path, &day, last);
                let closed = closed.ok_or_else(|| io::Error::other("the file has no name"))?;
                // The number is a new one, unless somebody has copied files here.
                if closed.try_exists()? {
                    let message = format!("{} is there already", closed.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                }
                std::fs::rename(&self.path, &closed)?;
                self.closed = Some(closed.clone());
                closed
            }
        };
        let file = private().open(&self.path)?;
        lock(&file)?;
        if file.metadata()?.len() > 0 {
            let message = "another process has written this audit file";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        // The names are on disk before the records are; not every file system can be asked.
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        let record = self.begun(&closed)?;
        self.file = file;
        self.day = None;
        self.closed = None;
        Ok(Some(record))
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
    torn.iter().zip(LINE_START).all(|(found, expected)| found == expected)
}
