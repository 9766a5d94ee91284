//! The bytes of a file in a tree: where they lie until they are written into a base.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::beneath::Beneath;

/// Bytes of a file, not read yet.
#[derive(Clone, Debug)]
pub struct Content {
    origin: Origin,
    size: u64,
}

#[derive(Clone, Debug)]
enum Origin {
    /// Part of a file that many share: what layers were unpacked to, or another base.
    Part { file: Arc<File>, offset: u64 },
    /// A file of a directory that is imported.
    Path { root: Arc<Beneath>, path: PathBuf },
}

impl Content {
    /// `size` bytes from `offset` of `file`.
    pub(super) fn part(file: &Arc<File>, offset: u64, size: u64) -> Self {
        let file = Arc::clone(file);
        let origin = Origin::Part { file, offset };
        Self { origin, size }
    }

    /// The file at `path` beneath `root`, which has `size` bytes.
    pub(super) fn path(root: &Arc<Beneath>, path: PathBuf, size: u64) -> Self {
        let root = Arc::clone(root);
        let origin = Origin::Path { root, path };
        Self { origin, size }
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes all bytes to `out`.
    ///
    /// # Errors
    /// They cannot be read or written, or the file has become shorter.
    pub fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.origin {
            Origin::Part { file, offset } => copy_at(file, *offset, self.size, out),
            Origin::Path { root, path } => {
                let named = |error: io::Error| {
                    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
                };
                let file = root.file(path).map_err(named)?;
                copy_at(&file, 0, self.size, out).map_err(named)
            }
        }
    }

    /// All bytes, for files that are known to be small.
    ///
    /// # Errors
    /// As [`Content::copy_to`].
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes)?;
        Ok(bytes)
    }
}

fn copy_at(file: &File, offset: u64, size: u64, out: &mut impl Write) -> io::Result<()> {
    let mut part = Part { file, offset }.take(size);
    let mut buffer = vec![0; usize::try_from(size).map_or(CHUNK, |size| size.min(CHUNK))];
    loop {
        match part.read(&mut buffer)? {
            0 if part.limit() > 0 => return Err(io::Error::other("it has become shorter")),
            0 => return Ok(()),
            count => out.write_all(&buffer[..count])?,
        }
    }
}

const CHUNK: usize = 128 << 10;

/// Reads on from an offset, without moving the file's own.
pub(super) struct Part<F> {
    /// The file.
    pub(super) file: F,
    /// Where the next read begins.
    pub(super) offset: u64,
}

impl<F: std::borrow::Borrow<File>> Read for Part<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.borrow().read_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}
