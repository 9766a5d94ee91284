//! A record while it is written: each entry is a line, handed to the kernel as soon as it is known.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Begin, Entry, Record};

/// Why something is not in a record.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A record is not written over.
    #[error("there is a file {0} already: remove it, or name another for the record")]
    Exists(PathBuf),
    /// There is no such file.
    #[error("cannot make the record {0}")]
    Create(PathBuf, #[source] io::Error),
    /// The disk is full, or gone.
    #[error("cannot write to the record {0}, which ends with its last whole line")]
    Write(PathBuf, #[source] io::Error),
}

/// Takes entries. What it has taken is in the file when this program crashes, though not when the
/// machine does: waiting for the disk would disturb what is measured.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The length of the whole lines in the file.
    length: u64,
    began: Instant,
    record: Record,
}

impl Journal {
    /// Makes the file at `path`, which begins with `begin`.
    ///
    /// # Errors
    /// It is there, or cannot be made, or the disk is full.
    pub fn create(path: &Path, begin: Begin) -> Result<Self, JournalError> {
        // Appended: after a line that was taken back, the next begins where that did.
        let file = File::options().append(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Exists(path.to_owned()),
            _ => JournalError::Create(path.to_owned(), error),
        })?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            length: 0,
            began: Instant::now(),
            record: Record {
                begin: begin.clone(),
                entries: Vec::new(),
                flaw: None,
            },
        };
        journal.write(&Entry::Begin(Box::new(begin)))?;
        Ok(journal)
    }

    /// Adds `entry` as a line, by one call. It is part of [`Self::record`] even if it cannot be
    /// written.
    ///
    /// # Errors
    /// The disk is full, or gone.
    pub fn append(&mut self, entry: Entry) -> Result<(), JournalError> {
        let written = self.write(&entry);
        self.record.entries.push(entry);
        written
    }

    /// How long ago it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// All that it has taken.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// All that it has taken, which ends it.
    pub fn into_record(self) -> Record {
        self.record
    }

    fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let line = line(entry).and_then(|line| {
            self.file.write_all(&line)?;
            Ok(line.len() as u64)
        });
        match line {
            Ok(length) => {
                self.length += length;
                Ok(())
            }
            Err(error) => {
                // Half a line is of no use. Where it cannot be taken back a reader leaves it out.
                let _ = self.file.set_len(self.length);
                Err(JournalError::Write(self.path.clone(), error))
            }
        }
    }

    /// Has no room from now on.
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) {
        self.file = File::options().write(true).open("/dev/full").unwrap();
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{begin, sample};
    use super::*;

    #[test]
    fn an_entry_is_in_the_file_when_it_has_been_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut journal = Journal::create(&path, begin()).unwrap();
        journal.append(sample(1, 10.0)).unwrap();
        let read = Record::read(&path).unwrap();
        assert_eq!(&read, journal.record());
        assert_eq!(read.entries, [sample(1, 10.0)]);
    }

    #[test]
    fn a_record_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        std::fs::write(&path, "mine").unwrap();
        let error = Journal::create(&path, begin()).unwrap_err();
        assert!(
            error.to_string().contains("remove it, or name another"),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_full_disk_is_said_and_loses_nothing_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut journal = Journal::create(&path, begin()).unwrap();
        journal.append(sample(1, 10.0)).unwrap();
        journal.fill_disk();
        let error = journal.append(sample(2, 11.0)).unwrap_err();
        assert!(crate::chain(&error).ends_with("No space left on device (os error 28)"));
        assert_eq!(Record::read(&path).unwrap().entries.len(), 1);
        assert_eq!(journal.record().entries.len(), 2);
    }

    #[test]
    fn after_half_a_line_that_was_taken_back_there_is_no_hole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut journal = Journal::create(&path, begin()).unwrap();
        // Half a line came onto the disk before it was full, and was taken back.
        journal.file.write_all(b"{\"sample\":").unwrap();
        journal.file.set_len(journal.length).unwrap();
        journal.append(sample(1, 10.0)).unwrap();
        let read = Record::read(&path).unwrap();
        assert_eq!((read.entries.len(), read.flaw), (1, None));
    }
}
