//! Disk images that are no EROFS, extracted by the programs of their makers.
//!
//! An image is hostile, and those programs follow the links that they have just made: in a mount
//! namespace of its own, such a program can write nothing but the new directory.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::{ExtractError, failed};
use crate::root::mount::{RECURSIVE, clone_tree, make_read_only, place_tree};

/// The files of the ext4 at `from`.
pub(super) fn debugfs(from: &Path, to: &Path) -> Result<(), ExtractError> {
    let mut command = Command::new("debugfs");
    command.args(["-R", "rdump / ."]).arg(from);
    run("debugfs", "e2fsprogs", command, to)
}

/// The files of the squashfs at `from`.
pub(super) fn unsquashfs(from: &Path, to: &Path) -> Result<(), ExtractError> {
    let mut command = Command::new("unsquashfs");
    // Device nodes fail, and nothing else has to.
    command.args([
        "-quiet",
        "-no-progress",
        "-no-exit-code",
        "-force",
        "-dest",
        ".",
    ]);
    command.arg(from);
    run("unsquashfs", "squashfs-tools", command, to)
}

/// Both programs succeed whatever they leave out: whether there is anything tells.
fn run(
    name: &'static str,
    package: &'static str,
    mut command: Command,
    to: &Path,
) -> Result<(), ExtractError> {
    fs::create_dir(to).map_err(|source| failed(to, source))?;
    confine(&mut command, to);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| ExtractError::Start(name, package, source))?;
    let entries = fs::read_dir(to).map_err(|source| failed(to, source))?;
    if entries.count() == 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().last().unwrap_or("it does not say why");
        return Err(ExtractError::Tool(name, line.to_owned()));
    }
    Ok(())
}

/// Has `command` run in the directory `to`, with all else read-only.
fn confine(command: &mut Command, to: &Path) {
    let to = to.to_owned();
    // SAFETY: the closure makes system calls, and allocates at most: this process has one thread.
    unsafe { command.pre_exec(move || leave_only(&to)) };
}

fn leave_only(to: &Path) -> io::Result<()> {
    // SAFETY: file descriptors stay shared, which is all that could surprise another thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    let open = |path: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path, flags, Mode::empty())
    };
    let writable = clone_tree(to)?;
    make_read_only(open(Path::new("/"))?.as_fd(), RECURSIVE)?;
    place_tree(writable.as_fd(), open(to)?.as_fd())?;
    Ok(rustix::process::chdir(to)?)
}
