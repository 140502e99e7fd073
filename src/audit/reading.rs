//! The files of the trail: opened together, checked and read in one pass.
//!
//! A Scrim may be writing meanwhile. The last line is left out while it is on its way, and when a file is closed between the
//! look at the folder and the opening, both are done again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::chain::{Beginning, Chain, ChainFault, Checked};
use super::files::{first_number, is_being_written, trail_files};

/// How often the files may change while they are opened.
const OPENINGS_MAX: usize = 5;

/// What is wanted.
pub struct Wanted {
    /// Where the trail may begin.
    pub beginning: Beginning,
    /// What is broken is told, and does not end it.
    pub is_unverified: bool,
    /// A hash that some record must have.
    pub kept: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// What was checked.
    pub checked: Checked,
    /// What is broken.
    pub broken: Option<String>,
    /// The hash that some record must have was found.
    pub has_kept: bool,
    /// The hash of the last record.
    pub last_hash: Option<String>,
}

/// Why it was not. Names of files stand in the texts as they are.
pub enum NotRead {
    /// The chain is broken.
    Broken(String),
    /// A file cannot be read.
    File(String),
}

/// The open files, in the order of their records.
pub struct TrailFiles {
    files: Vec<(PathBuf, File)>,
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("error: cannot read {}: {error}", path.display())
}

impl TrailFiles {
    /// The files of a Scrim.
    ///
    /// # Errors
    /// They cannot be opened; ready to be shown, but for what stands in their names.
    pub fn of(file: &Path) -> Result<TrailFiles, String> {
        let list = || trail_files(file).map_err(|error| unreadable(file, &error));
        let mut paths = list()?;
        for _ in 0..OPENINGS_MAX {
            let opened = open(&paths);
            let now = list()?;
            if now == paths {
                let files = opened?;
                if files.is_empty() {
                    return Err(format!("error: there is no audit trail {}", file.display()));
                }
                return Ok(TrailFiles { files });
            }
            paths = now;
        }
        Err("error: the files of the audit trail change faster than they can be opened".to_owned())
    }

    /// Files that are given, in the order of their records.
    ///
    /// # Errors
    /// They cannot be opened; ready to be shown, but for what stands in their names.
    pub fn given(paths: &[PathBuf]) -> Result<TrailFiles, String> {
        let mut numbered = Vec::new();
        for path in paths {
            let first = first_number(path).map_err(|error| unreadable(path, &error))?;
            // What holds no record comes last, and is judged there.
            numbered.push((first.unwrap_or(u64::MAX), path.clone()));
        }
        numbered.sort();
        let paths: Vec<PathBuf> = numbered.into_iter().map(|(_, path)| path).collect();
        Ok(TrailFiles { files: open(&paths)? })
    }

    /// Their bytes, as they are now.
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|(_, file)| file.metadata().ok());
        sizes.fold(0, |all, about| all.saturating_add(about.len()))
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|(path, _)| path.display().to_string()).collect()
    }

    /// Gives every line, and checks the chain. `give` says whether it was a record.
    ///
    /// # Errors
    /// The chain is broken, and that is not just to be told; or a file cannot be read.
    pub fn read(
        self,
        wanted: &Wanted,
        mut give: impl FnMut(&[u8]) -> bool,
    ) -> Result<Read, NotRead> {
        let mut chain = Chain::from(wanted.beginning);
        let mut read = Read::default();
        let mut unchecked = Checked::default();
        let first = self.files.first().map(|(path, _)| path.display().to_string());
        let first = first.unwrap_or_default();
        let mut name = String::new();
        for (index, (path, file)) in self.files.into_iter().enumerate() {
            let broken = |fault: ChainFault| format!("{name}, {fault}");
            if index > 0 && read.broken.is_none() {
                chain.next_file().map_err(broken).or_else(|text| note(wanted, &mut read, text))?;
            }
            name = path.display().to_string();
            let is_on_its_way = is_being_written(&file).unwrap_or(false);
            let mut lines = BufReader::new(file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let length = lines.read_until(b'\n', &mut line);
                let length = length
                    .map_err(|error| NotRead::File(format!("cannot read {name}: {error}")))?;
                let is_ended = line.pop_if(|last| *last == b'\n').is_some();
                if length == 0 || (!is_ended && is_on_its_way) {
                    break;
                }
                if read.broken.is_none() {
                    match chain.push(&line) {
                        Ok(true) => {
                            read.has_kept |= wanted
                                .kept
                                .as_deref()
                                .is_some_and(|kept| chain.last_hash() == Some(kept));
                        }
                        Ok(false) => continue,
                        Err(fault) => {
                            note(wanted, &mut read, format!("{name}, {fault}"))?;
                        }
                    }
                }
                if give(&line) {
                    unchecked.records = unchecked.records.saturating_add(1);
                }
            }
        }
        read.last_hash = chain.last_hash().map(str::to_owned);
        if read.broken.is_some() {
            read.checked = unchecked;
            return Ok(read);
        }
        let end = chain.next_file().map_err(|fault| format!("{name}, {fault}"));
        // What may be wrong then is how it begins.
        let end = end.and_then(|()| chain.end().map_err(|fault| format!("{first}, {fault}")));
        match end {
            Ok(checked) => read.checked = checked,
            Err(text) => {
                note(wanted, &mut read, text)?;
                read.checked = unchecked;
            }
        }
        Ok(read)
    }
}

/// The first thing that is broken, which ends the reading unless the reader wants no proof.
fn note(wanted: &Wanted, read: &mut Read, text: String) -> Result<(), NotRead> {
    if !wanted.is_unverified {
        return Err(NotRead::Broken(text));
    }
    read.broken.get_or_insert(text);
    Ok(())
}

fn open(paths: &[PathBuf]) -> Result<Vec<(PathBuf, File)>, String> {
    let opened = paths.iter().map(|path| {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok((path.clone(), file))
    });
    opened.collect()
}
