//! The state of a vCPU at the kernel's entry, for both boot protocols.

use kvm_bindings::{kvm_lapic_state, kvm_regs, kvm_segment, kvm_sregs};
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use crate::hypervisor::{KvmError, Vcpu};
use crate::memory::{Memory, layout};

/// Where and how the first vCPU enters the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In 64-bit mode with the zero page in RSI (Linux boot protocol, 64-bit).
    Linux64 {
        /// The address of `startup_64`.
        rip: u64,
    },
    /// In 32-bit protected mode with the start info in EBX (PVH).
    Pvh {
        /// The address in the kernel's note.
        rip: u64,
    },
}

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const RFLAGS_RESERVED: u64 = 1 << 1;

/// Selectors of the boot protocol: `__BOOT_CS` and `__BOOT_DS`.
const BOOT_CS: u16 = 0x10;
const BOOT_DS: u16 = 0x18;

/// Writes what the entry state refers to: the GDT, and page tables for 64-bit mode.
///
/// # Errors
/// Guest memory ends below the tables.
pub fn write_tables(memory: &Memory, entry: Entry) -> Result<(), GuestMemoryError> {
    let long = matches!(entry, Entry::Linux64 { .. });
    for (index, segment) in [(BOOT_CS, code(long)), (BOOT_DS, data())] {
        let place = layout::BOOT_GDT + u64::from(index);
        memory.write_obj(descriptor(&segment), GuestAddress(place))?;
    }
    match entry {
        Entry::Linux64 { .. } => write_page_tables(memory),
        Entry::Pvh { .. } => Ok(()),
    }
}

/// Identity-maps the first 4 GiB in pages of 2 MiB.
fn write_page_tables(memory: &Memory) -> Result<(), GuestMemoryError> {
    const PRESENT_WRITABLE: u64 = 0b11;
    const LARGE: u64 = 1 << 7;
    let pdpt = layout::PAGE_TABLES + 0x1000;
    let first_directory = pdpt + 0x1000;
    let table = |n: u64| first_directory + n * 0x1000;
    memory.write_obj(pdpt | PRESENT_WRITABLE, GuestAddress(layout::PAGE_TABLES))?;
    for gib in 0..4 {
        memory.write_obj(table(gib) | PRESENT_WRITABLE, GuestAddress(pdpt + gib * 8))?;
        let entries: Vec<u8> = (0..512)
            .map(|entry| ((gib << 30) + (entry << 21)) | PRESENT_WRITABLE | LARGE)
            .flat_map(u64::to_le_bytes)
            .collect();
        memory.write_slice(&entries, GuestAddress(table(gib)))?;
    }
    Ok(())
}

/// Sets the first vCPU to `entry`; the others wait for it to start them.
///
/// # Errors
/// KVM refuses.
pub fn set_up(vcpu: &Vcpu, entry: Entry) -> Result<(), KvmError> {
    set_local_interrupts(vcpu)?;
    if vcpu.id() != 0 {
        return Ok(());
    }
    let mut special = vcpu.special_registers()?;
    enter(&mut special, entry);
    vcpu.set_special_registers(&special)?;
    vcpu.set_registers(&general(entry))
}

fn general(entry: Entry) -> kvm_regs {
    let registers = kvm_regs {
        rflags: RFLAGS_RESERVED,
        ..Default::default()
    };
    match entry {
        Entry::Linux64 { rip } => kvm_regs {
            rip,
            rsi: layout::ZERO_PAGE,
            ..registers
        },
        Entry::Pvh { rip } => kvm_regs {
            rip,
            rbx: layout::PVH_INFO.base,
            ..registers
        },
    }
}

fn enter(special: &mut kvm_sregs, entry: Entry) {
    let long = matches!(entry, Entry::Linux64 { .. });
    special.cs = code(long);
    let data = data();
    special.ds = data;
    special.es = data;
    special.fs = data;
    special.gs = data;
    special.ss = data;
    special.tr = task();
    special.gdt.base = layout::BOOT_GDT;
    special.gdt.limit = BOOT_DS + 7;
    special.idt.limit = 0;
    special.cr0 = CR0_PE | CR0_ET;
    if long {
        special.cr0 |= CR0_PG;
        special.cr3 = layout::PAGE_TABLES;
        special.cr4 |= CR4_PAE;
        special.efer |= EFER_LME | EFER_LMA;
    }
}

fn code(long: bool) -> kvm_segment {
    kvm_segment {
        selector: BOOT_CS,
        type_: 0xb,
        l: long.into(),
        db: (!long).into(),
        ..flat()
    }
}

fn data() -> kvm_segment {
    kvm_segment {
        selector: BOOT_DS,
        type_: 0x3,
        db: 1,
        ..flat()
    }
}

fn flat() -> kvm_segment {
    kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        present: 1,
        s: 1,
        g: 1,
        ..Default::default()
    }
}

/// A busy TSS: hardware refuses to enter a guest without one.
fn task() -> kvm_segment {
    kvm_segment {
        limit: 0x67,
        present: 1,
        type_: 0xb,
        ..Default::default()
    }
}

/// Packs a segment into a GDT entry (Intel SDM, volume 3, 3.4.5).
fn descriptor(segment: &kvm_segment) -> u64 {
    let flags = u64::from(segment.type_)
        | u64::from(segment.s) << 4
        | u64::from(segment.dpl) << 5
        | u64::from(segment.present) << 7
        | u64::from(segment.l) << 13
        | u64::from(segment.db) << 14
        | u64::from(segment.g) << 15;
    let limit = if segment.g == 1 {
        u64::from(segment.limit >> 12)
    } else {
        segment.limit.into()
    };
    (limit & 0xffff) | (limit >> 16 & 0xf) << 48 | flags << 40
}

/// LINT0 takes interrupts from the old PICs, LINT1 is the NMI (MP specification, 3.6.2.1).
fn set_local_interrupts(vcpu: &Vcpu) -> Result<(), KvmError> {
    const LVT_LINT0: usize = 0x350;
    const LVT_LINT1: usize = 0x360;
    const EXTINT: u32 = 0b111 << 8;
    const NMI: u32 = 0b100 << 8;
    let mut apic = vcpu.local_apic()?;
    set_delivery_mode(&mut apic, LVT_LINT0, EXTINT);
    set_delivery_mode(&mut apic, LVT_LINT1, NMI);
    vcpu.set_local_apic(&apic)
}

fn set_delivery_mode(apic: &mut kvm_lapic_state, register: usize, mode: u32) {
    for (place, byte) in apic.regs[register..register + 4]
        .iter_mut()
        .zip(mode.to_le_bytes())
    {
        *place = byte.cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    #[test]
    fn descriptors_have_the_values_of_the_boot_protocol() {
        assert_eq!(descriptor(&code(true)), 0x00af_9b00_0000_ffff);
        assert_eq!(descriptor(&code(false)), 0x00cf_9b00_0000_ffff);
        assert_eq!(descriptor(&data()), 0x00cf_9300_0000_ffff);
    }

    #[test]
    fn the_first_four_gib_are_mapped_one_to_one() {
        let memory = allocate(64 << 20).unwrap();
        write_tables(&memory, Entry::Linux64 { rip: 0 }).unwrap();
        let last = layout::PAGE_TABLES + 0x2000 + 3 * 0x1000 + 511 * 8;
        let entry: u64 = memory.read_obj(GuestAddress(last)).unwrap();
        assert_eq!(entry & !0xfff, (4 << 30) - (2 << 20));
    }
}
