//! Removes what nothing names and nobody runs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::lock::StoreLock;
use super::{Record, Store};
use crate::image::digest::Digest;
use crate::image::error::ImageError;

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// How many bases.
    pub bases: usize,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many bases stay only because they are run now.
    pub running: usize,
}

impl Store {
    /// Removes every base that no name leads to, no kept instance stands on (the digest in
    /// `keeps/*/base`), and nobody runs.
    ///
    /// # Errors
    /// The store cannot be read or changed.
    pub fn gc(&self) -> Result<Collected, ImageError> {
        let _removing = StoreLock::exclusive(&self.directory)?;
        let needed = self.needed()?;
        let mut collected = Collected::default();
        for path in self.files_of("bases")? {
            let digest = path
                .file_stem()
                .and_then(|stem| Digest::from_hex(stem.to_str()?));
            if digest.is_some_and(|digest| needed.contains(&digest)) {
                continue;
            }
            self.collect(&path, &mut collected)
                .map_err(|source| ImageError::Store { path, source })?;
        }
        self.forget_images()?;
        Ok(collected)
    }

    /// The bases that something leads to.
    fn needed(&self) -> Result<BTreeSet<Digest>, ImageError> {
        let mut needed = BTreeSet::new();
        for name in self.names()? {
            let record = self
                .digest_of(&name)?
                .and_then(|digest| self.record(&digest));
            needed.extend(record.map(|record| record.base));
        }
        for keep in self.files_of("keeps").unwrap_or_default() {
            let text = fs::read_to_string(keep.join("base")).unwrap_or_default();
            needed.extend(text.trim().parse::<Digest>().ok());
        }
        Ok(needed)
    }

    /// Removes what ordinary users have extracted of the base called `stem`.
    fn forget_trees(&self, stem: &OsStr) -> io::Result<()> {
        for of_whom in ["", "-of-root"] {
            let mut name = stem.to_owned();
            name.push(of_whom);
            match fs::remove_dir_all(self.directory.join("trees").join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn collect(&self, path: &Path, collected: &mut Collected) -> io::Result<()> {
        let base = File::open(path)?;
        if flock(&base, FlockOperation::NonBlockingLockExclusive).is_err() {
            collected.running += 1;
            return Ok(());
        }
        if let Some(stem) = path.file_stem() {
            self.forget_trees(stem)?;
        }
        fs::remove_file(path)?;
        collected.bases += 1;
        collected.bytes += base.metadata()?.len();
        Ok(())
    }

    /// Forgets images whose base has gone, and paths that became such images.
    fn forget_images(&self) -> Result<(), ImageError> {
        let whole = |record: &Record| self.base_path(&record.base, record.format).exists();
        for path in self.files_of("images")? {
            let digest = path
                .file_name()
                .and_then(|name| Digest::from_hex(name.to_str()?));
            let record = digest.and_then(|digest| self.record(&digest));
            if !record.is_some_and(|record| whole(&record)) {
                remove(path)?;
            }
        }
        for path in self.files_of("seen")? {
            let digest = fs::read_to_string(&path)
                .ok()
                .and_then(|text| text.parse().ok());
            if digest.and_then(|digest| self.record(&digest)).is_none() {
                remove(path)?;
            }
        }
        Ok(())
    }

    pub(super) fn record(&self, digest: &Digest) -> Option<Record> {
        let path = self.directory.join("images").join(digest.hex());
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    fn files_of(&self, directory: &str) -> Result<Vec<PathBuf>, ImageError> {
        let path = self.directory.join(directory);
        let failed = |source| ImageError::Store {
            path: path.clone(),
            source,
        };
        let entries = fs::read_dir(&path).map_err(failed)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<Result<_, _>>().map_err(failed)
    }
}

fn remove(path: PathBuf) -> Result<(), ImageError> {
    fs::remove_file(&path).map_err(|source| ImageError::Store { path, source })
}
