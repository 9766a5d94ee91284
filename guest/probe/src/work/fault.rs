//! Pages that are not there until they are touched, and mappings that come and go.

use std::ptr::null_mut;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use wire::Measured;

use super::failure::Failure;
use super::mapping::{Mapping, PAGE, Pages};
use super::place::Place;
use super::watch::{Watch, sum};

/// The most that is mapped at a time, in pages of 4 KiB: 1 GiB.
const MOST_AT_A_TIME: u64 = 1 << 18;

/// Each touched page is a fault of its own.
pub fn small(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    touch(operations, Pages::Small)
}

/// The first touch of 512 pages brings them all.
pub fn huge(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let measured = touch(operations, Pages::Huge)?;
    // madvise(2) promises nothing, and says nothing where huge pages are switched off.
    match operations > 512 && measured.used.minor_faults > operations / 2 {
        true => Err(Failure::NotHere(
            "the kernel gave small pages where huge ones were asked for: \
             see /sys/kernel/mm/transparent_hugepage/enabled",
        )),
        false => Ok(measured),
    }
}

fn touch(operations: u64, pages: Pages) -> Result<Measured, Failure> {
    let mut all = Measured::default();
    while all.operations < operations {
        let count = MOST_AT_A_TIME.min(operations - all.operations);
        let length = usize::try_from(count).unwrap_or_default() * PAGE;
        let mut mapping = Mapping::new(length, pages)?;
        let watch = Watch::start();
        mapping.touch();
        all = sum(&all, &watch.stop(count));
    }
    Ok(all)
}

/// What is mapped and touched once, so that there is something to take away: 16 pages.
const LENGTH: usize = 16 * PAGE;

/// A mapping, one page of it, and neither again.
pub fn map_unmap(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let watch = Watch::start();
    for _ in 0..operations {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses where it is, so nothing else is there.
        let mapped = unsafe { mmap_anonymous(null_mut(), LENGTH, protection, flags) };
        let mapped = mapped.map_err(Failure::to("map memory"))?;
        // SAFETY: the page has just been mapped, for us alone.
        unsafe { mapped.cast::<u8>().write_volatile(1) };
        // SAFETY: nothing points there any more.
        unsafe { munmap(mapped, LENGTH) }.map_err(Failure::to("unmap memory"))?;
    }
    Ok(watch.stop(operations))
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn small_pages_are_a_fault_each() {
        let used = measured("fault-4k", 1000).used;
        assert!(used.minor_faults >= 1000, "{used:?}");
        let used = measured("mmap-munmap", 100).used;
        assert!(used.minor_faults >= 100, "{used:?}");
    }
}
