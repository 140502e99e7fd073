//! The writer behind the queue: one thread, which alone touches the file and the sinks.
//!
//! INVARIANT: a record that was accepted is written to the file and given to every sink, or the process has ended. While
//! one of them cannot take it nothing more is accepted, and what was accepted before is tried again until it can. Who is
//! closed waits for no sink that fails: then the file alone has the last records.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, oneshot};

use super::chain::{Link, hex};
use super::files::Rotation;
use super::recent::Recent;
use super::record::{Record, StatementFacts};
use super::rendered::Rendered;
use super::sinks::{Line, Outlet, SinkOptions};
use super::trail::{Sink, Trail, private};

/// Records that may wait; with more, statements are refused until the writer has caught up.
const QUEUE_RECORDS_MAX: usize = 8192;

/// Records that are written with one write.
const BATCH_RECORDS_MAX: usize = 512;

/// How long the writer lets records gather before it looks at them, where nobody waits for it: each time that it is woken
/// costs a session more than its record does.
const GATHERING: Duration = Duration::from_millis(5);

/// How long the writer waits before it tries a file again that could not be written.
const RETRY: Duration = Duration::from_secs(1);

const KEY_BYTES: usize = 32;
/// Of the HMAC, in a fingerprint.
const FINGERPRINT_BYTES: usize = 8;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// The file; records are appended.
    pub file: PathBuf,
    /// When a record counts as accepted.
    pub durability: Durability,
    /// The key of the fingerprints; `None`: `<file>.key`, which is made if it is missing.
    pub key_file: Option<PathBuf>,
    /// When the file is closed and another one begun; `None`: never.
    pub rotation: Option<Rotation>,
    /// Who gets each line too, after the file.
    pub sinks: Vec<SinkOptions>,
}

impl AuditOptions {
    /// A file alone.
    pub fn of_file(file: PathBuf) -> AuditOptions {
        let (durability, key_file) = (Durability::default(), None);
        AuditOptions { file, durability, key_file, rotation: None, sinks: Vec::new() }
    }
}

/// The record was not accepted, so the statement must not be forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The queue is full.
    #[error("the audit queue is full")]
    Full,
    /// The writer cannot write.
    #[error("the audit file, or one of its sinks, cannot be written")]
    Failed,
}

/// The audit trail's front: cheap to clone, shared by all sessions.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: mpsc::Sender<Entry>,
    is_well: Arc<AtomicBool>,
    lag_us: Arc<AtomicU64>,
    is_closing: Arc<AtomicBool>,
    durability: Durability,
    recent: Arc<Recent>,
}

#[derive(Debug)]
struct Entry {
    what: What,
    /// When it was put into the queue.
    at: Instant,
    /// Told when it is on disk, or cannot be.
    done: Option<oneshot::Sender<bool>>,
}

#[derive(Debug)]
enum What {
    Record(Record),
    /// Nothing comes after it.
    End,
}

impl Audit {
    /// Opens the file, reads the last hash in it, and starts the writer's thread.
    ///
    /// # Errors
    /// The file or its key cannot be opened, read or created; another process writes the file; it is no trail; a sink
    /// cannot be reached.
    pub fn open(options: &AuditOptions) -> io::Result<Audit> {
        // Who calls this may be async, and a sink that has a runtime of its own may be neither made nor dropped there.
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| Audit::opened(options)).join();
            opened
                .unwrap_or_else(|_| Err(io::Error::other("it panicked, which is a fault of Scrim")))
        })
    }

    fn opened(options: &AuditOptions) -> io::Result<Audit> {
        let key_file = match &options.key_file {
            Some(path) => path.clone(),
            None => {
                let mut name = options.file.clone().into_os_string();
                name.push(".key");
                PathBuf::from(name)
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &read_or_make_key(&key_file)?);
        let outlets = options.sinks.iter().map(SinkOptions::open);
        let mut outlets: Vec<Outlet> = outlets.collect::<io::Result<_>>()?;
        let (trail, link) = Trail::open(&options.file, options.rotation)?;
        for outlet in &mut outlets {
            outlet.catch_up(&options.file)?;
        }
        Audit::start(trail, outlets, link, key, options.durability, RETRY)
    }

    fn start(
        sink: impl Sink,
        outlets: Vec<Outlet>,
        link: Link,
        key: hmac::Key,
        durability: Durability,
        retry: Duration,
    ) -> io::Result<Audit> {
        let (queue, entries) = mpsc::channel(QUEUE_RECORDS_MAX);
        let is_well = Arc::new(AtomicBool::new(true));
        let lag_us = Arc::new(AtomicU64::new(0));
        let is_closing = Arc::new(AtomicBool::new(false));
        let (well, lag, closing) = (is_well.clone(), lag_us.clone(), is_closing.clone());
        let recent = Arc::<Recent>::default();
        let kept = Arc::clone(&recent);
        let writer = Writer {
            sink,
            outlets,
            link,
            rendered: Rendered::new(),
            key,
            is_well: well,
            lag_us: lag,
            is_closing: closing,
            durability,
            retry,
            recent: kept,
        };
        std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(entries))?;
        Ok(Audit { queue, is_well, lag_us, is_closing, durability, recent })
    }

    /// From now on the last lines of the trail are kept for [`Audit::recent`].
    pub fn keep_recent(&self) {
        self.recent.begin();
    }

    /// The last lines of the trail, the oldest first: some hundreds, those that have been written since
    /// [`Audit::keep_recent`].
    pub fn recent(&self) -> Vec<Arc<[u8]>> {
        self.recent.lines()
    }

    /// True while records can be written.
    pub fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Acquire) && !self.queue.is_closed()
    }

    /// Records that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    /// How long the oldest record of the batch that was written last had waited for it.
    pub fn lag(&self) -> Duration {
        Duration::from_micros(self.lag_us.load(Ordering::Relaxed))
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
        let entry = Entry { what: What::Record(record), at: Instant::now(), done };
        self.queue.try_send(entry).map_err(|error| match error {
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

    /// Writes what was accepted so far to disk and ends the writer: nothing is accepted afterwards, and the file
    /// is another's to open. Returns too when the file cannot be written. A sink that fails is not waited for.
    pub async fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        let (done, on_disk) = oneshot::channel();
        let end = Entry { what: What::End, at: Instant::now(), done: Some(done) };
        if self.queue.send(end).await.is_ok() {
            // Either answer means that the writer has come to it.
            let _ = on_disk.await;
        }
    }
}

struct Writer<S> {
    sink: S,
    outlets: Vec<Outlet>,
    link: Link,
    rendered: Rendered,
    key: hmac::Key,
    is_well: Arc<AtomicBool>,
    lag_us: Arc<AtomicU64>,
    is_closing: Arc<AtomicBool>,
    durability: Durability,
    retry: Duration,
    recent: Arc<Recent>,
}

impl<S: Sink> Writer<S> {
    fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        let gathering = match self.durability {
            Durability::Queued => GATHERING,
            Durability::Synced => Duration::ZERO,
        };
        while entries.blocking_recv_many(&mut batch, BATCH_RECORDS_MAX) > 0 {
            let (waiting, is_end) = self.write(std::mem::take(&mut batch));
            if is_end {
                // Closed first, so that whoever waits may open the file; then told.
                drop(entries);
                drop(self.sink);
                tell(waiting, true);
                return;
            }
            tell(waiting, true);
            if entries.len() < BATCH_RECORDS_MAX {
                std::thread::sleep(gathering);
            }
        }
    }

    /// Writes a batch whole, however often that must be tried. Gives those who wait for it, and whether it was
    /// the last.
    fn write(&mut self, batch: Vec<Entry>) -> (Vec<oneshot::Sender<bool>>, bool) {
        let (mut records, mut waiting, mut is_end) = (Vec::new(), Vec::new(), false);
        let oldest = batch.first().map(|entry| entry.at);
        for Entry { what, at: _, done } in batch {
            match what {
                What::Record(record) => records.push(record),
                What::End => is_end = true,
            }
            waiting.extend(done);
        }
        let last = self.link.sequence();
        let begun = self.try_until_done(&mut waiting, "file", |writer| writer.sink.turn(last));
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        self.rendered.begin();
        for record in begun.into_iter().chain(records) {
            self.sign(&record);
            let start = bytes.len();
            self.link.append_rendered(&record, &mut self.rendered, &mut bytes);
            lines.push(Line { place: start..bytes.len(), about: (&record).into() });
        }
        let sync = is_end || self.durability == Durability::Synced;
        self.try_until_done(&mut waiting, "file", |writer| writer.sink.append(&bytes, sync));
        for mut outlet in std::mem::take(&mut self.outlets) {
            if self.give(&mut outlet, (&bytes, &lines), &mut waiting) {
                self.outlets.push(outlet);
            }
        }
        if self.recent.is_wanted() {
            for line in &lines {
                self.recent.push(bytes.get(line.place.clone()).unwrap_or_default());
            }
        }
        let lag = oldest.map(|oldest| oldest.elapsed().as_micros()).unwrap_or_default();
        self.lag_us.store(u64::try_from(lag).unwrap_or(u64::MAX), Ordering::Relaxed);
        // Where a sink was given up, nothing is well, and nothing more comes.
        if !self.is_closing.load(Ordering::Acquire) && !self.is_well.swap(true, Ordering::AcqRel) {
            tracing::info!("the audit trail can be written again");
        }
        (waiting, is_end)
    }

    /// Gives a sink the lines of a batch, however often that must be tried. False: it was given up, since Scrim stops.
    fn give(
        &self,
        outlet: &mut Outlet,
        (bytes, lines): (&[u8], &[Line]),
        waiting: &mut Vec<oneshot::Sender<bool>>,
    ) -> bool {
        // Those that an outlet has taken are not given to it again.
        let mut taken = 0_usize;
        while let Err(error) = outlet.give(bytes, lines, &mut taken) {
            self.fail(&error, "sink", waiting);
            if self.is_closing.load(Ordering::Acquire) {
                tracing::warn!(
                    "a sink has not got the last lines; a table gets them from the file at the next start, others do not"
                );
                return false;
            }
        }
        true
    }

    /// Does it, however often that must be tried. Who waits for the batch is told of the first failure.
    fn try_until_done<T>(
        &mut self,
        waiting: &mut Vec<oneshot::Sender<bool>>,
        what: &'static str,
        mut work: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> T {
        loop {
            match work(self) {
                Ok(done) => return done,
                Err(error) => self.fail(&error, what, waiting),
            }
        }
    }

    /// Says so, and waits before it is tried again.
    fn fail(
        &self,
        error: &io::Error,
        what: &'static str,
        waiting: &mut Vec<oneshot::Sender<bool>>,
    ) {
        self.is_well.store(false, Ordering::Release);
        tracing::error!(%error, what, "the audit cannot be written; statements are refused");
        tell(std::mem::take(waiting), false);
        std::thread::sleep(self.retry);
    }

    fn sign(&self, record: &Record) {
        if let Record::Statement(statement) = record {
            let StatementFacts { shape, fingerprint, .. } = &*statement.about;
            fingerprint.get_or_init(|| {
                let tag = hmac::sign(&self.key, shape.as_bytes());
                hex(tag.as_ref().get(..FINGERPRINT_BYTES).unwrap_or_default())
            });
        }
    }
}

fn tell(waiting: Vec<oneshot::Sender<bool>>, is_on_disk: bool) {
    for done in waiting {
        // Who waited may have given up.
        let _ = done.send(is_on_disk);
    }
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
mod tests;
