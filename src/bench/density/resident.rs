//! How much of a file is in the host's page cache.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// The kernel's pages.
const PAGE: usize = 4096;

/// The bytes of the file at `path` that are in memory, whoever has read them.
///
/// # Errors
/// It cannot be looked at.
pub fn of(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length == 0 {
        return Ok(0);
    }
    let map = Map::of(&file, length)?;
    let pages = map.resident()?;
    // mincore(2): the least bit of each byte counts, the others may be anything.
    let resident = pages.iter().filter(|page| **page & 1 == 1).count();
    Ok(resident as u64 * PAGE as u64)
}

/// A file in our address space, of which nothing is read.
struct Map {
    address: *mut libc::c_void,
    length: usize,
}

impl Map {
    fn of(file: &File, length: usize) -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        let (nowhere, fd) = (std::ptr::null_mut(), file.as_raw_fd());
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let address = unsafe { libc::mmap(nowhere, length, protection, flags, fd, 0) };
        match address {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            address => Ok(Self { address, length }),
        }
    }

    /// A byte for each page.
    fn resident(&self) -> io::Result<Vec<u8>> {
        let mut pages = vec![0; self.length.div_ceil(PAGE)];
        // SAFETY: the mapping is of this length, and there is a byte for each page of it.
        let done = unsafe { libc::mincore(self.address, self.length, pages.as_mut_ptr()) };
        match done {
            0 => Ok(pages),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody has its address any more.
        unsafe { libc::munmap(self.address, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![1; 3 * PAGE + 1]).unwrap();
        assert_eq!(of(&path).unwrap(), 4 * PAGE as u64);
    }

    #[test]
    fn a_hole_is_not_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(of(&path).unwrap(), 0);
        File::create(&path).unwrap();
        assert_eq!(of(&path).unwrap(), 0);
    }
}
