//! Registers by which a guest ends its machine: ACPI sleep and reset, and pvpanic.

use crate::bus::BusDevice;

/// What a guest tells the outside by one of these registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestEvent {
    /// It powers off.
    PowerOff,
    /// It resets the machine.
    Reset,
    /// Its kernel has panicked.
    Panicked,
}

/// Who hears of it; called on the vCPU's thread.
pub type Listener = Box<dyn Fn(GuestEvent) + Send>;

/// ACPI's sleep control, sleep status and reset registers, one byte each, in this order
/// (ACPI 6.5, 4.8.3.6 and 4.8.3.7).
pub struct PowerRegisters {
    /// The sleep type that means power off.
    pub sleep_type_off: u8,
    /// The value that resets.
    pub reset_value: u8,
    /// Who hears of it.
    pub listener: Listener,
}

const SLEEP_CONTROL: u64 = 0;
const RESET: u64 = 2;
const SLEEP_ENABLE: u8 = 1 << 5;
const SLEEP_TYPE_SHIFT: u32 = 2;

impl BusDevice for PowerRegisters {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        // Status: nothing has woken the machine.
        data.fill(0);
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        match (offset, data) {
            (SLEEP_CONTROL, [value, ..]) if self.is_power_off(*value) => {
                (self.listener)(GuestEvent::PowerOff);
            }
            (RESET, [value, ..]) if *value == self.reset_value => {
                (self.listener)(GuestEvent::Reset);
            }
            _ => {}
        }
    }

    fn register_name(&self, offset: u64) -> &'static str {
        match offset {
            SLEEP_CONTROL => "sleep control",
            RESET => "reset",
            _ => "sleep status",
        }
    }
}

impl PowerRegisters {
    fn is_power_off(&self, value: u8) -> bool {
        let sleep_type = (value >> SLEEP_TYPE_SHIFT) & 0b111;
        value & SLEEP_ENABLE != 0 && sleep_type == self.sleep_type_off
    }
}

/// The pvpanic port, as QEMU has it (docs/specs/pvpanic).
pub struct PvPanic {
    /// Who hears of it.
    pub listener: Listener,
}

const PANICKED: u8 = 1;

impl BusDevice for PvPanic {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        // The events that are understood.
        data.fill(PANICKED);
    }

    fn write(&mut self, _offset: u64, data: &[u8]) {
        if data.first().is_some_and(|value| value & PANICKED != 0) {
            (self.listener)(GuestEvent::Panicked);
        }
    }

    fn register_name(&self, _offset: u64) -> &'static str {
        "event"
    }
}

/// The old keyboard controller, of which only the reset line is there.
pub struct I8042 {
    controller: vm_superio::I8042Device<ResetLine>,
}

struct ResetLine(Listener);

impl vm_superio::Trigger for ResetLine {
    type E = std::convert::Infallible;

    fn trigger(&self) -> Result<(), Self::E> {
        (self.0)(GuestEvent::Reset);
        Ok(())
    }
}

impl I8042 {
    /// A controller whose reset line `listener` hears.
    pub fn new(listener: Listener) -> Self {
        let controller = vm_superio::I8042Device::new(ResetLine(listener));
        Self { controller }
    }
}

impl BusDevice for I8042 {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        if let ([byte], Ok(offset)) = (data, u8::try_from(offset)) {
            *byte = self.controller.read(offset);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        if let ([byte], Ok(offset)) = (data, u8::try_from(offset)) {
            let Ok(()) = self.controller.write(offset, *byte);
        }
    }

    fn register_name(&self, offset: u64) -> &'static str {
        match offset {
            0 => "data",
            4 => "command",
            _ => "reserved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn listener() -> (Listener, Receiver<GuestEvent>) {
        let (sender, receiver) = channel();
        (Box::new(move |event| sender.send(event).unwrap()), receiver)
    }

    fn power() -> (PowerRegisters, Receiver<GuestEvent>) {
        let (listener, heard) = listener();
        let registers = PowerRegisters {
            sleep_type_off: 5,
            reset_value: 1,
            listener,
        };
        (registers, heard)
    }

    #[test]
    fn sleep_type_five_with_the_enable_bit_powers_off() {
        let (mut registers, heard) = power();
        registers.write(0, &[5 << 2]);
        registers.write(0, &[SLEEP_ENABLE]);
        registers.write(0, &[5 << 2 | SLEEP_ENABLE]);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [GuestEvent::PowerOff]);
    }

    #[test]
    fn only_the_reset_value_resets() {
        let (mut registers, heard) = power();
        registers.write(2, &[2]);
        registers.write(2, &[1]);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [GuestEvent::Reset]);
    }

    #[test]
    fn a_panic_is_heard() {
        let (listener, heard) = listener();
        let mut device = PvPanic { listener };
        let mut events = [0];
        device.read(0, &mut events);
        device.write(0, &events);
        assert_eq!(heard.try_recv(), Ok(GuestEvent::Panicked));
    }

    #[test]
    fn the_keyboard_controller_resets() {
        let (listener, heard) = listener();
        I8042::new(listener).write(4, &[0xfe]);
        assert_eq!(heard.try_recv(), Ok(GuestEvent::Reset));
    }
}
