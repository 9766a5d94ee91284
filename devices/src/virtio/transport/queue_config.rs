//! A queue while the driver sets it up: numbers to be checked, not yet a ring.

use virtio_queue::{Queue, QueueT};
use vm_memory::GuestAddress;

use crate::Memory;

/// What the driver has written about one queue.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    max_size: u16,
    size: u32,
    ready: bool,
    descriptor_table: u64,
    available_ring: u64,
    used_ring: u64,
}

/// One of the three addresses of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The descriptor table.
    DescriptorTable,
    /// The available ring ("driver area").
    AvailableRing,
    /// The used ring ("device area").
    UsedRing,
}

/// The low or the high 32 bits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Bits 31:0.
    Low,
    /// Bits 63:32.
    High,
}

impl QueueConfig {
    /// A queue after reset, of at most `max_size` descriptors.
    pub fn new(max_size: u16) -> Self {
        Self {
            max_size,
            size: max_size.into(),
            ready: false,
            descriptor_table: 0,
            available_ring: 0,
            used_ring: 0,
        }
    }

    /// The most descriptors that the queue may have.
    pub fn max_size(&self) -> u16 {
        self.max_size
    }

    /// Whether the driver has finished with it.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Says whether the driver has finished with it.
    pub fn set_ready(&mut self, ready: bool) {
        self.ready = ready;
    }

    /// Sets the number of descriptors; whether it is a good one shows in `build`.
    pub fn set_size(&mut self, size: u32) {
        self.size = size;
    }

    /// Sets half of an address.
    pub fn set_address(&mut self, part: Part, half: Half, value: u32) {
        let address = match part {
            Part::DescriptorTable => &mut self.descriptor_table,
            Part::AvailableRing => &mut self.available_ring,
            Part::UsedRing => &mut self.used_ring,
        };
        *address = match half {
            Half::Low => (*address & !u64::from(u32::MAX)) | u64::from(value),
            Half::High => (*address & u64::from(u32::MAX)) | (u64::from(value) << 32),
        };
    }

    /// Turns the numbers into a ring, all of which lies in memory.
    ///
    /// # Errors
    /// The size is no power of two up to the maximum, an address is not aligned, or a part
    /// is not in memory.
    pub fn build(&self, memory: &Memory, event_idx: bool) -> Result<Queue, virtio_queue::Error> {
        let mut queue = Queue::new(self.max_size)?;
        let size = u16::try_from(self.size).map_err(|_| virtio_queue::Error::InvalidSize)?;
        queue.try_set_size(size)?;
        queue.try_set_desc_table_address(GuestAddress(self.descriptor_table))?;
        queue.try_set_avail_ring_address(GuestAddress(self.available_ring))?;
        queue.try_set_used_ring_address(GuestAddress(self.used_ring))?;
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        if queue.is_valid(memory) {
            Ok(queue)
        } else {
            Err(virtio_queue::Error::QueueNotReady)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory::from_ranges(&[(GuestAddress(0), 0x10_0000)]).unwrap()
    }

    fn configured(table: u32, available: u32, used: u32) -> QueueConfig {
        let mut config = QueueConfig::new(16);
        config.set_address(Part::DescriptorTable, Half::Low, table);
        config.set_address(Part::AvailableRing, Half::Low, available);
        config.set_address(Part::UsedRing, Half::Low, used);
        config
    }

    #[test]
    fn a_queue_in_memory_is_built() {
        let config = configured(0x1000, 0x2000, 0x3000);
        assert!(config.build(&memory(), true).unwrap().event_idx_enabled());
    }

    #[test]
    fn a_queue_outside_of_memory_is_refused() {
        let mut config = configured(0x1000, 0x2000, 0x3000);
        config.set_address(Part::UsedRing, Half::High, 1);
        assert!(config.build(&memory(), false).is_err());
    }

    #[test]
    fn misaligned_parts_are_refused() {
        for config in [
            configured(0x1008, 0x2000, 0x3000),
            configured(0x1000, 0x2001, 0x3000),
            configured(0x1000, 0x2000, 0x3002),
        ] {
            assert!(config.build(&memory(), false).is_err());
        }
    }

    #[test]
    fn sizes_other_than_powers_of_two_up_to_the_maximum_are_refused() {
        for size in [0, 3, 32, 0x1_0000, u32::MAX] {
            let mut config = configured(0x1000, 0x2000, 0x3000);
            config.set_size(size);
            assert!(config.build(&memory(), false).is_err(), "{size}");
        }
    }
}
