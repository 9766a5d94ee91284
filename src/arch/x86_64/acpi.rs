//! The ACPI tables: what stock kernels find every device and the power switch by.
//!
//! Hardware-reduced ACPI (ACPI 6.5, 4.1): no legacy timer, PIC or SCI for the kernel to
//! probe. Sleep, reset and the power button are registers of our own.

use acpi_tables::aml::{
    And, Arg, Device, EISAName, Field, FieldAccessType, FieldEntry, FieldLockRule, FieldUpdateRule,
    IO, If, Interrupt, Memory32Fixed, Method, Name, Notify, OpRegion, OpRegionSpace, Package, Path,
    ResourceTemplate, Scope,
};
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use acpi_tables::xsdt::XSDT;
use acpi_tables::{Aml, AmlSink};
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use crate::memory::{Memory, layout};

const OEM_ID: [u8; 6] = *b"VMM   ";
const TABLE_ID: [u8; 8] = *b"VMMACPI ";
const REVISION: u32 = 1;

/// The value of the sleep type field that means power off, in `_S5` and in our register.
pub const SLEEP_TYPE_OFF: u8 = 5;
/// The value that the reset register wants.
pub const RESET_VALUE: u8 = 1;
/// The event register's bit for the power button.
pub const POWER_BUTTON_EVENT: u8 = 1;

/// A virtio-mmio device as the tables describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioMmio {
    /// Its register page.
    pub base: u32,
    /// Its interrupt.
    pub gsi: u32,
}

/// The hardware that the tables tell of.
pub struct Hardware {
    /// How many vCPUs, with APIC IDs in order.
    pub vcpus: u8,
    /// The virtio devices in their order on the bus.
    pub virtio: Vec<VirtioMmio>,
    /// Whether there is a COM1.
    pub serial: bool,
}

/// Writes the tables and returns the address of the RSDP.
///
/// # Errors
/// The tables are larger than their place, or guest memory ends below it.
pub fn write(memory: &Memory, hardware: &Hardware) -> Result<GuestAddress, GuestMemoryError> {
    let rsdp = layout::ACPI_TABLES.base;
    let mut writer = TableWriter {
        memory,
        // The RSDP comes first, where a kernel looks for it, but is known last.
        next: rsdp + 64,
    };
    let dsdt = writer.append(&dsdt(hardware))?;
    let fadt = writer.append(&bytes(&fadt(dsdt)))?;
    let madt = writer.append(&bytes(&madt(hardware.vcpus)))?;
    let mut xsdt = XSDT::new(OEM_ID, TABLE_ID, REVISION);
    xsdt.add_entry(fadt);
    xsdt.add_entry(madt);
    let xsdt = writer.append(&bytes(&xsdt))?;
    memory.write_slice(&bytes(&Rsdp::new(OEM_ID, xsdt)), GuestAddress(rsdp))?;
    Ok(GuestAddress(rsdp))
}

struct TableWriter<'m> {
    memory: &'m Memory,
    next: u64,
}

impl TableWriter<'_> {
    fn append(&mut self, table: &[u8]) -> Result<u64, GuestMemoryError> {
        let place = self.next;
        let end = place + table.len() as u64;
        if end > layout::ACPI_TABLES.end() {
            return Err(GuestMemoryError::InvalidGuestAddress(GuestAddress(end)));
        }
        self.memory.write_slice(table, GuestAddress(place))?;
        self.next = end.next_multiple_of(16);
        Ok(place)
    }
}

fn bytes(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    bytes
}

fn fadt(dsdt: u64) -> impl Aml {
    const NO_VGA: u16 = 1 << 2;
    const NO_CMOS_CLOCK: u16 = 1 << 5;
    let mut fadt = FADTBuilder::new(OEM_ID, TABLE_ID, REVISION)
        .dsdt_64(dsdt)
        .flag(Flags::HwReducedAcpi)
        .flag(Flags::ResetRegSup)
        .flag(Flags::PwrButton)
        .flag(Flags::SlpButton)
        .flag(Flags::Headless);
    fadt.iapc_boot_arch = (NO_VGA | NO_CMOS_CLOCK).into();
    fadt.sleep_control_reg = power_register(0);
    fadt.sleep_status_reg = power_register(1);
    fadt.reset_reg = power_register(2);
    fadt.reset_value = RESET_VALUE;
    fadt.finalize()
}

fn power_register(index: u64) -> GAS {
    let port = layout::POWER.base + index;
    GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, port)
}

fn madt(vcpus: u8) -> impl Aml {
    let local_apic = LocalInterruptController::Address(layout::LOCAL_APIC);
    let mut madt = MADT::new(OEM_ID, TABLE_ID, REVISION, local_apic);
    for id in 0..vcpus {
        madt.add_structure(ProcessorLocalApic::new(id, id, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(0, layout::IO_APIC, 0));
    madt
}

fn dsdt(hardware: &Hardware) -> Vec<u8> {
    let mut dsdt = Sdt::new(*b"DSDT", 36, 6, OEM_ID, TABLE_ID, REVISION);
    dsdt.append_slice(&devices(hardware));
    dsdt.append_slice(&sleep_states());
    dsdt.as_slice().to_vec()
}

fn devices(hardware: &Hardware) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, device) in hardware.virtio.iter().enumerate() {
        virtio_device(index, *device, &mut body);
    }
    if hardware.serial {
        serial_port(&mut body);
    }
    panic_notifier(&mut body);
    power_button(&mut body);
    event_device(&mut body);
    Scope::raw(Path::new("\\_SB_"), body)
}

/// `LNRO0005` is the hardware ID that virtio-mmio drivers match.
fn virtio_device(index: usize, device: VirtioMmio, sink: &mut dyn AmlSink) {
    let size = u32::try_from(layout::VIRTIO_MMIO_SLOT).unwrap_or(0);
    Device::new(
        Path::new(&format!("V{index:03}")),
        vec![
            &Name::new(Path::new("_HID"), &"LNRO0005"),
            &Name::new(Path::new("_UID"), &index),
            &Name::new(
                Path::new("_CRS"),
                &ResourceTemplate::new(vec![
                    &Memory32Fixed::new(true, device.base, size),
                    &Interrupt::new(true, true, false, false, device.gsi),
                ]),
            ),
        ],
    )
    .to_aml_bytes(sink);
}

fn serial_port(sink: &mut dyn AmlSink) {
    Device::new(
        Path::new("COM1"),
        vec![
            &Name::new(Path::new("_HID"), &EISAName::new("PNP0501")),
            &Name::new(Path::new("_UID"), &0u8),
            &Name::new(
                Path::new("_CRS"),
                &ResourceTemplate::new(vec![
                    &ports(layout::COM1),
                    &Interrupt::new(true, true, false, false, layout::COM1_GSI),
                ]),
            ),
        ],
    )
    .to_aml_bytes(sink);
}

/// `QEMU0001` is the hardware ID that the pvpanic driver matches.
fn panic_notifier(sink: &mut dyn AmlSink) {
    Device::new(
        Path::new("PEVT"),
        vec![
            &Name::new(Path::new("_HID"), &"QEMU0001"),
            &Name::new(
                Path::new("_CRS"),
                &ResourceTemplate::new(vec![&ports(layout::PVPANIC)]),
            ),
        ],
    )
    .to_aml_bytes(sink);
}

fn power_button(sink: &mut dyn AmlSink) {
    Device::new(
        Path::new("PWRB"),
        vec![
            &Name::new(Path::new("_HID"), &EISAName::new("PNP0C0C")),
            &Name::new(Path::new("_UID"), &0u8),
        ],
    )
    .to_aml_bytes(sink);
}

/// The Generic Event Device (ACPI 6.5, 5.6.9): its interrupt makes the kernel read our
/// event register and press the button that a bit there stands for.
fn event_device(sink: &mut dyn AmlSink) {
    let register = u16::try_from(layout::EVENTS.base).unwrap_or(0);
    Device::new(
        Path::new("GED_"),
        vec![
            &Name::new(Path::new("_HID"), &"ACPI0013"),
            &Name::new(Path::new("_UID"), &0u8),
            &Name::new(
                Path::new("_CRS"),
                &ResourceTemplate::new(vec![&Interrupt::new(
                    true,
                    true,
                    false,
                    false,
                    layout::EVENTS_GSI,
                )]),
            ),
            &OpRegion::new(Path::new("EVNT"), OpRegionSpace::SystemIO, &register, &1u8),
            &Field::new(
                Path::new("EVNT"),
                FieldAccessType::Byte,
                FieldLockRule::NoLock,
                FieldUpdateRule::WriteAsZeroes,
                vec![FieldEntry::Named(*b"EREG", 8)],
            ),
            &Method::new(
                Path::new("_EVT"),
                1,
                true,
                vec![&If::new(
                    &And::new(&Arg(1), &Path::new("EREG"), &POWER_BUTTON_EVENT),
                    vec![&Notify::new(&Path::new("PWRB"), &0x80u8)],
                )],
            ),
        ],
    )
    .to_aml_bytes(sink);
}

/// `_S5`: what to write to the sleep control register to power off.
fn sleep_states() -> Vec<u8> {
    let off = Package::new(vec![&SLEEP_TYPE_OFF, &SLEEP_TYPE_OFF]);
    bytes(&Name::new(Path::new("\\_S5_"), &off))
}

fn ports(range: layout::Range) -> IO {
    let base = u16::try_from(range.base).unwrap_or(0);
    IO::new(base, base, 1, u8::try_from(range.size).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::allocate;

    fn hardware(devices: u32) -> Hardware {
        let virtio = |n| VirtioMmio {
            base: 0xd000_0000 + n * 0x1000,
            gsi: 5 + n,
        };
        Hardware {
            vcpus: 32,
            virtio: (0..devices).map(virtio).collect(),
            serial: true,
        }
    }

    #[test]
    fn the_rsdp_is_where_a_kernel_looks() {
        let memory = allocate(64 << 20).unwrap();
        let rsdp = write(&memory, &hardware(3)).unwrap();
        let signature: [u8; 8] = memory.read_obj(rsdp).unwrap();
        assert_eq!(&signature, b"RSD PTR ");
    }

    #[test]
    fn the_largest_machine_fits_the_tables_place() {
        let memory = allocate(64 << 20).unwrap();
        assert!(write(&memory, &hardware(32)).is_ok());
    }

    #[test]
    fn the_dsdt_adds_up_to_zero() {
        let sum = dsdt(&hardware(2))
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!(sum, 0);
    }
}
