//! The MP table, for kernels without ACPI (Intel MultiProcessor Specification 1.4).

use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use crate::memory::{Memory, layout};

const FLOATING_POINTER_SIZE: u64 = 16;
const BOOTSTRAP_AND_ENABLED: u8 = 0b11;
const ENABLED: u8 = 0b01;
const LOCAL_APIC_VERSION: u8 = 0x14;
const IO_APIC_VERSION: u8 = 0x11;
const ISA_BUS: u8 = 0;
const EVERY_LOCAL_APIC: u8 = 0xff;

/// How an interrupt entry is delivered.
#[derive(Clone, Copy)]
enum Delivery {
    Vectored = 0,
    Nmi = 1,
    ExternalPic = 3,
}

/// The number of vCPUs that the table has room for.
pub const MAX_VCPUS: u8 = 32;

/// Writes the floating pointer and the table for `vcpus` processors.
///
/// # Errors
/// Guest memory ends below the table.
pub fn write(memory: &Memory, vcpus: u8) -> Result<(), GuestMemoryError> {
    let place = layout::MP_TABLE.base;
    memory.write_slice(&floating_pointer(), GuestAddress(place))?;
    memory.write_slice(
        &table(vcpus.min(MAX_VCPUS)),
        GuestAddress(place + FLOATING_POINTER_SIZE),
    )
}

fn floating_pointer() -> Vec<u8> {
    let table = layout::MP_TABLE.base + FLOATING_POINTER_SIZE;
    let mut bytes = b"_MP_".to_vec();
    bytes.extend(u32::try_from(table).unwrap_or(0).to_le_bytes());
    // One paragraph long, version 1.4, checksum, a table rather than a default configuration.
    bytes.extend([1, 4, 0, 0, 0, 0, 0, 0]);
    with_checksum(bytes, 10)
}

fn table(vcpus: u8) -> Vec<u8> {
    let io_apic = vcpus;
    let entries: Vec<Vec<u8>> = (0..vcpus)
        .map(processor)
        .chain([isa_bus(), io_apic_entry(io_apic)])
        .chain((0..16).map(|irq| io_interrupt(irq, io_apic)))
        .chain([
            local_interrupt(Delivery::ExternalPic, 0, 0),
            local_interrupt(Delivery::Nmi, EVERY_LOCAL_APIC, 1),
        ])
        .collect();
    let count = u16::try_from(entries.len()).unwrap_or(0);
    let body = entries.concat();
    let mut bytes = header(u16::try_from(body.len()).unwrap_or(0), count);
    bytes.extend(body);
    with_checksum(bytes, 7)
}

fn header(body: u16, entries: u16) -> Vec<u8> {
    const SIZE: u16 = 44;
    let mut bytes = b"PCMP".to_vec();
    bytes.extend((SIZE + body).to_le_bytes());
    bytes.extend([4, 0]);
    bytes.extend(b"VMM     ");
    bytes.extend(b"VMM         ");
    bytes.extend([0; 6]);
    bytes.extend(entries.to_le_bytes());
    bytes.extend(layout::LOCAL_APIC.to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn processor(id: u8) -> Vec<u8> {
    let flags = if id == 0 {
        BOOTSTRAP_AND_ENABLED
    } else {
        ENABLED
    };
    let mut bytes = vec![0, id, LOCAL_APIC_VERSION, flags];
    // A signature and features that any kernel accepts; it asks cpuid for the real ones.
    bytes.extend(0x600u32.to_le_bytes());
    bytes.extend(0x201u32.to_le_bytes());
    bytes.extend([0; 8]);
    bytes
}

fn isa_bus() -> Vec<u8> {
    [&[1, ISA_BUS][..], b"ISA   "].concat()
}

fn io_apic_entry(id: u8) -> Vec<u8> {
    [
        &[2, id, IO_APIC_VERSION, 1][..],
        &layout::IO_APIC.to_le_bytes(),
    ]
    .concat()
}

fn io_interrupt(irq: u8, io_apic: u8) -> Vec<u8> {
    vec![
        3,
        Delivery::Vectored as u8,
        0,
        0,
        ISA_BUS,
        irq,
        io_apic,
        irq,
    ]
}

fn local_interrupt(delivery: Delivery, apic: u8, line: u8) -> Vec<u8> {
    vec![4, delivery as u8, 0, 0, ISA_BUS, 0, apic, line]
}

/// Sets the byte at `index` so that all bytes add up to zero.
fn with_checksum(mut bytes: Vec<u8>, index: usize) -> Vec<u8> {
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(checksum) = bytes.get_mut(index) {
        *checksum = sum.wrapping_neg();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    #[test]
    fn both_parts_add_up_to_zero() {
        assert_eq!((sum(&floating_pointer()), sum(&table(4))), (0, 0));
    }

    #[test]
    fn the_longest_table_fits_its_place() {
        let size = FLOATING_POINTER_SIZE + table(MAX_VCPUS).len() as u64;
        assert!(size <= layout::MP_TABLE.size, "{size}");
    }

    #[test]
    fn the_header_tells_the_table_s_length() {
        let bytes = table(2);
        assert_eq!(
            usize::from(u16::from_le_bytes([bytes[4], bytes[5]])),
            bytes.len()
        );
    }
}
