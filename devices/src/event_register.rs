//! The register behind ACPI's Generic Event Device: why its interrupt was raised.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use vmm_sys_util::eventfd::EventFd;

use crate::bus::BusDevice;

/// One byte of pending events; reading it clears it.
pub struct EventRegister {
    pending: Arc<AtomicU8>,
}

/// The host's side of an [`EventRegister`]: raises its events.
pub struct EventLine {
    pending: Arc<AtomicU8>,
    interrupt: EventFd,
}

/// Makes a register, and the line that raises `interrupt` with events for it.
pub fn event_register(interrupt: EventFd) -> (EventRegister, EventLine) {
    let pending = Arc::<AtomicU8>::default();
    let register = EventRegister {
        pending: pending.clone(),
    };
    (register, EventLine { pending, interrupt })
}

impl EventLine {
    /// Adds the bits of `event` to those pending and interrupts the guest.
    pub fn raise(&self, event: u8) {
        self.pending.fetch_or(event, Ordering::SeqCst);
        // A full counter means that the interrupt is pending.
        let _ = self.interrupt.write(1);
    }

    /// The eventfd behind the interrupt.
    pub fn interrupt(&self) -> &EventFd {
        &self.interrupt
    }
}

impl BusDevice for EventRegister {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
        if let Some(byte) = data.first_mut() {
            *byte = self.pending.swap(0, Ordering::SeqCst);
        }
    }

    fn write(&mut self, _offset: u64, _data: &[u8]) {}

    fn register_name(&self, _offset: u64) -> &'static str {
        "events"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    #[test]
    fn a_raised_event_interrupts_and_is_read_once() {
        let (mut register, line) = event_register(EventFd::new(EFD_NONBLOCK).unwrap());
        line.raise(0b01);
        line.raise(0b10);
        let mut seen = [[0u8; 1]; 2];
        register.read(0, &mut seen[0]);
        register.read(0, &mut seen[1]);
        assert_eq!((seen, line.interrupt().read().unwrap()), ([[0b11], [0]], 2));
    }
}
