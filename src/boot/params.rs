//! The zero page (`boot_params`) of the Linux boot protocol.

use linux_loader::bootparam::{SETUP_RNG_SEED, boot_e820_entry, boot_params, setup_header};
use vm_memory::{ByteValued, Bytes, GuestAddress, GuestMemoryError};

use super::{Kernel, Parameters, bzimage};
use crate::memory::Memory;
use crate::memory::layout::{self, Range};

const E820_RAM: u32 = 1;
const E820_RESERVED: u32 = 2;
/// "Undefined" loader, as the protocol has it for those without an assigned number.
const LOADER_UNDEFINED: u8 = 0xff;
/// The kernel mixes this many bytes into its random state before it starts any timer.
const SEED_SIZE: usize = 32;

/// Writes the zero page and the RNG seed that it points to.
pub(super) fn write(
    memory: &Memory,
    kernel: &Kernel,
    parameters: &Parameters<'_>,
) -> Result<(), GuestMemoryError> {
    let mut zero_page = boot_params {
        hdr: header(kernel, parameters),
        ..Default::default()
    };
    zero_page.acpi_rsdp_addr = parameters.rsdp.map_or(0, |address| address.0);
    for (entry, (range, kind)) in zero_page.e820_table.iter_mut().zip(memory_map(memory)) {
        *entry = boot_e820_entry {
            addr: range.base,
            size: range.size,
            r#type: kind,
        };
        zero_page.e820_entries += 1;
    }
    if write_seed(memory)? {
        zero_page.hdr.setup_data = layout::SETUP_DATA;
    }
    memory.write_slice(zero_page.as_slice(), GuestAddress(layout::ZERO_PAGE))
}

fn header(kernel: &Kernel, parameters: &Parameters<'_>) -> setup_header {
    let mut header = kernel.setup_header.unwrap_or_else(|| setup_header {
        boot_flag: 0xaa55,
        header: bzimage::MAGIC,
        kernel_alignment: 0x20_0000,
        ..Default::default()
    });
    header.type_of_loader = LOADER_UNDEFINED;
    header.cmd_line_ptr = low_half(layout::COMMAND_LINE.base);
    header.cmdline_size = u32::try_from(parameters.command_line.len()).unwrap_or(u32::MAX);
    if let Some(initrd) = parameters.initrd {
        header.ramdisk_image = low_half(initrd.base);
        header.ramdisk_size = low_half(initrd.size);
    }
    header
}

/// Everything that is put below 4 GiB has an address of 32 bits.
fn low_half(address: u64) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}

/// The memory map: RAM, and what of it is taken.
pub(super) fn memory_map(memory: &Memory) -> Vec<(Range, u32)> {
    use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};
    let low = Range {
        base: 0,
        size: layout::LOW_RAM_END,
    };
    let mut map = vec![
        (low, E820_RAM),
        (layout::MP_TABLE, E820_RESERVED),
        (layout::ACPI_TABLES, E820_RESERVED),
    ];
    map.extend(memory.iter().map(|region| {
        let base = region.start_addr().0.max(layout::HIGH_RAM_START);
        let end = region.start_addr().0 + region.len();
        let size = end.saturating_sub(base);
        (Range { base, size }, E820_RAM)
    }));
    map
}

/// Writes a `setup_data` node with random bytes; false where the host has none.
fn write_seed(memory: &Memory) -> Result<bool, GuestMemoryError> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut seed = [0u8; SEED_SIZE];
    if getrandom(&mut seed, GetRandomFlags::empty()) != Ok(SEED_SIZE) {
        return Ok(false);
    }
    let next: u64 = 0;
    let node = [
        &next.to_le_bytes()[..],
        &SETUP_RNG_SEED.to_le_bytes(),
        &low_half(SEED_SIZE as u64).to_le_bytes(),
        &seed,
    ];
    memory.write_slice(&node.concat(), GuestAddress(layout::SETUP_DATA))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{self, allocate};

    #[test]
    fn the_memory_map_ends_where_memory_does() {
        let memory = allocate(4 << 30).unwrap();
        let (last, kind) = *memory_map(&memory).last().unwrap();
        assert_eq!((last.end(), kind), (memory::end(&memory), E820_RAM));
    }

    #[test]
    fn the_memory_map_is_in_order_and_disjoint() {
        let map = memory_map(&allocate(128 << 20).unwrap());
        let disjoint = |pair: &[(Range, u32)]| pair[0].0.end() <= pair[1].0.base;
        assert!(map.windows(2).all(disjoint));
    }

    #[test]
    fn two_boots_get_different_seeds() {
        let memory = allocate(64 << 20).unwrap();
        let seed = || {
            assert!(write_seed(&memory).unwrap());
            let mut node = [0; 16 + SEED_SIZE];
            memory
                .read_slice(&mut node, GuestAddress(layout::SETUP_DATA))
                .unwrap();
            node
        };
        assert_ne!(seed(), seed());
    }
}
