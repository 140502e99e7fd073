//! What the table has not got when Scrim starts: read from the files of the trail and sent before the first statement.
//!
//! The table says what it has got last. Where the files do not hold just that line, since somebody has put back an older one
//! or the machine has lost what was not on disk, all of them are sent: what is there is not added again.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::{BYTES_MAX, Last, ROWS_MAX, Table};
use crate::audit::chain::{Carried, hash};
use crate::audit::files::{number_of_closed, trail_files};

impl Table {
    /// Sends what of the trail in `file` it has not got.
    ///
    /// # Errors
    /// The files cannot be read; as [`Table::give`] otherwise.
    pub(in crate::audit) fn catch_up(&mut self, file: &Path) -> io::Result<()> {
        // A device keeps nothing.
        if !std::fs::metadata(file)?.is_file() {
            return Ok(());
        }
        let (last, files) = (self.last()?, trail_files(file)?);
        let number = last.first().map(|(number, _)| *number);
        let sent = match number {
            None => None,
            Some(number) => {
                let closed_before =
                    |path: &PathBuf| number_of_closed(file, path).is_some_and(|last| last < number);
                let files: Vec<PathBuf> =
                    files.iter().skip_while(|path| closed_before(path)).cloned().collect();
                self.send(&files, &last)?
            }
        };
        let sent = match sent {
            Some(sent) => sent,
            None => {
                if number.is_some() {
                    tracing::warn!(
                        table = %self.place.named(),
                        "the audit's table has a last line that the file has not; all of the trail is sent, and rows that \
                         are of no line stay there"
                    );
                }
                self.send(&files, &Last::new())?.unwrap_or_default()
            }
        };
        if sent.lines > 0 {
            let (lines, table) = (sent.lines, self.place.named());
            tracing::info!(lines, %table, "the audit's table has got what it had missed");
        }
        let expected = number.unwrap_or_default().saturating_add(1);
        if sent.first > expected {
            tracing::warn!(
                from = expected,
                until = sent.first.saturating_sub(1),
                "lines that the audit's table has not got are in no file any more"
            );
        }
        Ok(())
    }

    /// Sends all lines behind the last one that is there, which may be none. `None`: no file has that one.
    fn send(&mut self, files: &[PathBuf], last: &Last) -> io::Result<Option<Sent>> {
        let mut is_behind = last.is_empty();
        let (mut sent, mut waiting, mut bytes) = (Sent::default(), Vec::new(), 0_usize);
        for path in files {
            let mut reader = BufReader::new(File::open(path)?);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                // What a crash has torn is no record.
                if let Some(carried) = Carried::read(text) {
                    if is_behind {
                        if sent.first == 0 {
                            sent.first = carried.sequence;
                        }
                        bytes = bytes.saturating_add(text.len());
                        waiting.push(text.to_vec());
                        if waiting.len() >= ROWS_MAX || bytes >= BYTES_MAX {
                            sent.count(self.flush(&mut waiting)?);
                            bytes = 0;
                        }
                    } else if last.iter().any(|(number, _)| *number == carried.sequence) {
                        let own = hash(text);
                        is_behind = last.iter().any(|(_, hash)| *hash == own);
                    }
                }
                line.clear();
            }
        }
        sent.count(self.flush(&mut waiting)?);
        Ok(is_behind.then_some(sent))
    }

    fn flush(&mut self, waiting: &mut Vec<Vec<u8>>) -> io::Result<usize> {
        let lines: Vec<&[u8]> = waiting.iter().map(Vec::as_slice).collect();
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let taken = self.give(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        let count = waiting.len();
        waiting.clear();
        Ok(count)
    }
}

/// What was sent.
#[derive(Default)]
struct Sent {
    lines: usize,
    /// The number of the first one; 0: none was.
    first: u64,
}

impl Sent {
    fn count(&mut self, lines: usize) {
        self.lines = self.lines.saturating_add(lines);
    }
}
