//! Guest memory: mapped into this process, not yet known to KVM.

pub mod layout;

use std::fs::File;
use std::io;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryRegion, GuestRegionMmap, MmapRegion};

pub use devices::Memory;
use layout::Range;

/// Why guest memory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The host has less.
    #[error(
        "the guest wants {wanted} MiB of memory, the host has {have} MiB: use a smaller --memory"
    )]
    MoreThanHost {
        /// What the configuration asks for, in MiB.
        wanted: u64,
        /// What the host has in all, in MiB.
        have: u64,
    },
    /// The kernel refuses the mapping.
    #[error(
        "cannot map {0} MiB of guest memory: use a smaller --memory or raise the limit (ulimit -v)"
    )]
    Map(u64, #[source] vm_memory::mmap::MmapRegionError),
    /// No file for memory that is shared.
    #[error("cannot make {0} MiB of memory that other processes can map")]
    Share(u64, #[source] io::Error),
    /// The ranges do not form a memory.
    #[error("cannot join the ranges of guest memory")]
    Join(#[source] vm_memory::GuestRegionCollectionError),
}

/// Maps `bytes` of guest memory at the places that `layout` gives it.
///
/// Pages come from the host on first touch, in huge pages where it has them.
///
/// # Errors
/// More than the host has, or the mapping is refused.
pub fn allocate(bytes: u64) -> Result<Memory, MemoryError> {
    join(bytes, |_| None)
}

/// Likewise, so that other processes can map it too: each range has a part of one file.
///
/// A page of it costs the kernel more than one of our own, and huge pages need
/// `/sys/kernel/mm/transparent_hugepage/shmem_enabled` to say `advise`.
///
/// # Errors
/// As [`allocate`], or the host has no file descriptor left.
pub fn allocate_shared(bytes: u64) -> Result<Memory, MemoryError> {
    let file = sealed_file(bytes).map_err(|error| MemoryError::Share(bytes >> 20, error))?;
    let file = FileOffset::new(file, 0);
    let ranges = layout::ram(bytes);
    let sizes_below = |base| {
        let below = ranges.iter().filter(move |range| range.base < base);
        below.map(|range| range.size).sum()
    };
    join(bytes, |range| {
        let offset = sizes_below(range.base);
        Some(FileOffset::from_arc(file.arc().clone(), offset))
    })
}

/// A file in memory that nobody who has it can make shorter: that would end us by a signal.
fn sealed_file(bytes: u64) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("guest memory", flags)?);
    file.set_len(bytes)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

fn join(bytes: u64, file_of: impl Fn(Range) -> Option<FileOffset>) -> Result<Memory, MemoryError> {
    refuse_more_than_host(bytes)?;
    let regions = layout::ram(bytes)
        .into_iter()
        .map(|range| map_aligned(range, file_of(range)))
        .inspect(|region| region.iter().for_each(|region| prefer_huge_pages(region)))
        .collect::<Result<Vec<_>, _>>()?;
    Memory::from_regions(regions).map_err(MemoryError::Join)
}

/// Maps the register pages of `count` virtio devices, at the places that they have.
///
/// # Errors
/// The mapping is refused.
pub fn register_pages(count: usize) -> Result<Memory, MemoryError> {
    let pages = Range {
        base: layout::VIRTIO_MMIO.base,
        size: layout::VIRTIO_MMIO_SLOT * count as u64,
    };
    let pages = map(pages, None)?;
    Memory::from_regions(vec![pages]).map_err(MemoryError::Join)
}

fn refuse_more_than_host(bytes: u64) -> Result<(), MemoryError> {
    let have = rustix::system::sysinfo();
    let have = (have.totalram as u64).saturating_mul(u64::from(have.mem_unit));
    if bytes <= have {
        return Ok(());
    }
    Err(MemoryError::MoreThanHost {
        wanted: bytes >> 20,
        have: have >> 20,
    })
}

/// Maps `range` so that a huge page of the host is one of the guest: where both begin at
/// a multiple of it, KVM maps 2 MiB with one fault instead of 512.
///
/// The kernel puts a mapping right below the one before. So a padding as large as the
/// excess moves it to where it belongs; wherever that fails, pages are small.
fn map_aligned(range: Range, file: Option<FileOffset>) -> Result<GuestRegionMmap, MemoryError> {
    const HUGE_PAGE: usize = 2 << 20;
    let first = map(range, file.clone())?;
    let excess = first.as_ptr() as usize % HUGE_PAGE;
    if excess == 0 {
        return Ok(first);
    }
    drop(first);
    let padding = Range {
        base: 0,
        size: excess as u64,
    };
    let padding = map(padding, None)?;
    let second = map(range, file)?;
    drop(padding);
    Ok(second)
}

fn map(range: Range, file: Option<FileOffset>) -> Result<GuestRegionMmap, MemoryError> {
    let size = usize::try_from(range.size).unwrap_or(usize::MAX);
    let kind = match file {
        Some(_) => libc::MAP_SHARED,
        None => libc::MAP_ANONYMOUS | libc::MAP_PRIVATE,
    };
    let builder = MmapRegionBuilder::new(size)
        .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
        .with_mmap_flags(kind | libc::MAP_NORESERVE);
    let builder = match file {
        Some(file) => builder.with_file_offset(file),
        None => builder,
    };
    let mapping = builder
        .build()
        .map_err(|source| MemoryError::Map(range.size >> 20, source))?;
    let region = GuestRegionMmap::new(mapping, GuestAddress(range.base));
    Ok(region.expect("the layout ends far below the end of the address space"))
}

/// Fewer faults and shorter walks, twice: in the host's tables and in the nested ones.
fn prefer_huge_pages(mapping: &MmapRegion) {
    // SAFETY: the range is the mapping's own, and the advice changes no contents.
    let refused =
        unsafe { libc::madvise(mapping.as_ptr().cast(), mapping.size(), libc::MADV_HUGEPAGE) };
    if refused != 0 {
        log::debug!("no huge pages for guest memory");
    }
}

/// The first address after the guest's last byte of RAM.
pub fn end(memory: &Memory) -> u64 {
    use vm_memory::GuestMemoryBackend;
    memory
        .iter()
        .map(|region| region.start_addr().0 + region.len())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_the_host_has_is_refused() {
        let error = allocate(1 << 50).unwrap_err();
        assert!(error.to_string().contains("smaller --memory"));
    }

    #[test]
    fn a_huge_page_of_the_host_is_one_of_the_guest() {
        // Alone in a process the place below is free; beside other tests it may not be.
        let aligned = (0..20).any(|_| {
            let region = map_aligned(layout::ram(64 << 20)[0], None).unwrap();
            (region.as_ptr() as usize).is_multiple_of(2 << 20)
        });
        assert!(aligned);
    }

    #[test]
    fn memory_that_is_shared_is_one_file_from_its_beginning_to_its_end() {
        use vm_memory::GuestMemoryBackend;
        let memory = allocate_shared(4 << 30).unwrap();
        let part = |region: &GuestRegionMmap| region.file_offset().unwrap().start();
        let parts: Vec<_> = memory.iter().map(part).collect();
        assert_eq!(parts, [0, layout::DEVICE_HOLE.base]);
        let region = memory.iter().next().unwrap();
        let file = region.file_offset().unwrap().file();
        assert_eq!(file.metadata().unwrap().len(), 4 << 30);
        assert!(file.set_len(0).is_err());
    }

    #[test]
    fn memory_ends_after_its_last_range() {
        let memory = allocate(4 << 30).unwrap();
        assert_eq!(end(&memory), (4 << 30) + layout::DEVICE_HOLE.size);
    }
}
