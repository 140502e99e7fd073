//! How far a trail is: which steps of a shared store stand in this Scrim's own audit.
//!
//! Beside the trail, and not in the store, because it is a fact about the trail: it moves and goes with it, whatever the
//! Scrim is called that writes it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The last step that stands in the audit.
#[derive(Debug)]
pub(super) struct Told {
    /// `None`: it is not kept.
    file: Option<PathBuf>,
    known: Option<Mark>,
    /// It was said that the file cannot be written.
    has_complained: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// The store by the name that it got when it was made.
    store: String,
    step: i64,
}

impl Told {
    /// Of the trail in a file.
    pub(super) fn of_trail(audit_file: &Path) -> Told {
        let mut file = audit_file.as_os_str().to_owned();
        file.push(".grants");
        // Beside a device there is no place, and what it has taken is not there after a start.
        let is_device = std::fs::metadata(audit_file).is_ok_and(|about| !about.is_file());
        Told { file: (!is_device).then(|| file.into()), known: None, has_complained: false }
    }

    /// The last step of that store that was told; `None`: of this store nothing is known. A number that the store has not
    /// come to is of a time before somebody has put back an older copy of it.
    pub(super) fn step(&mut self, store: &str, steps: i64) -> Option<i64> {
        if self.known.is_none() {
            self.known = self.read();
        }
        self.known.as_ref().filter(|mark| mark.store == store && mark.step <= steps).map(|m| m.step)
    }

    fn read(&self) -> Option<Mark> {
        let file = self.file.as_ref()?;
        let text = std::fs::read(file).ok()?;
        let mark = serde_json::from_slice(&text);
        if mark.is_err() {
            tracing::warn!(
                file = %file.display(),
                "it does not say which steps of grants stand in the audit; those of grants that are not over are written again"
            );
        }
        mark.ok()
    }

    /// From now on all up to this one.
    pub(super) fn set(&mut self, store: &str, step: i64) {
        let mark = Mark { store: store.to_owned(), step };
        if let Some(file) = &self.file
            && let Err(error) = write(file, &mark)
            && !self.has_complained
        {
            self.has_complained = true;
            tracing::warn!(
                %error,
                file = %file.display(),
                "cannot remember which steps of grants stand in the audit; after a start some are written again"
            );
        }
        self.known = Some(mark);
    }
}

/// A whole new file in the place of the old one.
fn write(file: &Path, mark: &Mark) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    new.write_all(&serde_json::to_vec(mark)?)?;
    new.persist(file).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_after_a_start_and_of_that_store_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let trail = folder.path().join("audit.jsonl");
        let mut told = Told::of_trail(&trail);
        assert_eq!(told.step("a", 9), None);
        told.set("a", 7);
        let mut again = Told::of_trail(&trail);
        assert_eq!(again.step("a", 9), Some(7));
        assert_eq!(again.step("b", 9), None, "another store");
        assert_eq!(again.step("a", 6), None, "an older copy was put back");
        std::fs::write(folder.path().join("audit.jsonl.grants"), "{\"store\":\"a\"")
            .expect("a file");
        assert_eq!(Told::of_trail(&trail).step("a", 9), None, "torn");
    }
}
