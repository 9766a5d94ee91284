//! A disk image: a file system in a file, told by its magic number.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::image::Format;
use crate::image::error::SourceError;

/// Opens the regular file at `path`; a pipe without a writer is no reason to wait.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    match file.metadata()? {
        metadata if metadata.is_file() && metadata.len() == 0 => {
            Err(io::Error::other("it is empty"))
        }
        metadata if metadata.is_file() => Ok(file),
        _ => Err(io::Error::other(
            "it is a device or a pipe: save it to a file first",
        )),
    }
}

/// The file system that `file` begins with.
pub(super) fn format(file: &File) -> io::Result<Option<Format>> {
    /// Where each file system has its magic number.
    const MAGICS: [(u64, &[u8], Format); 3] = [
        (1024, &[0xe2, 0xe1, 0xf5, 0xe0], Format::Erofs),
        (1024 + 0x38, &[0x53, 0xef], Format::Ext4),
        (0, b"hsqs", Format::Squashfs),
    ];
    for (offset, magic, format) in MAGICS {
        if begins(file, offset, magic)? {
            return Ok(Some(format));
        }
    }
    Ok(None)
}

/// Why nothing here can use `file`, as exactly as its first bytes tell.
pub(super) fn unrecognized(file: &File) -> SourceError {
    /// Formats that users meet, and what to do about them.
    const KNOWN: [(u64, &[u8], &str); 3] = [
        (
            512,
            b"EFI PART",
            "; it is a disk with partitions: copy the partition to a file of its own",
        ),
        (
            510,
            &[0x55, 0xaa],
            "; it is a disk with partitions: copy the partition to a file of its own",
        ),
        (
            0,
            b"KDMV",
            "; it is VMDK: convert it with `qemu-img convert -O raw`",
        ),
    ];
    let known = KNOWN
        .into_iter()
        .find(|(offset, magic, _)| begins(file, *offset, magic).unwrap_or(false));
    SourceError::Unrecognized(known.map_or("", |(_, _, remedy)| remedy))
}

/// Whether `magic` is at `offset`.
pub(super) fn begins(file: &File, offset: u64, magic: &[u8]) -> io::Result<bool> {
    let mut there = vec![0; magic.len()];
    match file.read_exact_at(&mut there, offset) {
        Ok(()) => Ok(there == magic),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
