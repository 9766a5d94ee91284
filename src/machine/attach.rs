//! Gives every device its address, its interrupt and its place in the event loop.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use devices::bus::{Bus, BusDevice, Slot};
use devices::cmos::Cmos;
use devices::event_register::{EventLine, event_register};
use devices::power::{GuestEvent, I8042, Listener, PowerRegisters, PvPanic};
use devices::serial::Serial;
use devices::virtio::interrupt::USED_BUFFER;
use devices::virtio::{Interrupt, MmioTransport, RegisterPage, VirtioDevice, VirtioEventSource};
use event_manager::MutEventSubscriber;
use virtio_bindings::virtio_mmio::{VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_QUEUE_NOTIFY};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::error::BuildError;
use super::exit_handler::Buses;
use super::plan;
use super::signs::Signs;
use super::stop::Stop;
use crate::arch::x86_64::acpi;
use crate::hypervisor::Vm;
use crate::memory::Memory;
use crate::memory::layout::{self, Range};

/// A device, or anything else, that waits for events.
pub type Source = Box<dyn MutEventSubscriber + Send>;

/// The machine's devices, as they are put in their places.
pub struct Board<'a> {
    vm: &'a Vm,
    memory: &'a Memory,
    registers: Memory,
    signs: &'a Signs,
    port: Vec<Slot>,
    mmio: Vec<Slot>,
    sources: Vec<Source>,
    broken: Vec<BrokenFlag>,
}

/// A virtio device's name, and whether its driver has left it broken.
pub type BrokenFlag = (String, Arc<AtomicBool>);

/// All devices in their places.
pub struct Attached {
    /// Where vCPUs reach them.
    pub buses: Buses,
    /// What joins them to the event loop.
    pub sources: Vec<Source>,
    /// Which of them their drivers have broken.
    pub broken: Vec<BrokenFlag>,
}

impl<'a> Board<'a> {
    /// A board without devices for `vm` with its `memory`; `registers` are pages that the
    /// guest reads, at the places of the virtio devices.
    pub fn new(vm: &'a Vm, memory: &'a Memory, registers: Memory, signs: &'a Signs) -> Self {
        Self {
            vm,
            memory,
            registers,
            signs,
            port: Vec::new(),
            mmio: Vec::new(),
            sources: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Attaches what every machine has: power registers, pvpanic, i8042 and the clock.
    pub fn attach_chipset(&mut self) {
        let power = PowerRegisters {
            sleep_type_off: acpi::SLEEP_TYPE_OFF,
            reset_value: acpi::RESET_VALUE,
            listener: self.listener(),
        };
        let panic = PvPanic {
            listener: self.listener(),
        };
        let keyboard = I8042::new(self.listener());
        self.at_ports("power", layout::POWER, power);
        self.at_ports("pvpanic", layout::PVPANIC, panic);
        self.at_ports("i8042", layout::I8042, keyboard);
        self.at_ports("cmos", layout::CMOS, Cmos::default());
    }

    /// Attaches the power button; what is returned presses it.
    ///
    /// # Errors
    /// The host has no file descriptor left, or KVM refuses the interrupt.
    pub fn attach_power_button(&mut self) -> Result<PowerButton, BuildError> {
        let interrupt = self.interrupt(layout::EVENTS_GSI)?;
        let (register, line) = event_register(interrupt);
        self.at_ports("events", layout::EVENTS, register);
        Ok(PowerButton(line))
    }

    /// Attaches a COM1 that prints to `out`.
    ///
    /// # Errors
    /// The host has no file descriptor left, or KVM refuses the interrupt.
    pub fn attach_serial(
        &mut self,
        out: Box<dyn std::io::Write + Send>,
    ) -> Result<Arc<Mutex<Serial>>, BuildError> {
        let interrupt = self.interrupt(layout::COM1_GSI)?;
        let serial = Arc::new(Mutex::new(Serial::new(out, interrupt)));
        self.port.push(slot("serial", layout::COM1, serial.clone()));
        Ok(serial)
    }

    /// Attaches `device` where the plan has a place for it.
    ///
    /// # Errors
    /// The host has no file descriptor left, or KVM refuses an interrupt or a doorbell.
    pub fn attach_virtio(
        &mut self,
        place: &plan::Slot,
        device: Box<dyn VirtioDevice>,
    ) -> Result<(), BuildError> {
        let page = RegisterPage::new(self.registers.clone(), place.base);
        let interrupt = Interrupt::new(self.interrupt(place.gsi)?, page);
        let mut transport = MmioTransport::new(device, self.memory.clone(), Arc::new(interrupt));
        let booted = self.signs.booted.clone();
        transport.on_activation(Box::new(move || booted.set()));
        self.broken.push((place.name.clone(), transport.broken()));
        let transport = Arc::new(Mutex::new(transport));
        let source = VirtioEventSource::new(transport.clone()).map_err(BuildError::Host)?;
        for (queue, doorbell) in (0..).zip(source.doorbells()) {
            let address = place.base + u64::from(VIRTIO_MMIO_QUEUE_NOTIFY);
            self.vm.wire_doorbell(doorbell, address, queue)?;
        }
        self.swallow_acknowledgements(place.base)?;
        let registers = Range {
            base: place.base,
            size: layout::VIRTIO_MMIO_SLOT,
        };
        self.mmio.push(slot(&place.name, registers, transport));
        self.add_source(source);
        Ok(())
    }

    /// Ends the usual acknowledgement of an interrupt inside of KVM: a write of USED_BUFFER
    /// signals an eventfd that nobody waits for, instead of leaving the guest.
    ///
    /// The bit stays set, so the next interrupt finds it as it should be (decision 0008).
    fn swallow_acknowledgements(&self, base: u64) -> Result<(), BuildError> {
        // KVM keeps the event alive for as long as it is wired.
        let event = EventFd::new(EFD_NONBLOCK).map_err(BuildError::Host)?;
        let address = base + u64::from(VIRTIO_MMIO_INTERRUPT_ACK);
        Ok(self.vm.wire_doorbell(&event, address, USED_BUFFER)?)
    }

    /// Adds a source of events that has no place on a bus.
    pub fn add_source(&mut self, source: impl MutEventSubscriber + Send + 'static) {
        self.sources.push(Box::new(source));
    }

    /// All devices, with the buses that lead to them.
    pub fn finish(self) -> Attached {
        let bus = |slots| Bus::new(slots).expect("the layout's ranges are disjoint");
        Attached {
            buses: Buses {
                port: bus(self.port),
                mmio: bus(self.mmio),
            },
            sources: self.sources,
            broken: self.broken,
        }
    }

    fn at_ports(&mut self, name: &str, range: Range, device: impl BusDevice + 'static) {
        self.port
            .push(slot(name, range, Arc::new(Mutex::new(device))));
    }

    fn interrupt(&self, gsi: u32) -> Result<EventFd, BuildError> {
        let event = EventFd::new(EFD_NONBLOCK).map_err(BuildError::Host)?;
        self.vm.wire_interrupt(&event, gsi)?;
        Ok(event)
    }

    /// Turns what the guest says by a register into a reason to stop.
    fn listener(&self) -> Listener {
        let signs = self.signs.clone();
        Box::new(move |event| signs.stop.stop(reason(event, signs.panic.get())))
    }
}

/// A reset after a panic was shown is the end of that panic (`panic=-1`).
fn reason(event: GuestEvent, panic: Option<String>) -> Stop {
    match (event, panic) {
        (GuestEvent::PowerOff, _) => Stop::PowerOff,
        (GuestEvent::Reset, None) => Stop::Reboot,
        (GuestEvent::Reset | GuestEvent::Panicked, message) => Stop::Panic(message),
    }
}

fn slot(name: &str, range: Range, device: devices::bus::SharedDevice) -> Slot {
    Slot::new(name, range.base, range.size, device)
}

/// The power button of the machine.
pub struct PowerButton(EventLine);

impl PowerButton {
    /// Presses it, which asks the guest to power off.
    pub fn press(&self) {
        self.0.raise(acpi::POWER_BUTTON_EVENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_after_a_panic_is_told_as_the_panic() {
        let message = || Some("no root".to_owned());
        assert_eq!(reason(GuestEvent::Reset, None), Stop::Reboot);
        assert_eq!(reason(GuestEvent::Reset, message()), Stop::Panic(message()));
        assert_eq!(reason(GuestEvent::PowerOff, message()), Stop::PowerOff);
    }
}
