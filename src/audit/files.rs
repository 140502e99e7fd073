//! The files of a trail: the one that is written, and those before it.
//!
//! A file that is closed is called like the one that is written, with the day on which it was closed and the number of
//! its last record behind: `audit.jsonl.20261128-000000004711`.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::chain::Carried;

/// So many digits have the numbers at least, so that names sort as records do.
const NUMBER_DIGITS: usize = 12;

/// Closed by size or by day, and removed when there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file that has so many bytes is closed; `None`: size does not matter.
    pub bytes: Option<u64>,
    /// A file is closed when the day (UTC) of its first record is over.
    pub daily: bool,
    /// So many closed files stay; `None`: all.
    pub keep: Option<usize>,
}

/// What a file is called when it is closed on a day (`20261128`).
pub(super) fn closed_name(file: &Path, day: &str, last: u64) -> Option<PathBuf> {
    let mut name = file.file_name()?.to_owned();
    name.push(format!(".{day}-{last:0NUMBER_DIGITS$}"));
    Some(file.with_file_name(name))
}

/// The number of the last record in a closed file, by its name.
fn number_of(file: &Path, name: &std::ffi::OsStr) -> Option<u64> {
    let own = file.file_name()?.to_str()?;
    let (day, number) = name.to_str()?.strip_prefix(own)?.strip_prefix('.')?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_closed = day.len() == 8 && digits(day) && number.len() >= NUMBER_DIGITS;
    (is_closed && digits(number)).then(|| number.parse().ok()).flatten()
}

/// The number of the last record in a file, by its name; `None`: it is no closed one.
pub(super) fn number_of_closed(file: &Path, path: &Path) -> Option<u64> {
    number_of(file, path.file_name()?)
}

/// The closed files of a trail, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn closed_files(file: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if let Some(number) = number_of(file, &name) {
            found.push((number, file.with_file_name(name)));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// All files of a trail in the order of their records: the closed ones, and the one that is written.
///
/// # Errors
/// The folder cannot be read.
pub fn trail_files(file: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = closed_files(file)?;
    if file.try_exists()? {
        files.push(file.to_owned());
    }
    Ok(files)
}

/// True while a Scrim has the file open to write: its last line may be on its way then.
///
/// # Errors
/// The file knows no locks.
pub fn is_being_written(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The number of the first record of a file; `None`: there is none.
///
/// # Errors
/// The file cannot be read.
pub fn first_number(path: &Path) -> io::Result<Option<u64>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Some(carried) = Carried::read(line.strip_suffix(b"\n").unwrap_or(&line)) {
            return Ok(Some(carried.sequence));
        }
        line.clear();
    }
    Ok(None)
}
