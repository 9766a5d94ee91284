//! Our `init` as a file of this host, for whoever is to execute it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::guest::{self, INIT};

/// The program that is PID 1 behind every wall, in no directory.
///
/// # Errors
/// There is no memory for it.
pub fn in_memory() -> io::Result<File> {
    let mut file = File::from(memfd_create("init", MemfdFlags::CLOEXEC)?);
    file.write_all(INIT)?;
    Ok(file)
}

/// Writes it to `path`, for a wall that shows it by a mount.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path) -> io::Result<()> {
    guest::write(INIT, path)
}
