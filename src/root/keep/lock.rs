//! Whose a keep is: a lock that ends with its process, and says which process that is.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Why a lock is not had.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another has it.
    Held(Owner),
    /// What it locks was removed while this waited.
    Gone,
    /// It cannot be used.
    File(io::Error),
}

/// Whose it is: a process, if it has said which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(Option<u32>);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(process) => write!(f, "process {process}"),
            None => write!(f, "another run"),
        }
    }
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock of the file `path`, which is made if it is missing.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LockError::Gone,
            _ => LockError::File(error),
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(owner(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::File(error)),
        }
        sign(&mut file).map_err(LockError::File)?;
        match file.metadata().map_err(LockError::File)?.nlink() {
            // Its last owner removed it before this one had it.
            0 => Err(LockError::Gone),
            _ => Ok(Self { _held: file }),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn owner(file: &mut File) -> Owner {
    let mut text = String::new();
    let read = file.read_to_string(&mut text).ok();
    Owner(read.and_then(|_| text.trim().parse().ok()))
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}
