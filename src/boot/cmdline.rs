//! The kernel command line: computed from what was attached, written once.

use vm_memory::{Bytes, GuestAddress};

use crate::memory::{Memory, layout};

/// Why a command line cannot be given to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum CommandLineError {
    /// It is longer than the kernel reads.
    #[error(
        "the kernel command line has {length} bytes, this kernel takes {limit}: \
         shorten --cmdline by {}", length - limit
    )]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that this kernel takes.
        limit: usize,
    },
    /// It has a byte that ends it early.
    #[error("the kernel command line has a NUL byte")]
    Nul,
    /// Guest memory ends below its place.
    #[error("cannot write the kernel command line to guest memory")]
    Write(#[from] vm_memory::GuestMemoryError),
}

/// Writes `line` where the boot parameters point to.
///
/// # Errors
/// It is longer than `limit`, the kernel's own, or has a NUL byte.
pub fn write(memory: &Memory, line: &str, limit: usize) -> Result<(), CommandLineError> {
    let room = usize::try_from(layout::COMMAND_LINE.size).unwrap_or(0) - 1;
    let limit = limit.min(room);
    if line.len() > limit {
        let length = line.len();
        return Err(CommandLineError::TooLong { length, limit });
    }
    if line.contains('\0') {
        return Err(CommandLineError::Nul);
    }
    let place = GuestAddress(layout::COMMAND_LINE.base);
    memory.write_slice(&[line.as_bytes(), &[0]].concat(), place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    #[test]
    fn a_line_at_the_limit_is_taken_and_one_byte_more_is_not() {
        let memory = allocate(64 << 20).unwrap();
        assert!(write(&memory, &"a".repeat(2047), 2047).is_ok());
        let error = write(&memory, &"a".repeat(2048), 2047).unwrap_err();
        assert!(error.to_string().ends_with("shorten --cmdline by 1"));
    }

    #[test]
    fn a_line_ends_with_nul() {
        let memory = allocate(64 << 20).unwrap();
        write(&memory, "quiet", 2047).unwrap();
        let bytes: [u8; 6] = memory
            .read_obj(GuestAddress(layout::COMMAND_LINE.base))
            .unwrap();
        assert_eq!(&bytes, b"quiet\0");
    }
}
