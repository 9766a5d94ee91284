//! The kernel's own file systems, and the modules of a kernel that has its drivers in such.

use std::fs::{self, File};
use std::io;

use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::system::finit_module;

use super::root::{self, RootError};
use crate::Failure;

/// The modules that the host has put beside us, a path each, in the order of their needs.
const MODULES: &str = "/modules.list";

/// Mounts what everything else is found by.
pub fn mount() -> Result<(), RootError> {
    let hidden = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    root::mount("proc", "/proc", "proc", hidden, "")?;
    root::mount("sysfs", "/sys", "sysfs", hidden, "")?;
    let devices = MountFlags::NOSUID | MountFlags::NOEXEC;
    root::mount("devtmpfs", "/dev", "devtmpfs", devices, "mode=755")
}

/// Loads the modules, if there are any.
pub fn load_modules() -> Result<(), Failure> {
    let list = match fs::read_to_string(MODULES) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for path in list.lines() {
        load(path).map_err(|error| format!("cannot load the kernel module {path}: {error}"))?;
    }
    Ok(())
}

fn load(path: &str) -> io::Result<()> {
    match finit_module(File::open(path)?, c"", 0) {
        // It is there already, or for hardware that is not.
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
