//! Buffers in guest memory as the kernel takes them: addresses and lengths.
//!
//! The addresses are made here, of memory that stays mapped as long as they exist, and are
//! given to the kernel only. The guest may change the bytes at any time; nobody here looks
//! at them.
#![allow(
    unsafe_code,
    reason = "the system calls take addresses, so that no byte is copied on the way"
)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use libc::{c_int, iovec, off_t};
use vm_memory::GuestMemoryBackend;

use super::segments::Segment;
use crate::Memory;

/// The most parts that the kernel takes in one call (IOV_MAX).
pub const MAX_PARTS: usize = 1024;

/// What is left to transfer of a request's data.
pub struct GuestBuffers {
    iovecs: Vec<iovec>,
    first: usize,
    /// Keeps what the addresses point to mapped.
    _memory: Arc<Memory>,
}

// SAFETY: the addresses are of a shared mapping that `_memory` keeps in place; they are as
// good on one thread as on another.
unsafe impl Send for GuestBuffers {}

impl GuestBuffers {
    /// The buffers that `segments` are; `None` where one is not in memory, or too many.
    pub fn new(memory: &Arc<Memory>, segments: &[Segment]) -> Option<Self> {
        let mut iovecs = Vec::with_capacity(segments.len());
        for segment in segments {
            let len = usize::try_from(segment.len).ok()?;
            for slice in memory.get_slices(segment.address, len) {
                let slice = slice.ok()?;
                iovecs.push(iovec {
                    iov_base: slice.ptr_guard_mut().as_ptr().cast(),
                    iov_len: slice.len(),
                });
            }
        }
        (iovecs.len() <= MAX_PARTS).then(|| Self {
            iovecs,
            first: 0,
            _memory: memory.clone(),
        })
    }

    /// No buffers, for operations that transfer nothing.
    pub fn none(memory: &Arc<Memory>) -> Self {
        Self {
            iovecs: Vec::new(),
            first: 0,
            _memory: memory.clone(),
        }
    }

    /// Whether everything was transferred.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// What is left, for the kernel.
    pub fn rest(&self) -> &[iovec] {
        self.iovecs.get(self.first..).unwrap_or_default()
    }

    /// Whether every address and length is a multiple of `alignment`, a power of two.
    pub fn are_aligned(&self, alignment: usize) -> bool {
        let is_aligned = |value: usize| value & alignment.wrapping_sub(1) == 0;
        self.rest()
            .iter()
            .all(|part| is_aligned(part.iov_base.addr()) && is_aligned(part.iov_len))
    }

    /// Leaves out the first `bytes`, which were transferred.
    pub fn advance(&mut self, mut bytes: usize) {
        while let Some(part) = self.iovecs.get_mut(self.first) {
            match part.iov_len.checked_sub(bytes) {
                Some(rest) if rest > 0 => {
                    part.iov_base = part.iov_base.wrapping_byte_add(bytes);
                    part.iov_len = rest;
                    return;
                }
                _ => bytes = bytes.saturating_sub(part.iov_len),
            }
            self.first = self.first.saturating_add(1);
        }
    }

    /// Reads from `file` at `offset` into what is left; returns how many bytes.
    pub fn read_from(&self, file: &File, offset: u64, flags: c_int) -> io::Result<usize> {
        let (rest, offset) = (self.rest(), file_offset(offset)?);
        let (fd, parts, count) = (file.as_raw_fd(), rest.as_ptr(), part_count(rest));
        // SAFETY: `rest` are `count` parts of mapped guest memory, for anybody to write.
        let read = unsafe { libc::preadv2(fd, parts, count, offset, flags) };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }

    /// Writes what is left to `file` at `offset`; returns how many bytes.
    pub fn write_to(&self, file: &File, offset: u64, flags: c_int) -> io::Result<usize> {
        let (rest, offset) = (self.rest(), file_offset(offset)?);
        let (fd, parts, count) = (file.as_raw_fd(), rest.as_ptr(), part_count(rest));
        // SAFETY: `rest` are `count` parts of mapped guest memory.
        let written = unsafe { libc::pwritev2(fd, parts, count, offset, flags) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

fn part_count(parts: &[iovec]) -> c_int {
    c_int::try_from(parts.len()).unwrap_or(c_int::MAX)
}

fn file_offset(offset: u64) -> io::Result<off_t> {
    off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress};
    use vmm_sys_util::tempfile::TempFile;

    use super::*;

    fn segment(address: u64, len: u32) -> Segment {
        Segment {
            address: GuestAddress(address),
            len,
        }
    }

    fn memory() -> Arc<Memory> {
        // Two regions side by side: a segment may lie in both.
        let ranges = [(GuestAddress(0), 4096), (GuestAddress(4096), 4096)];
        let memory = Memory::from_ranges(&ranges).unwrap();
        memory.write_slice(b"0123456789", GuestAddress(0)).unwrap();
        memory.write_slice(b"abcdef", GuestAddress(4093)).unwrap();
        Arc::new(memory)
    }

    #[test]
    fn what_was_transferred_is_left_out_of_the_rest() {
        let segments = [segment(0, 4), segment(4093, 6)];
        let mut buffers = GuestBuffers::new(&memory(), &segments).unwrap();
        let mut file = TempFile::new().unwrap().into_file();
        for count in [1, 4, 4] {
            buffers.write_to(&file, 0, 0).unwrap();
            buffers.advance(count);
        }
        assert_eq!(buffers.write_to(&file, 0, 0).unwrap(), 1);
        let mut written = String::new();
        io::Seek::rewind(&mut file).unwrap();
        io::Read::read_to_string(&mut file, &mut written).unwrap();
        // The whole, then 9 bytes, then 5, then the last over what was there before.
        assert_eq!(written, "fcdefcdeff");
        buffers.advance(1);
        assert!(buffers.is_empty());
    }

    #[test]
    fn what_is_not_in_memory_is_no_buffer() {
        for out in [segment(8190, 3), segment(u64::MAX, 2), segment(1 << 40, 1)] {
            assert!(GuestBuffers::new(&memory(), &[segment(0, 1), out]).is_none());
        }
    }

    #[test]
    fn one_odd_address_or_length_spoils_the_alignment() {
        let aligned = |segments: [Segment; 2]| {
            let buffers = GuestBuffers::new(&memory(), &segments).unwrap();
            buffers.are_aligned(512)
        };
        assert!(aligned([segment(0, 512), segment(1024, 1024)]));
        assert!(!aligned([segment(0, 512), segment(1025, 512)]));
        assert!(!aligned([segment(0, 511), segment(1024, 512)]));
    }
}
