//! Segments: as KVM wants them in registers, and as the GDT has them in memory.

use kvm_bindings::kvm_segment;
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use crate::memory::{Memory, layout};

/// `__BOOT_CS` of the Linux boot protocol: the kernel's code.
const KERNEL_CODE: u16 = 0x10;
/// `__BOOT_DS` of the Linux boot protocol: the kernel's data.
const KERNEL_DATA: u16 = 0x18;
/// A program's data; `sysret` wants it before the code (Intel SDM, `SYSRET`).
const USER_DATA: u16 = 0x20 | 3;
/// A program's code.
const USER_CODE: u16 = 0x28 | 3;
/// A task state segment, which takes two entries.
const TASK: u16 = 0x30;

/// The width that code runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Protected mode.
    Bits32,
    /// Long mode.
    Bits64,
}

/// A privilege level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Ring 0.
    Kernel,
    /// Ring 3.
    User,
}

/// The code segment of `ring`.
pub fn code(ring: Ring, width: Width) -> kvm_segment {
    let long = width == Width::Bits64;
    kvm_segment {
        type_: 0xb,
        l: long.into(),
        db: (!long).into(),
        ..flat(ring, KERNEL_CODE, USER_CODE)
    }
}

/// The data and stack segment of `ring`.
pub fn data(ring: Ring) -> kvm_segment {
    kvm_segment {
        type_: 0x3,
        db: 1,
        ..flat(ring, KERNEL_DATA, USER_DATA)
    }
}

fn flat(ring: Ring, kernel: u16, user: u16) -> kvm_segment {
    let (selector, dpl) = match ring {
        Ring::Kernel => (kernel, 0),
        Ring::User => (user, 3),
    };
    kvm_segment {
        selector,
        dpl,
        limit: 0xffff_ffff,
        present: 1,
        s: 1,
        g: 1,
        ..Default::default()
    }
}

/// A busy TSS at `base`: hardware refuses to enter a guest without one.
pub fn task(base: u64) -> kvm_segment {
    kvm_segment {
        base,
        selector: TASK,
        limit: 0x67,
        present: 1,
        type_: 0xb,
        ..Default::default()
    }
}

/// Writes each of `segments` to where its selector points, and returns the table's limit.
///
/// # Errors
/// Guest memory ends below the table.
pub fn write_table(memory: &Memory, segments: &[kvm_segment]) -> Result<u16, GuestMemoryError> {
    let mut limit = 0;
    for segment in segments {
        let offset = segment.selector & !7;
        let place = GuestAddress(layout::BOOT_GDT + u64::from(offset));
        memory.write_obj(descriptor(segment), place)?;
        limit = limit.max(offset + 7);
        if segment.s == 0 {
            // The upper half of a base in a second entry (Intel SDM, volume 3, 7.2.3).
            memory.write_obj(segment.base >> 32, GuestAddress(place.0 + 8))?;
            limit = limit.max(offset + 15);
        }
    }
    Ok(limit)
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
    let base = (segment.base & 0xff_ffff) << 16 | (segment.base >> 24 & 0xff) << 56;
    (limit & 0xffff) | (limit >> 16 & 0xf) << 48 | flags << 40 | base
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    #[test]
    fn descriptors_have_the_values_of_the_boot_protocol() {
        let kernel = |width| descriptor(&code(Ring::Kernel, width));
        assert_eq!(kernel(Width::Bits64), 0x00af_9b00_0000_ffff);
        assert_eq!(kernel(Width::Bits32), 0x00cf_9b00_0000_ffff);
        assert_eq!(descriptor(&data(Ring::Kernel)), 0x00cf_9300_0000_ffff);
    }

    #[test]
    fn a_programs_segments_are_open_to_ring_3() {
        let code = code(Ring::User, Width::Bits64);
        assert_eq!(descriptor(&code), 0x00af_fb00_0000_ffff);
    }

    #[test]
    fn a_task_segment_takes_two_entries() {
        let memory = allocate(1 << 20).unwrap();
        let limit = write_table(&memory, &[task(0x1_1234_5678)]).unwrap();
        let place = layout::BOOT_GDT + u64::from(TASK);
        let entries: [u64; 2] = memory.read_obj(GuestAddress(place)).unwrap();
        assert_eq!((limit, entries), (0x3f, [0x1200_8b34_5678_0067, 1]));
    }
}
