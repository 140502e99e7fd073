//! The writer behind the queue: one thread, which alone touches the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, oneshot};

use super::chain::{FIRST, Link};
use super::record::Record;

/// Records that may wait; with more, statements are refused until the writer has caught up.
const QUEUE_RECORDS_MAX: usize = 8192;

/// Records that are written with one write.
const BATCH_RECORDS_MAX: usize = 512;

/// How long the writer waits before it tries a file again that could not be written.
const RETRY: Duration = Duration::from_secs(1);

const KEY_BYTES: usize = 32;

/// When a record counts as accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It stands in the bounded queue, which the writer empties at once (at least every 100 ms).
    #[default]
    Queued,
    /// It is on disk.
    Synced,
}

/// `audit:` of scrim.yaml.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// The file; records are appended.
    pub file: PathBuf,
    /// When a record counts as accepted.
    pub durability: Durability,
    /// The key of the fingerprints; `None`: `<file>.key`, which is made if it is missing.
    pub key_file: Option<PathBuf>,
}

/// The record was not accepted, so the statement must not be forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The queue is full.
    #[error("the audit queue is full")]
    Full,
    /// The writer cannot write.
    #[error("the audit file cannot be written")]
    Failed,
}

/// The audit trail's front: cheap to clone, shared by all sessions.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: mpsc::Sender<Entry>,
    is_well: Arc<AtomicBool>,
    durability: Durability,
}

#[derive(Debug)]
struct Entry {
    record: Option<Record>,
    /// Told when the record is on disk, or cannot be.
    done: Option<oneshot::Sender<bool>>,
}

impl Audit {
    /// Opens the file, reads the last hash in it, and starts the writer's thread.
    ///
    /// # Errors
    /// The file or its key cannot be opened, read or created.
    pub fn open(options: &AuditOptions) -> io::Result<Audit> {
        let key_file = match &options.key_file {
            Some(path) => path.clone(),
            None => {
                let mut name = options.file.clone().into_os_string();
                name.push(".key");
                PathBuf::from(name)
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &read_or_make_key(&key_file)?);
        let (file, link) = open_file(&options.file)?;
        let (queue, entries) = mpsc::channel(QUEUE_RECORDS_MAX);
        let is_well = Arc::new(AtomicBool::new(true));
        let writer =
            Writer { file, link, key, is_well: is_well.clone(), durability: options.durability };
        std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(entries))?;
        Ok(Audit { queue, is_well, durability: options.durability })
    }

    /// Accepts a record: returns once it is queued (or, with [`Durability::Synced`], on disk).
    ///
    /// # Errors
    /// The queue is full, or the file cannot be written.
    pub async fn accept(&self, record: Record) -> Result<(), NotAccepted> {
        if !self.is_well.load(Ordering::Acquire) {
            return Err(NotAccepted::Failed);
        }
        let (done, on_disk) = match self.durability {
            Durability::Queued => (None, None),
            Durability::Synced => {
                let (done, on_disk) = oneshot::channel();
                (Some(done), Some(on_disk))
            }
        };
        self.queue.try_send(Entry { record: Some(record), done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotAccepted::Full,
            mpsc::error::TrySendError::Closed(_) => NotAccepted::Failed,
        })?;
        match on_disk {
            None => Ok(()),
            Some(on_disk) => match on_disk.await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(NotAccepted::Failed),
            },
        }
    }

    /// Waits until everything accepted so far is on disk, or cannot be.
    pub async fn close(&self) {
        let (done, on_disk) = oneshot::channel();
        if self.queue.send(Entry { record: None, done: Some(done) }).await.is_ok() {
            // Either answer means that the writer has come to it.
            let _ = on_disk.await;
        }
    }
}

struct Writer {
    file: File,
    link: Link,
    key: hmac::Key,
    is_well: Arc<AtomicBool>,
    durability: Durability,
}

impl Writer {
    fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        while entries.blocking_recv_many(&mut batch, BATCH_RECORDS_MAX) > 0 {
            self.write(std::mem::take(&mut batch));
        }
    }

    /// Writes a batch whole; a record that was accepted is never dropped, so this goes on until it can.
    fn write(&mut self, batch: Vec<Entry>) {
        let mut bytes = Vec::new();
        let mut link = self.link.clone();
        let mut sync = self.durability == Durability::Synced;
        let mut waiting = Vec::new();
        for Entry { record, done } in batch {
            if let Some(mut record) = record {
                self.sign(&mut record);
                link.append(&record, &mut bytes);
            } else {
                sync = true;
            }
            waiting.extend(done);
        }
        while let Err(error) = self.append(&bytes, sync) {
            self.is_well.store(false, Ordering::Release);
            tracing::error!(%error, "the audit file cannot be written; statements are refused");
            for done in waiting.drain(..) {
                // Who waited has given up.
                let _ = done.send(false);
            }
            std::thread::sleep(RETRY);
        }
        self.link = link;
        self.is_well.store(true, Ordering::Release);
        for done in waiting {
            let _ = done.send(true);
        }
    }

    /// All of the bytes, or none: what was written of a batch that failed is cut off again.
    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(bytes).and_then(|()| match sync {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        if written.is_err() {
            // A device such as /dev/full has no length to cut to.
            let _ = self.file.set_len(end);
        }
        written
    }

    fn sign(&self, record: &mut Record) {
        if let Record::Statement(statement) = record {
            let tag = hmac::sign(&self.key, statement.sql.as_bytes());
            let hex = tag.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            statement.fingerprint = Some(hex);
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

/// Opens the trail and finds the link to go on from. A last line that was torn by a crash keeps its place: it is
/// ended, and the chain goes on from it.
fn open_file(path: &Path) -> io::Result<(File, Link)> {
    let mut file = private().open(path)?;
    let mut link = Link { previous: FIRST.to_owned(), sequence: 0 };
    if !file.metadata()?.is_file() {
        return Ok((file, link));
    }
    let last = last_line(&mut file)?;
    if let Some((line, is_whole)) = last {
        if !is_whole {
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
        }
        link = Link::after(&line);
    }
    Ok((file, link))
}

/// The last line without its end, and whether it had one; only the file's tail is read.
fn last_line(file: &mut File) -> io::Result<Option<(Vec<u8>, bool)>> {
    const TAIL_BYTES: u64 = 4 * 1024 * 1024;
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let is_whole = tail.last() == Some(&b'\n');
    let body = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let line = body.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Some((line.to_vec(), is_whole)))
}

fn read_or_make_key(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = private().open(path)?;
    let mut key = Vec::new();
    file.read_to_end(&mut key)?;
    if key.is_empty() {
        key.resize(KEY_BYTES, 0);
        SystemRandom::new()
            .fill(&mut key)
            .map_err(|_| io::Error::other("there is no randomness for the audit key"))?;
        file.write_all(&key)?;
        file.sync_all()?;
    }
    if key.len() < KEY_BYTES {
        let message = format!("the audit key {} is shorter than {KEY_BYTES} bytes", path.display());
        return Err(io::Error::other(message));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::audit::verify_chain;

    fn record(number: u64) -> Record {
        Record::Completed(crate::audit::Outcome {
            session: 1,
            statement: number,
            rows: 2,
            bytes: 3,
            duration_us: 4,
            error: None,
        })
    }

    fn options(folder: &Path, durability: Durability) -> AuditOptions {
        AuditOptions { file: folder.join("audit.jsonl"), durability, key_file: None }
    }

    #[tokio::test]
    async fn the_chain_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path(), Durability::Synced);
        for start in [0, 10] {
            let audit = Audit::open(&options).unwrap();
            for number in start..start + 5 {
                audit.accept(record(number)).await.unwrap();
            }
            audit.close().await;
        }
        let text = std::fs::read(&options.file).unwrap();
        assert_eq!(verify_chain(BufReader::new(&text[..])), Ok(10));
        // A flipped byte, and a line that is gone, are found.
        let mut flipped = text.clone();
        let place = flipped.iter().position(|byte| *byte == b'4').unwrap();
        flipped[place] = b'5';
        assert!(verify_chain(BufReader::new(&flipped[..])).is_err());
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let gone = [&lines[..3], &lines[4..]].concat().concat();
        assert!(verify_chain(BufReader::new(&gone[..])).is_err());
    }

    #[tokio::test]
    async fn a_torn_line_is_kept_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path(), Durability::Synced);
        let audit = Audit::open(&options).unwrap();
        audit.accept(record(1)).await.unwrap();
        audit.close().await;
        let mut text = std::fs::read(&options.file).unwrap();
        text.extend_from_slice(b"{\"torn");
        std::fs::write(&options.file, &text).unwrap();
        let audit = Audit::open(&options).unwrap();
        audit.accept(record(2)).await.unwrap();
        audit.close().await;
        let lines = std::fs::read_to_string(&options.file).unwrap();
        assert_eq!(lines.lines().count(), 3);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let options = AuditOptions {
            file: "/dev/full".into(),
            durability: Durability::Synced,
            key_file: Some(folder.path().join("key")),
        };
        let audit = Audit::open(&options).unwrap();
        assert_eq!(audit.accept(record(1)).await, Err(NotAccepted::Failed));
        assert_eq!(audit.accept(record(2)).await, Err(NotAccepted::Failed));
    }
}
