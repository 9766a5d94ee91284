//! A device's interrupt: a status that tells why, and an eventfd that KVM injects from.

use std::sync::atomic::{AtomicU32, Ordering};

use virtio_bindings::virtio_mmio::VIRTIO_MMIO_INTERRUPT_STATUS;
use vmm_sys_util::eventfd::EventFd;

use super::RegisterPage;

/// The device used a buffer in at least one queue (virtio 1.2, 4.2.2).
pub const USED_BUFFER: u32 = 1;
/// The device's configuration changed, or it needs a reset (virtio 1.2, 4.2.2).
pub const CONFIG_CHANGE: u32 = 2;

/// The interrupt line of one device, shared by its queues and its transport.
///
/// Its status is the InterruptStatus register itself, in the page that the guest reads.
pub struct Interrupt {
    page: RegisterPage,
    event: EventFd,
    /// Bits of the status that no acknowledgement clears.
    lasting: AtomicU32,
}

impl Interrupt {
    /// An interrupt that is raised by writing `event`, an irqfd once it is wired to KVM.
    pub fn new(event: EventFd, page: RegisterPage) -> Self {
        Self {
            page,
            event,
            lasting: AtomicU32::new(0),
        }
    }

    /// The page of the device's registers.
    pub fn page(&self) -> &RegisterPage {
        &self.page
    }

    /// The eventfd behind the line.
    pub fn event(&self) -> &EventFd {
        &self.event
    }

    /// Why the line was raised: `USED_BUFFER`, `CONFIG_CHANGE` or both.
    pub fn status(&self) -> u32 {
        self.page.load(VIRTIO_MMIO_INTERRUPT_STATUS)
    }

    /// Lets another process raise the line by the eventfd, without a word to us.
    ///
    /// It can set no status. So from now on, until `reset`, the status tells of used buffers
    /// whenever it is read: a driver looks at its rings after any interrupt (decision 0008).
    pub fn share(&self) -> &EventFd {
        self.lasting.store(USED_BUFFER, Ordering::SeqCst);
        self.change(|status| status.fetch_or(USED_BUFFER, Ordering::SeqCst));
        &self.event
    }

    /// Forgets every reason, and whoever else might raise the line.
    pub fn reset(&self) {
        self.lasting.store(0, Ordering::SeqCst);
        self.change(|status| status.swap(0, Ordering::SeqCst));
    }

    /// Clears `bits` of the status, as the driver acknowledges them.
    pub fn acknowledge(&self, bits: u32) {
        let bits = bits & !self.lasting.load(Ordering::SeqCst);
        self.change(|status| status.fetch_and(!bits, Ordering::SeqCst));
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
        self.change(|status| status.fetch_or(bits, Ordering::SeqCst));
        // An eventfd refuses a write only when its counter is full: an interrupt is
        // pending then already, which is all that was asked for.
        let _ = self.event.write(1);
    }

    fn change(&self, change: impl FnOnce(&AtomicU32) -> u32) {
        self.page
            .with_register(VIRTIO_MMIO_INTERRUPT_STATUS, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use vm_memory::GuestAddress;
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    fn interrupt() -> Interrupt {
        let memory = Memory::from_ranges(&[(GuestAddress(0), RegisterPage::SIZE)]);
        let page = RegisterPage::new(memory.unwrap(), 0);
        Interrupt::new(EventFd::new(EFD_NONBLOCK).unwrap(), page)
    }

    #[test]
    fn a_signal_sets_its_bit_and_raises_the_line() {
        let interrupt = interrupt();
        interrupt.signal_used_buffer();
        interrupt.signal_config_change();
        assert_eq!(interrupt.status(), USED_BUFFER | CONFIG_CHANGE);
        assert_eq!(interrupt.event().read().unwrap(), 2);
    }

    #[test]
    fn an_acknowledgement_clears_only_its_bits() {
        let interrupt = interrupt();
        interrupt.signal_used_buffer();
        interrupt.signal_config_change();
        interrupt.acknowledge(USED_BUFFER);
        assert_eq!(interrupt.status(), CONFIG_CHANGE);
    }

    #[test]
    fn a_line_that_others_raise_tells_of_used_buffers_until_the_reset() {
        let interrupt = interrupt();
        interrupt.share().write(1).unwrap();
        interrupt.acknowledge(USED_BUFFER | CONFIG_CHANGE);
        assert_eq!(interrupt.status(), USED_BUFFER);
        interrupt.reset();
        assert_eq!(interrupt.status(), 0);
    }
}
