//! Our `init` as a file of this host, for whoever is to execute it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::guest::INIT;

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
    fs::write(path, INIT)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}
