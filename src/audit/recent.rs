//! The last lines of the trail, kept in memory for who looks on; nothing is kept until somebody wants to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are kept at most.
const LINES_MAX: usize = 1000;
/// And their bytes.
const BYTES_MAX: usize = 4 << 20;

/// The last lines, as they stand in the file.
#[derive(Debug, Default)]
pub(super) struct Recent {
    is_wanted: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Recent {
    /// From now on lines are kept.
    pub(super) fn begin(&self) {
        self.is_wanted.store(true, Ordering::Release);
    }

    /// True when they are.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// A line was written.
    pub(super) fn push(&self, line: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes = kept.bytes.saturating_add(line.len());
        kept.lines.push_back(Arc::from(line));
        while kept.lines.len() > LINES_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.len());
        }
    }

    /// What is kept, the oldest first.
    pub(super) fn lines(&self) -> Vec<Arc<[u8]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, LINES_MAX, Recent};

    #[test]
    fn the_oldest_go() {
        let recent = Recent::default();
        (0..LINES_MAX + 5).for_each(|number| recent.push(number.to_string().as_bytes()));
        let lines = recent.lines();
        assert_eq!((lines.len(), &*lines[0]), (LINES_MAX, b"5".as_slice()));
        recent.push(&vec![b'x'; BYTES_MAX - 10]);
        assert!(recent.lines().len() < 10);
        recent.push(&vec![b'x'; BYTES_MAX + 1]);
        assert!(recent.lines().is_empty());
        recent.push(b"y");
        assert_eq!(recent.lines().len(), 1);
    }
}
