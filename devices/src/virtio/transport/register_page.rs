//! A device's registers as the guest reads them: memory, so that a read costs no exit.
//!
//! No virtio-mmio register has a side effect when it is read. The transport stores what
//! they hold into the page; the machine lets the guest read it there, while writes still
//! reach the transport (decision 0008).

use std::sync::atomic::{AtomicU32, Ordering};

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, VolatileMemory};

use crate::Memory;

/// The page of one device.
#[derive(Clone)]
pub struct RegisterPage {
    memory: Memory,
    base: GuestAddress,
}

impl RegisterPage {
    /// The size of a page, in bytes.
    pub const SIZE: usize = 0x1000;

    /// The page at `base` in `memory`, which holds pages only and is not the guest's RAM.
    pub fn new(memory: Memory, base: u64) -> Self {
        let base = GuestAddress(base);
        Self { memory, base }
    }

    /// Stores `bytes` at `offset`; what is beyond the end of the page is dropped.
    pub fn store(&self, offset: u64, bytes: &[u8]) {
        let place = GuestAddress(self.base.0.saturating_add(offset));
        // The page lies in its memory; only a machine without it would drop anything.
        let _ = self.memory.write(bytes, place);
    }

    /// Reads the register at `offset`, as a guest does.
    pub fn load(&self, offset: u32) -> u32 {
        self.with_register(offset, |register| register.load(Ordering::SeqCst))
            .unwrap_or(0)
    }

    /// Lets `change` at the register at `offset`, which others change at the same time.
    pub fn with_register<T>(&self, offset: u32, change: impl FnOnce(&AtomicU32) -> T) -> Option<T> {
        let place = GuestAddress(self.base.0.saturating_add(offset.into()));
        let slice = self.memory.get_slice(place, size_of::<u32>()).ok()?;
        slice.get_atomic_ref(0).ok().map(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_at_its_offset() {
        let memory = Memory::from_ranges(&[(GuestAddress(0x1000), 2 * RegisterPage::SIZE)]);
        let page = RegisterPage::new(memory.unwrap(), 0x2000);
        page.store(8, &7u32.to_le_bytes());
        assert_eq!((page.load(8), page.load(4)), (7, 0));
    }

    #[test]
    fn a_page_outside_of_its_memory_holds_nothing() {
        let memory = Memory::from_ranges(&[(GuestAddress(0), RegisterPage::SIZE)]);
        let page = RegisterPage::new(memory.unwrap(), u64::MAX);
        page.store(8, &[7]);
        assert_eq!(page.load(8), 0);
    }
}
