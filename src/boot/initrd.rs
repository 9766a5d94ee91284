//! The initial RAM disk: a file as high in low memory as it fits.

use std::path::Path;

use vm_memory::{Bytes, GuestAddress};

use super::file::{self, FileError};
use crate::memory::layout::{DEVICE_HOLE, Range};
use crate::memory::{self, Memory};

/// Why an initrd cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum InitrdError {
    /// It is no file that can be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It does not fit beside the kernel.
    #[error("its {size} MiB do not fit beside the kernel: use a larger --memory")]
    TooLarge {
        /// Its size, rounded up to MiB.
        size: u64,
    },
    /// It ended before its length.
    #[error("the file shrank while it was read")]
    Shrank(#[source] vm_memory::GuestMemoryError),
}

/// Loads the file at `path` above `kernel_end`; returns where it lies.
///
/// # Errors
/// It cannot be read, or does not fit.
pub fn load(memory: &Memory, path: &Path, kernel_end: u64) -> Result<Range, InitrdError> {
    let (mut file, size) = file::open(path)?;
    let range = place(memory, size, kernel_end)?;
    let size = usize::try_from(range.size).unwrap_or(usize::MAX);
    memory
        .read_exact_volatile_from(GuestAddress(range.base), &mut file, size)
        .map_err(InitrdError::Shrank)?;
    Ok(range)
}

/// As high as possible below the device hole, so that the kernel has room to grow.
fn place(memory: &Memory, size: u64, kernel_end: u64) -> Result<Range, InitrdError> {
    const PAGE: u64 = 4096;
    let top = memory::end(memory).min(DEVICE_HOLE.base);
    let base = top.checked_sub(size).map(|base| base & !(PAGE - 1));
    match base {
        Some(base) if base >= kernel_end.next_multiple_of(PAGE) => Ok(Range { base, size }),
        _ => Err(InitrdError::TooLarge {
            size: size.div_ceil(1 << 20),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    #[test]
    fn an_initrd_lies_at_the_top_of_low_memory() {
        let memory = allocate(64 << 20).unwrap();
        let range = place(&memory, 5000, 0x20_0000).unwrap();
        assert_eq!(
            range,
            Range {
                base: (64 << 20) - 8192,
                size: 5000
            }
        );
    }

    #[test]
    fn an_initrd_that_meets_the_kernel_is_refused_with_its_size() {
        let memory = allocate(64 << 20).unwrap();
        let error = place(&memory, 63 << 20, 2 << 20).unwrap_err();
        assert!(error.to_string().contains("63 MiB do not fit"));
    }
}
