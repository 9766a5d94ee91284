//! What the processor looks up on behalf of a bare guest: segments, pages, handlers.

use kvm_bindings::{kvm_dtable, kvm_segment};
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::{Ring, port};
use crate::arch::x86_64::paging;
use crate::arch::x86_64::segment::{self, Width};
use crate::memory::{Memory, layout};

/// The exceptions of the architecture.
const VECTORS: u8 = 32;
/// The room for one handler.
const HANDLER: u64 = 16;

/// The code and the data segment of `ring`.
pub fn segments(ring: Ring) -> [kvm_segment; 2] {
    [segment::code(ring, Width::Bits64), segment::data(ring)]
}

/// Writes all tables; returns the limit of the GDT.
pub fn write(memory: &Memory) -> Result<u16, GuestMemoryError> {
    // Ring 0 may use what is open to ring 3, as long as SMEP and SMAP are off.
    paging::identity_map(memory, Ring::User)?;
    write_task(memory)?;
    (0..VECTORS).try_for_each(|vector| write_handler(memory, vector))?;
    let [kernel, user] = [segments(Ring::Kernel), segments(Ring::User)];
    let task = segment::task(layout::BARE_TASK);
    segment::write_table(memory, &[&kernel[..], &user[..], &[task]].concat())
}

/// The interrupt descriptor table.
pub fn idt() -> kvm_dtable {
    kvm_dtable {
        base: layout::BARE_IDT,
        limit: u16::from(VECTORS) * 16 - 1,
        ..Default::default()
    }
}

/// The stack that an exception in ring 3 is handled on, and no port permissions
/// (Intel SDM, volume 3, 8.7).
fn write_task(memory: &Memory) -> Result<(), GuestMemoryError> {
    const RSP0: u64 = 4;
    const IO_MAP_BASE: u64 = 0x66;
    const BEYOND_THE_SEGMENT: u16 = 0x68;
    let place = |offset| GuestAddress(layout::BARE_TASK + offset);
    memory.write_obj(layout::BARE_STACK, place(RSP0))?;
    memory.write_obj(BEYOND_THE_SEGMENT, place(IO_MAP_BASE))
}

/// A handler that tells `vector`, and the gate that leads to it.
fn write_handler(memory: &Memory, vector: u8) -> Result<(), GuestMemoryError> {
    let place = layout::BARE_HANDLERS + u64::from(vector) * HANDLER;
    let [port, _] = port::FAULT.to_le_bytes();
    // mov al, vector; out port, al; hlt
    memory.write_slice(&[0xb0, vector, 0xe6, port, 0xf4], GuestAddress(place))?;
    let gate = GuestAddress(layout::BARE_IDT + u64::from(vector) * 16);
    memory.write_obj(interrupt_gate(place), gate)
}

/// An interrupt gate that ring 3 may use by `int` too (Intel SDM, volume 3, 6.14.1). The
/// handlers lie in the first 64 KiB, so the upper parts of the address are zero.
fn interrupt_gate(handler: u64) -> u64 {
    const PRESENT_USER_INTERRUPT: u64 = 0xee << 40;
    let code = u64::from(segment::code(Ring::Kernel, Width::Bits64).selector);
    (handler & 0xffff) | code << 16 | PRESENT_USER_INTERRUPT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    #[test]
    fn every_exception_has_a_handler_that_tells_its_vector() {
        let memory = allocate(1 << 20).unwrap();
        write(&memory).unwrap();
        let last = GuestAddress(layout::BARE_IDT + 31 * 16);
        let gate: u64 = memory.read_obj(last).unwrap();
        let handler: [u8; 2] = memory.read_obj(GuestAddress(gate & 0xffff)).unwrap();
        assert_eq!((gate >> 16 & 0xffff, handler), (0x10, [0xb0, 31]));
    }

    #[test]
    fn the_table_of_segments_ends_with_the_task() {
        let memory = allocate(1 << 20).unwrap();
        assert_eq!(write(&memory).unwrap(), 0x3f);
    }
}
