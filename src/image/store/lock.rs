//! Who uses what, told by locks that end with their process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::image::error::ImageError;

/// Keeps a base from being collected while it, or a copy of it, lives.
#[derive(Clone, Debug)]
pub struct BaseLock(Arc<File>);

impl BaseLock {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        flock(&file, FlockOperation::LockShared)?;
        // It may have been collected between the two.
        if file.metadata()?.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self(Arc::new(file)))
    }

    /// The open base.
    pub fn file(&self) -> &File {
        &self.0
    }
}

/// The lock of the whole store.
pub(super) struct StoreLock(#[allow(dead_code, reason = "it is held, not used")] File);

impl StoreLock {
    /// Nothing is removed from the store at `directory` while this lives.
    pub(super) fn shared(directory: &Path) -> Result<Self, ImageError> {
        Self::take(directory, FlockOperation::LockShared).map_err(|source| ImageError::Store {
            path: directory.join("lock"),
            source,
        })
    }

    /// Nothing is added while this lives; waits until nothing is.
    pub(super) fn exclusive(directory: &Path) -> Result<Self, ImageError> {
        Self::take(directory, FlockOperation::LockExclusive).map_err(|source| ImageError::Store {
            path: directory.join("lock"),
            source,
        })
    }

    /// As [`StoreLock::exclusive`], unless something is being added now.
    pub(super) fn try_exclusive(directory: &Path) -> io::Result<Option<Self>> {
        match Self::take(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take(directory: &Path, operation: FlockOperation) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))?;
        loop {
            match flock(&file, operation) {
                Err(Errno::INTR) => {}
                result => return Ok(result.map(|()| Self(file))?),
            }
        }
    }
}
