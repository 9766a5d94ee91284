//! What `vmm keep list` shows.

use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt;

use serde::Serialize;

use super::{IMAGE, KeepError, KeepName, Keeps, RECORD, Record, failed};

/// A keep in the list of all.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What it is called.
    pub name: KeepName,
    /// What it belongs to; nothing if it was begun and never finished.
    pub record: Option<Record>,
    /// The bytes of the disk that it takes.
    pub used: u64,
}

impl Keeps {
    /// All, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, KeepError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.directory, error)),
        };
        let mut all: Vec<Listed> = entries.flatten().filter_map(|one| listed(&one)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }
}

/// None for what is no keep, or no longer.
fn listed(entry: &DirEntry) -> Option<Listed> {
    let directory = entry.path();
    let image = fs::metadata(directory.join(IMAGE));
    Some(Listed {
        name: entry.file_name().to_str()?.parse().ok()?,
        record: Record::read(&directory.join(RECORD)).ok()?,
        used: image.map_or(0, |image| image.blocks() * 512),
    })
}
