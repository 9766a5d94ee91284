//! The page tables that a guest in long mode begins with.

use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::segment::Ring;
use crate::memory::{Memory, layout};

/// Identity-maps the first 4 GiB in pages of 2 MiB, open to `ring` and to all below it.
///
/// # Errors
/// Guest memory ends below the tables.
pub fn identity_map(memory: &Memory, ring: Ring) -> Result<(), GuestMemoryError> {
    const PRESENT_WRITABLE: u64 = 0b11;
    const USER: u64 = 1 << 2;
    const LARGE: u64 = 1 << 7;
    let access = match ring {
        Ring::Kernel => PRESENT_WRITABLE,
        Ring::User => PRESENT_WRITABLE | USER,
    };
    let pdpt = layout::PAGE_TABLES + 0x1000;
    let first_directory = pdpt + 0x1000;
    let table = |n: u64| first_directory + n * 0x1000;
    memory.write_obj(pdpt | access, GuestAddress(layout::PAGE_TABLES))?;
    for gib in 0..4 {
        memory.write_obj(table(gib) | access, GuestAddress(pdpt + gib * 8))?;
        let entries: Vec<u8> = (0..512)
            .map(|entry| ((gib << 30) + (entry << 21)) | access | LARGE)
            .flat_map(u64::to_le_bytes)
            .collect();
        memory.write_slice(&entries, GuestAddress(table(gib)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    fn last_entry(ring: Ring) -> u64 {
        let memory = allocate(1 << 20).unwrap();
        identity_map(&memory, ring).unwrap();
        let last = layout::PAGE_TABLES + 0x2000 + 3 * 0x1000 + 511 * 8;
        memory.read_obj(GuestAddress(last)).unwrap()
    }

    #[test]
    fn the_first_four_gib_are_mapped_one_to_one() {
        assert_eq!(last_entry(Ring::Kernel) & !0xfff, (4 << 30) - (2 << 20));
    }

    #[test]
    fn only_pages_for_programs_are_open_to_ring_3() {
        let user = |ring| last_entry(ring) >> 2 & 1;
        assert_eq!((user(Ring::Kernel), user(Ring::User)), (0, 1));
    }
}
