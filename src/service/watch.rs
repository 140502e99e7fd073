//! Files of the configuration and the rules, watched.
//!
//! People and programs change files in several ways: in place, by a rename over the old one (editors, `git`), by another
//! target for a link (Kubernetes swaps `..data` in a mounted volume). So folders are watched, never files, and all is
//! watched anew after each change, since a folder that was replaced is another folder. What has changed is for the
//! reader to find out; here it is only said that something may have.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A change counts when nothing more has changed for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Or after so long in any case.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The rules folder.
    pub(super) rules: PathBuf,
    /// The file of the keys of tokens, where there is one.
    pub(super) keys: Option<PathBuf>,
}

/// Tells of changes.
pub(super) struct Files {
    /// `None`: nothing can be watched here.
    watcher: Option<RecommendedWatcher>,
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
        let mut files = Files { watcher: None, watched: watched.clone(), changes, settled };
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
        self.watched = watched.clone();
        match self.watcher_of(watched) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched; rules change at SIGHUP only");
            }
        }
    }

    fn watcher_of(&self, watched: Watched) -> notify::Result<RecommendedWatcher> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let config = absolute(&watched.config);
        let rules = absolute(&watched.rules);
        let keys = watched.keys.as_deref().map(absolute);
        let real = rules.canonicalize().unwrap_or_else(|_| rules.clone());
        let mut folders = vec![(real.clone(), RecursiveMode::Recursive)];
        let above = [config.parent(), rules.parent(), keys.as_deref().and_then(Path::parent)];
        for above in above.into_iter().flatten() {
            folders.push((above.to_owned(), RecursiveMode::NonRecursive));
        }
        let changes = self.changes.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match &event {
                Ok(event) => {
                    is_change(event.kind)
                        && event.paths.iter().any(|path| {
                            *path == config
                                || Some(path) == keys.as_ref()
                                || path.starts_with(&rules)
                                || path.starts_with(&real)
                                || is_link_of_a_volume(path)
                        })
                }
                // Something was missed: look.
                Err(_) => true,
            };
            if counts {
                // Full: one waits already.
                let _ = changes.try_send(());
            }
        })?;
        let mut watched = false;
        let mut last = None;
        for (folder, mode) in folders {
            match watcher.watch(&folder, mode) {
                Ok(()) => watched = true,
                // The rules folder may be away for a moment; the one above it says when it is back.
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if !watched => Err(error),
            Some(_) | None => Ok(watcher),
        }
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

/// `..data`, by which Kubernetes puts all files of a volume in place at once.
fn is_link_of_a_volume(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}
