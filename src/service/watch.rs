//! Files of the configuration and the rules, watched.
//!
//! People and programs change files in several ways: in place, by a rename over the old one (editors, `git`), by another
//! target for a link (Kubernetes swaps `..data` in a mounted volume). So the rules are watched by their folder, and all is
//! watched anew after each change, since a folder that was replaced is another folder. What has changed is for the reader to
//! find out; here it is only said that something may have.
//!
//! What stands by itself (the configuration, the file of keys, the rules folder as a whole) is looked at once a second
//! instead. To watch the folder around it would be to hear of every line of an audit file that lies there too.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A change counts when nothing more has changed for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Or after so long in any case.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often what stands by itself is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The rules folder.
    pub(super) rules: PathBuf,
    /// The folder of the rules that are not in force, where there is one.
    pub(super) shadow: Option<PathBuf>,
    /// The file of the keys of tokens, where there is one.
    pub(super) keys: Option<PathBuf>,
}

/// Tells of changes.
pub(super) struct Files {
    /// `None`: nothing can be watched here.
    watcher: Option<RecommendedWatcher>,
    /// Ends with the next one.
    looking: JoinSet<()>,
    watched: Watched,
    changes: mpsc::Sender<()>,
    settled: mpsc::Receiver<()>,
}

impl Files {
    /// Watches from now on.
    pub(super) fn watch(watched: Watched) -> Files {
        // One that waits says as much as many.
        let (changes, mut heard) = mpsc::channel(1);
        let (tell, settled) = mpsc::channel(1);
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                let latest = Instant::now() + PATIENCE;
                while Instant::now() < latest
                    && tokio::time::timeout(QUIET, heard.recv())
                        .await
                        .is_ok_and(|one| one.is_some())
                {}
                // Full: somebody will look anyway.
                let _ = tell.try_send(());
            }
        });
        let (watcher, looking) = (None, JoinSet::new());
        let mut files = Files { watcher, looking, watched: watched.clone(), changes, settled };
        files.watch_again(watched);
        files
    }

    /// Returns when files have changed, and have been left alone since.
    pub(super) async fn changed(&mut self) {
        if self.settled.recv().await.is_none() {
            std::future::pending().await
        }
    }

    /// Watches other places, where a reload has named some, and lets them be read once more: they may have changed before
    /// they were watched.
    pub(super) fn follow(&mut self, watched: Watched) {
        if watched != self.watched {
            self.watch_again(watched);
            // Full: one waits already.
            let _ = self.changes.try_send(());
        }
    }

    /// Watches what stands at these places now.
    pub(super) fn watch_again(&mut self, watched: Watched) {
        self.watcher = None;
        self.looking = JoinSet::new();
        self.watched = watched.clone();
        let shadow = watched.shadow.clone();
        let alone = [Some(watched.config), Some(watched.rules.clone()), shadow, watched.keys];
        self.looking.spawn(look(alone.into_iter().flatten().collect(), self.changes.clone()));
        let folders: Vec<PathBuf> = [watched.rules].into_iter().chain(watched.shadow).collect();
        match watcher_of(&folders, self.changes.clone()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "rules cannot be watched; they change at SIGHUP only");
            }
        }
    }
}

/// Watches all that is in the rules folders.
fn watcher_of(
    folders: &[PathBuf],
    changes: mpsc::Sender<()>,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Of an error: something was missed.
        if event.map_or(true, |event| is_change(event.kind)) {
            // Full: one waits already.
            let _ = changes.try_send(());
        }
    })?;
    for folder in folders {
        // The folder itself, where this is a link to one: a link that is changed is seen by looking.
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        match watcher.watch(&real, RecursiveMode::Recursive) {
            // It may be away for a moment, and is looked for.
            Err(error) if real.exists() => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(watcher)
}

/// Says when one of them is another file than it was, or has been written.
async fn look(paths: Vec<PathBuf>, changes: mpsc::Sender<()>) {
    let mut known: Vec<_> = paths.iter().map(|path| Seen::of(path)).collect();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now: Vec<_> = paths.iter().map(|path| Seen::of(path)).collect();
        if now != known {
            known = now;
            // Full: one waits already.
            let _ = changes.try_send(());
        }
    }
}

/// By what a file is told from another, and from itself before it was written.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Where links lead to.
    real: PathBuf,
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds; of the last change of the file or of what is said of it.
    changed: (i64, i64),
}

impl Seen {
    /// `None`: there is none.
    fn of(path: &Path) -> Option<Seen> {
        let real = path.canonicalize().ok()?;
        let about = real.metadata().ok()?;
        Some(Seen {
            real,
            device: about.dev(),
            inode: about.ino(),
            length: about.len(),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

/// Reading, ours too, is no change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}
