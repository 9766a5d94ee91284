//! The guest-physical map: every fixed address of the project, in one place.
//!
//! ```text
//! 0x0000_0000  RAM: zero page, GDT, page tables, command line, MP table
//! 0x000a_0000  hole that PCs have for video memory and firmware
//! 0x000e_0000  ACPI tables (reserved in e820; where a kernel looks for the RSDP)
//! 0x0010_0000  RAM: kernel, initrd
//! 0xc000_0000  hole for devices: virtio-mmio, I/O APIC, local APIC, KVM's own pages
//! 0x1_0000_0000  RAM: what did not fit below the hole
//! ```

use serde::Serialize;

/// A range of guest-physical addresses, `base..base + size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first address.
    pub base: u64,
    /// The length in bytes.
    pub size: u64,
}

impl Range {
    /// The first address after the range.
    pub const fn end(self) -> u64 {
        self.base + self.size
    }
}

/// The `hvm_start_info` of the PVH protocol, with its memory map and module list.
pub const PVH_INFO: Range = Range {
    base: 0x6000,
    size: 0x1000,
};
/// The zero page (`boot_params`) of the Linux boot protocol.
pub const ZERO_PAGE: u64 = 0x7000;
/// The `setup_data` list that hangs off the zero page: the RNG seed.
pub const SETUP_DATA: u64 = 0x8000;
/// The boot page tables: one PML4, one PDPT, four page directories.
pub const PAGE_TABLES: u64 = 0x9000;
/// The boot GDT.
pub const BOOT_GDT: u64 = 0x500;
/// What a bare guest has in the place of a kernel's structures: its task state segment,
pub const BARE_TASK: u64 = 0x1000;
/// its interrupt descriptor table,
pub const BARE_IDT: u64 = 0x2000;
/// the handlers that the table leads to,
pub const BARE_HANDLERS: u64 = 0x3000;
/// a zeroed page to work on,
pub const BARE_SCRATCH: u64 = 0x4000;
/// and the top of its stack; its code is where a kernel would be.
pub const BARE_STACK: u64 = 0x6000;
/// The kernel command line; the kernel's own limit is lower.
pub const COMMAND_LINE: Range = Range {
    base: 0x2_0000,
    size: 0x1_0000,
};
/// The MP table, at the top of the first 640 KiB, where a kernel without ACPI looks for it.
pub const MP_TABLE: Range = Range {
    base: 0x9_fc00,
    size: 0x400,
};
/// Where conventional memory ends.
pub const LOW_RAM_END: u64 = MP_TABLE.base;
/// The RSDP and the tables it leads to.
pub const ACPI_TABLES: Range = Range {
    base: 0xe_0000,
    size: 0x2_0000,
};
/// Where memory goes on after the PC's hole; the lowest address of a kernel.
pub const HIGH_RAM_START: u64 = 0x10_0000;
/// The hole for devices below 4 GiB.
pub const DEVICE_HOLE: Range = Range {
    base: 0xc000_0000,
    size: 0x4000_0000,
};
/// The virtio-mmio register pages, one for each device.
pub const VIRTIO_MMIO: Range = Range {
    base: 0xd000_0000,
    size: 0x10_0000,
};
/// One virtio-mmio device's registers.
pub const VIRTIO_MMIO_SLOT: u64 = 0x1000;
/// KVM's page for the identity map (only Intel without unrestricted guest uses it).
pub const KVM_IDENTITY_MAP: u64 = 0xfffb_c000;
/// KVM's three pages for a TSS (likewise).
pub const KVM_TSS: u64 = 0xfffb_d000;
/// The I/O APIC's registers, as KVM emulates it.
pub const IO_APIC: u32 = 0xfec0_0000;
/// The local APIC's registers.
pub const LOCAL_APIC: u32 = 0xfee0_0000;

/// The first serial port.
pub const COM1: Range = Range {
    base: 0x3f8,
    size: 8,
};
/// COM1's interrupt.
pub const COM1_GSI: u32 = 4;
/// The CMOS clock's index and data ports.
pub const CMOS: Range = Range {
    base: 0x70,
    size: 2,
};
/// The keyboard controller, of which only the reset line is there.
pub const I8042: Range = Range {
    base: 0x60,
    size: 5,
};
/// The pvpanic port (as QEMU has it).
pub const PVPANIC: Range = Range {
    base: 0x505,
    size: 1,
};
/// ACPI's sleep control, sleep status and reset registers, in this order.
pub const POWER: Range = Range {
    base: 0x600,
    size: 3,
};
/// The event register behind the Generic Event Device.
pub const EVENTS: Range = Range {
    base: 0x604,
    size: 1,
};
/// The Generic Event Device's interrupt.
pub const EVENTS_GSI: u32 = 9;

/// Interrupts for virtio devices: free of the timer (0), the cascade (2), COM1, the clock
/// and the event device, and first those that an old kernel without an I/O APIC has too.
pub const DEVICE_GSIS: [u32; 18] = [
    5, 6, 7, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 3, 13,
];

/// The ranges of RAM that `bytes` of memory fill: below the device hole, then above it.
pub fn ram(bytes: u64) -> Vec<Range> {
    let below = bytes.min(DEVICE_HOLE.base);
    let above = bytes - below;
    let mut ranges = vec![Range {
        base: 0,
        size: below,
    }];
    if above > 0 {
        ranges.push(Range {
            base: DEVICE_HOLE.end(),
            size: above,
        });
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_fits_below_the_hole_is_one_range() {
        assert_eq!(
            ram(64 << 20),
            [Range {
                base: 0,
                size: 64 << 20
            }]
        );
        assert_eq!(ram(DEVICE_HOLE.base).len(), 1);
    }

    #[test]
    fn memory_beyond_the_hole_goes_on_at_four_gib() {
        let ranges = ram(6 << 30);
        assert_eq!(
            ranges[1],
            Range {
                base: 1 << 32,
                size: 3 << 30
            }
        );
        assert_eq!(ranges.iter().map(|range| range.size).sum::<u64>(), 6 << 30);
    }

    #[test]
    fn no_two_fixed_ranges_below_one_mib_overlap() {
        let mut ranges = [
            Range {
                base: BOOT_GDT,
                size: 0x20,
            },
            Range {
                base: BARE_TASK,
                size: BARE_STACK - BARE_TASK,
            },
            PVH_INFO,
            Range {
                base: ZERO_PAGE,
                size: 0x1000,
            },
            Range {
                base: SETUP_DATA,
                size: 0x1000,
            },
            Range {
                base: PAGE_TABLES,
                size: 0x6000,
            },
            COMMAND_LINE,
            MP_TABLE,
            ACPI_TABLES,
        ];
        ranges.sort_by_key(|range| range.base);
        assert!(ranges.windows(2).all(|pair| pair[0].end() <= pair[1].base));
        assert!(ACPI_TABLES.end() <= HIGH_RAM_START);
    }
}
