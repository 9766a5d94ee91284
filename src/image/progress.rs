//! What an import is at, told on a terminal and nowhere else.

use std::io::{self, IsTerminal, Read, Write, stderr};
use std::time::{Duration, Instant};

/// Shorter work needs no words.
const PATIENCE: Duration = Duration::from_millis(300);
/// The eye follows this.
const PACE: Duration = Duration::from_millis(100);

/// A line on the terminal that is overwritten as work goes on, and gone at its end.
pub(super) struct Progress {
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Work begins.
    pub(super) fn begin() -> Self {
        let next = stderr().is_terminal().then(|| Instant::now() + PATIENCE);
        Self { next, shown: false }
    }

    /// It is at `doing`, and `bytes` have passed.
    pub(super) fn at(&mut self, doing: &str, bytes: u64) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            let _ = write!(stderr(), "\r\x1b[K{doing}: {} MiB", bytes >> 20);
            self.next = Some(now + PACE);
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Progress {
    /// Passes on what `reader` has, and tells how much that is.
    pub(super) fn watch<'a, R: Read>(&'a mut self, doing: &'a str, reader: R) -> Watched<'a, R> {
        Watched {
            progress: self,
            doing,
            reader,
            bytes: 0,
        }
    }
}

/// A reader that is watched.
pub(super) struct Watched<'a, R> {
    progress: &'a mut Progress,
    doing: &'a str,
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        self.progress.at(self.doing, self.bytes);
        Ok(count)
    }
}
