//! A file that the contents of layers are unpacked into, one behind the other.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::content::Content;

/// More than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {0} bytes: --max-size allows more")]
pub struct TooLarge(pub(super) u64);

/// Takes contents up to a limit.
pub struct Spool {
    file: Arc<File>,
    end: u64,
    limit: u64,
}

impl Spool {
    /// Uses `file`, which is empty, for up to `limit` bytes.
    pub fn new(file: File, limit: u64) -> Self {
        Self {
            file: Arc::new(file),
            end: 0,
            limit,
        }
    }

    /// The most bytes that it takes.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes the first `size` bytes of `reader`.
    pub(super) fn take(&mut self, reader: impl Read, size: u64) -> io::Result<Content> {
        self.take_sparse(reader, &[(0, size)], size)
    }

    /// Takes `size` bytes, of which `parts` (offset and length) are in `reader` and the rest
    /// is zero.
    pub(super) fn take_sparse(
        &mut self,
        mut reader: impl Read,
        parts: &[(u64, u64)],
        size: u64,
    ) -> io::Result<Content> {
        let start = self.end;
        let end = start.checked_add(size).filter(|end| *end <= self.limit);
        let end = end.ok_or_else(|| io::Error::other(TooLarge(self.limit)))?;
        for (offset, length) in parts {
            let fits = offset.checked_add(*length).is_some_and(|end| end <= size);
            if !fits {
                return Err(io::Error::other(
                    "a part of a sparse file lies outside of it",
                ));
            }
            self.write(&mut reader, start + offset, *length)?;
        }
        if parts != [(0, size)] {
            self.file.set_len(end)?;
        }
        self.end = end;
        Ok(Content::part(&self.file, start, size))
    }

    fn write(&self, reader: &mut impl Read, mut at: u64, length: u64) -> io::Result<()> {
        const CHUNK: u64 = 128 << 10;
        let size = usize::try_from(length.min(CHUNK)).expect("a chunk is small");
        let mut buffer = vec![0; size];
        let end = at + length;
        while at < end {
            let want = usize::try_from((end - at).min(CHUNK)).expect("a chunk is small");
            reader.read_exact(&mut buffer[..want])?;
            self.file.write_all_at(&buffer[..want], at)?;
            at += want as u64;
        }
        Ok(())
    }
}

/// Passes on up to a number of bytes that many readers share, and fails at the next.
pub(super) struct Limited<'a, R> {
    pub(super) inner: R,
    /// What may still pass.
    pub(super) left: &'a mut u64,
    /// What was allowed at first, to tell.
    pub(super) limit: u64,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.checked_sub(count as u64);
        *self.left = left.ok_or_else(|| io::Error::other(TooLarge(self.limit)))?;
        Ok(count)
    }
}
