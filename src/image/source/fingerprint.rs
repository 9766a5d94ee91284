//! Whether something is what it was, told without reading it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::image::digest::Digest;

/// A file that is written twice within this time may keep its time stamp.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// What the file system says of files whose content is not read.
#[derive(Default)]
pub(in crate::image) struct Fingerprint {
    /// All that was noted, as bytes.
    noted: Vec<u8>,
    /// The latest change of all.
    newest: Duration,
}

impl Fingerprint {
    /// The fingerprint of one file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        let mut fingerprint = Self::default();
        fingerprint.note(&file.metadata()?);
        Ok(fingerprint)
    }

    /// Notes what `metadata` says.
    pub(super) fn note(&mut self, metadata: &Metadata) {
        let nanos = |nanos: i64| u32::try_from(nanos).unwrap_or(0);
        self.note_numbers(&[
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            u64::from(metadata.mode()),
            metadata.mtime().cast_unsigned(),
            metadata.mtime_nsec().cast_unsigned(),
        ]);
        let changed = u64::try_from(metadata.ctime()).unwrap_or(0);
        self.note_change(Duration::new(changed, nanos(metadata.ctime_nsec())));
    }

    /// Notes numbers that would change with the content.
    pub(super) fn note_numbers(&mut self, numbers: &[u64]) {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        self.noted.extend(bytes);
    }

    /// Notes words that the result depends on.
    pub(super) fn note_words(&mut self, words: &[u8]) {
        self.note_numbers(&[words.len() as u64]);
        self.noted.extend(words);
    }

    /// Notes when something was changed, attributes included.
    pub(super) fn note_change(&mut self, changed: Duration) {
        self.note_numbers(&[changed.as_secs(), u64::from(changed.subsec_nanos())]);
        self.newest = self.newest.max(changed);
    }

    /// What it is remembered by.
    pub(in crate::image) fn digest(&self) -> Digest {
        Digest::of(&self.noted)
    }

    /// Whether a later change would show: not where the last one is too fresh.
    pub(in crate::image) fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.is_ok_and(|now| self.newest + CLOCK_TICK < now)
    }
}
