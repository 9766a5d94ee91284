//! The ext4 of a keep, made and mended by e2fsprogs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// ext4 wants room for its journal.
const SIZE_MIN: u64 = 16 << 20;

/// Why there is no file system.
#[derive(Debug, thiserror::Error)]
pub enum FileSystemError {
    /// ext4 does not fit.
    #[error("{0} bytes are too few: give it 16M or more")]
    TooSmall(u64),
    /// A program of e2fsprogs cannot be started.
    #[error("cannot start {0}: is e2fsprogs installed?")]
    Start(&'static str, #[source] io::Error),
    /// It cannot be made.
    #[error("mke2fs says: {0}")]
    Make(String),
    /// It is damaged beyond what is mended without asking.
    #[error("its file system is damaged ({said}): try `e2fsck -f {image}`")]
    Damaged {
        /// Where it is.
        image: PathBuf,
        /// What was found.
        said: String,
    },
    /// A file cannot be used.
    #[error("cannot use {0}")]
    File(PathBuf, #[source] io::Error),
}

/// Makes `image`, of `size` bytes, with the two directories of an upper layer.
pub(super) fn make(directory: &Path, image: &Path, size: u64) -> Result<(), FileSystemError> {
    if size < SIZE_MIN {
        return Err(FileSystemError::TooSmall(size));
    }
    let seed = seed(directory)?;
    let sparse = File::create(image).and_then(|file| file.set_len(size));
    sparse.map_err(|source| FileSystemError::File(image.to_owned(), source))?;
    // No zeroes are written into what is a hole, neither now nor by the kernel that mounts it.
    let how = "lazy_itable_init=1,assume_storage_prezeroed=1,nodiscard,root_owner=0:0";
    let mut command = Command::new("mke2fs");
    command
        .args(["-q", "-F", "-t", "ext4", "-m", "0", "-E", how, "-d"])
        .args([seed.as_os_str(), image.as_os_str()]);
    let output = run("mke2fs", &mut command)?;
    let _ = fs::remove_dir_all(&seed);
    match output.status.success() {
        true => Ok(()),
        false => Err(FileSystemError::Make(last_line(&output))),
    }
}

/// What is in the file system from its beginning.
fn seed(directory: &Path) -> Result<PathBuf, FileSystemError> {
    let seed = directory.join("seed");
    for part in ["upper", "work"] {
        let part = seed.join(part);
        fs::create_dir_all(&part).map_err(|source| FileSystemError::File(part, source))?;
    }
    Ok(seed)
}

/// Mends `image` before this host's kernel mounts it: where a guest may have written it, it is
/// looked through whole, as a kernel trusts what it mounts; else where the kernel noted a fault.
/// A journal that is to be replayed is no fault.
pub(super) fn check(image: &Path, by_guest: bool) -> Result<(), FileSystemError> {
    let faulty =
        notes_a_fault(image).map_err(|source| FileSystemError::File(image.to_owned(), source))?;
    if !by_guest && !faulty {
        return Ok(());
    }
    let mut command = Command::new("e2fsck");
    let output = run(
        "e2fsck",
        command.args([OsStr::new("-fp"), image.as_os_str()]),
    )?;
    match output.status.code() {
        // e2fsck(8): 1 and 2 are "corrected", 2 for a root file system.
        Some(0..=3) => Ok(()),
        _ => Err(FileSystemError::Damaged {
            image: image.to_owned(),
            said: last_line(&output),
        }),
    }
}

/// ext4's super block: `s_magic` and `s_state`, whose bit 1 says that errors were detected.
fn notes_a_fault(image: &Path) -> io::Result<bool> {
    const S_MAGIC: u64 = 1024 + 0x38;
    let mut bytes = [0; 4];
    File::open(image)?.read_exact_at(&mut bytes, S_MAGIC)?;
    let [magic_low, magic_high, state, _] = bytes;
    Ok([magic_low, magic_high] != [0x53, 0xef] || state & 2 != 0)
}

fn run(name: &'static str, command: &mut Command) -> Result<Output, FileSystemError> {
    let output = command.stdin(Stdio::null()).output();
    output.map_err(|source| FileSystemError::Start(name, source))
}

/// What a program said last, on standard error if it said anything there.
fn last_line(output: &Output) -> String {
    let said = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let said = String::from_utf8_lossy(said);
    let line = said.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())
}
