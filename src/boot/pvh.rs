//! The start info of the PVH protocol (Xen's public/arch-x86/hvm/start_info.h).

use linux_loader::loader::elf::start_info::{
    hvm_memmap_table_entry, hvm_modlist_entry, hvm_start_info,
};
use vm_memory::{ByteValued, Bytes, GuestAddress, GuestMemoryError};

use super::{Parameters, params};
use crate::memory::{Memory, layout};

const MAGIC: u32 = 0x336e_c578;
const MODULE_OFFSET: u64 = 0x40;
const MEMORY_MAP_OFFSET: u64 = 0x80;

/// Writes the start info with its memory map and, if there is an initrd, one module.
pub(super) fn write(memory: &Memory, parameters: &Parameters<'_>) -> Result<(), GuestMemoryError> {
    let base = layout::PVH_INFO.base;
    let map = memory_map(memory);
    let info = hvm_start_info {
        magic: MAGIC,
        version: 1,
        nr_modules: parameters.initrd.is_some().into(),
        modlist_paddr: base + MODULE_OFFSET,
        cmdline_paddr: layout::COMMAND_LINE.base,
        rsdp_paddr: parameters.rsdp.map_or(0, |address| address.0),
        memmap_paddr: base + MEMORY_MAP_OFFSET,
        memmap_entries: u32::try_from(map.len()).unwrap_or(0),
        ..Default::default()
    };
    let module = parameters
        .initrd
        .map_or_else(Default::default, |initrd| hvm_modlist_entry {
            paddr: initrd.base,
            size: initrd.size,
            ..Default::default()
        });
    let map: Vec<u8> = map.iter().flat_map(ByteValued::as_slice).copied().collect();
    memory.write_slice(info.as_slice(), GuestAddress(base))?;
    memory.write_slice(module.as_slice(), GuestAddress(base + MODULE_OFFSET))?;
    memory.write_slice(&map, GuestAddress(base + MEMORY_MAP_OFFSET))
}

fn memory_map(memory: &Memory) -> Vec<hvm_memmap_table_entry> {
    params::memory_map(memory)
        .into_iter()
        .map(|(range, kind)| hvm_memmap_table_entry {
            addr: range.base,
            size: range.size,
            type_: kind,
            reserved: 0,
        })
        .collect()
}
