//! The state of a vCPU at the kernel's entry, for both boot protocols.

use kvm_bindings::{kvm_lapic_state, kvm_regs, kvm_segment, kvm_sregs};
use vm_memory::GuestMemoryError;

use super::paging;
use super::segment::{self, Ring, Width};
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

/// Writes what the entry state refers to: the GDT, and page tables for 64-bit mode.
///
/// # Errors
/// Guest memory ends below the tables.
pub fn write_tables(memory: &Memory, entry: Entry) -> Result<(), GuestMemoryError> {
    segment::write_table(memory, &segments(entry))?;
    match entry {
        Entry::Linux64 { .. } => paging::identity_map(memory, Ring::Kernel),
        Entry::Pvh { .. } => Ok(()),
    }
}

/// The code and data segments that the boot protocols want.
fn segments(entry: Entry) -> [kvm_segment; 2] {
    let width = match entry {
        Entry::Linux64 { .. } => Width::Bits64,
        Entry::Pvh { .. } => Width::Bits32,
    };
    [
        segment::code(Ring::Kernel, width),
        segment::data(Ring::Kernel),
    ]
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
    load_segments(special, segments(entry));
    special.tr = segment::task(0);
    special.gdt.limit = special.ds.selector + 7;
    special.idt.limit = 0;
    special.cr0 = CR0_PE | CR0_ET;
    if matches!(entry, Entry::Linux64 { .. }) {
        enable_long_mode(special);
    }
}

/// Loads the segment registers, and points to the GDT.
pub fn load_segments(special: &mut kvm_sregs, [code, data]: [kvm_segment; 2]) {
    special.cs = code;
    special.ds = data;
    special.es = data;
    special.fs = data;
    special.gs = data;
    special.ss = data;
    special.gdt.base = layout::BOOT_GDT;
}

/// Turns on paging by the boot page tables, and long mode with it.
pub fn enable_long_mode(special: &mut kvm_sregs) {
    special.cr0 |= CR0_PE | CR0_PG;
    special.cr3 = layout::PAGE_TABLES;
    special.cr4 |= CR4_PAE;
    special.efer |= EFER_LME | EFER_LMA;
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
