//! Opening a kernel or an initrd: whole regular files only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// No kernel or initrd is larger; what says it is, is something else.
const MAX_SIZE: u64 = 4 << 30;

/// Why a file cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("cannot read the file")]
    Read(#[from] io::Error),
    /// It is no file.
    #[error("it is a directory, not a file")]
    Directory,
    /// Its end cannot be known, or reading it may block for ever.
    #[error("it is a device or a pipe, not a file: save it to a file first")]
    NotRegular,
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is none of ours.
    #[error("the file has {0} bytes, more than any kernel or initrd")]
    TooLarge(u64),
}

/// Opens the file at `path`; also returns its size in bytes.
///
/// # Errors
/// It cannot be opened, is no regular file, is empty or absurdly large.
pub fn open(path: &Path) -> Result<(File, u64), FileError> {
    // Without O_NONBLOCK the opening of a pipe waits for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    match metadata.len() {
        _ if metadata.is_dir() => Err(FileError::Directory),
        _ if !metadata.is_file() => Err(FileError::NotRegular),
        0 => Err(FileError::Empty),
        size if size > MAX_SIZE => Err(FileError::TooLarge(size)),
        size => Ok((file, size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_told_as_what_it_is() {
        let refusal = |path: &str| open(Path::new(path)).unwrap_err();
        assert!(matches!(refusal("/"), FileError::Directory));
        assert!(matches!(refusal("/dev/zero"), FileError::NotRegular));
        assert!(matches!(refusal("/nonexistent"), FileError::Read(_)));
    }

    #[test]
    fn a_pipe_without_a_writer_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        assert!(matches!(open(&pipe), Err(FileError::NotRegular)));
    }

    #[test]
    fn an_empty_file_is_told_as_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(open(file.path()), Err(FileError::Empty)));
    }
}
