//! Transfers past the page cache whose buffers O_DIRECT does not take, by way of one that
//! it does.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::segments::Segments;
use crate::Memory;

/// Memory that O_DIRECT takes everywhere.
#[repr(C, align(4096))]
struct Bounce([u8; SIZE]);
const SIZE: usize = 16 * 1024;

/// Fills `data` from `file` at `offset`.
///
/// # Errors
/// The host cannot read, or the data is not in memory.
pub fn read(file: &File, offset: u64, memory: &Memory, data: &mut Segments) -> io::Result<()> {
    pieces(offset, data.len(), |bytes, offset| {
        file.read_exact_at(bytes, offset)?;
        data.write(memory, bytes).ok_or_else(not_in_memory)
    })
}

/// Stores `data` into `file` at `offset`.
///
/// # Errors
/// The host cannot write, or the data is not in memory.
pub fn write(file: &File, offset: u64, memory: &Memory, data: &mut Segments) -> io::Result<()> {
    pieces(offset, data.len(), |bytes, offset| {
        data.read(memory, bytes).ok_or_else(not_in_memory)?;
        file.write_all_at(bytes, offset)
    })
}

/// Reads some bytes, to see whether that is possible at all.
///
/// # Errors
/// It is not.
pub fn try_read(file: &File) -> io::Result<()> {
    let mut bounce = Box::new(Bounce([0; SIZE]));
    file.read_at(&mut bounce.0, 0).map(|_| ())
}

/// Calls `transfer` with a buffer for each piece of `len` bytes, and its offset.
fn pieces(
    mut offset: u64,
    mut len: u64,
    mut transfer: impl FnMut(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut bounce = Box::new(Bounce([0; SIZE]));
    while len > 0 {
        let count = SIZE.min(usize::try_from(len).unwrap_or(SIZE));
        transfer(bounce.0.get_mut(..count).unwrap_or_default(), offset)?;
        offset = offset.saturating_add(count as u64);
        len = len.saturating_sub(count as u64);
    }
    Ok(())
}

fn not_in_memory() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}
