//! A device's interrupt: a status that tells why, and an eventfd that KVM injects from.

use std::sync::atomic::{AtomicU32, Ordering};

use vmm_sys_util::eventfd::EventFd;

/// The device used a buffer in at least one queue (virtio 1.2, 4.2.2).
pub const USED_BUFFER: u32 = 1;
/// The device's configuration changed, or it needs a reset (virtio 1.2, 4.2.2).
pub const CONFIG_CHANGE: u32 = 2;

/// The interrupt line of one device, shared by its queues and its transport.
pub struct Interrupt {
    status: AtomicU32,
    event: EventFd,
}

impl Interrupt {
    /// An interrupt that is raised by writing `event`, an irqfd once it is wired to KVM.
    pub fn new(event: EventFd) -> Self {
        let status = AtomicU32::new(0);
        Self { status, event }
    }

    /// The eventfd behind the line.
    pub fn event(&self) -> &EventFd {
        &self.event
    }

    /// Why the line was raised: `USED_BUFFER`, `CONFIG_CHANGE` or both.
    pub fn status(&self) -> u32 {
        self.status.load(Ordering::SeqCst)
    }

    /// Clears `bits` of the status, as the driver acknowledges them.
    pub fn acknowledge(&self, bits: u32) {
        self.status.fetch_and(!bits, Ordering::SeqCst);
    }

    /// Tells the driver of used buffers.
    pub fn signal_used_buffer(&self) {
        self.raise(USED_BUFFER);
    }

    /// Tells the driver of a configuration change.
    pub fn signal_config_change(&self) {
        self.raise(CONFIG_CHANGE);
    }

    fn raise(&self, bits: u32) {
        self.status.fetch_or(bits, Ordering::SeqCst);
        // An eventfd refuses a write only when its counter is full: an interrupt is
        // pending then already, which is all that was asked for.
        let _ = self.event.write(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    #[test]
    fn a_signal_sets_its_bit_and_raises_the_line() {
        let interrupt = Interrupt::new(EventFd::new(EFD_NONBLOCK).unwrap());
        interrupt.signal_used_buffer();
        interrupt.signal_config_change();
        assert_eq!(interrupt.status(), USED_BUFFER | CONFIG_CHANGE);
        assert_eq!(interrupt.event().read().unwrap(), 2);
    }

    #[test]
    fn an_acknowledgement_clears_only_its_bits() {
        let interrupt = Interrupt::new(EventFd::new(EFD_NONBLOCK).unwrap());
        interrupt.signal_used_buffer();
        interrupt.signal_config_change();
        interrupt.acknowledge(USED_BUFFER);
        assert_eq!(interrupt.status(), CONFIG_CHANGE);
    }
}
