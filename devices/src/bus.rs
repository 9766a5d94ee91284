//! A bus maps an address to a device and an offset. It knows no device.
//!
//! A bus is built once and never changes, so looking an address up takes no lock;
//! only the addressed device is locked. The price is that nothing can be plugged
//! into a running bus (decision 0001).

use std::sync::{Arc, Mutex, PoisonError};

/// Registers that a guest reaches by port or memory-mapped I/O.
///
/// Accesses come from vCPU threads, one at a time. A device answers every offset and
/// length: what it does not implement reads as zero and ignores writes.
pub trait BusDevice: Send {
    /// Fills `data` with what the registers at `offset` hold.
    fn read(&mut self, offset: u64, data: &mut [u8]);

    /// Stores `data` into the registers at `offset`.
    fn write(&mut self, offset: u64, data: &[u8]);

    /// Names the register at `offset`, for the exit ledger.
    fn register_name(&self, _offset: u64) -> &'static str {
        "register"
    }
}

/// A device at home on a bus, shared by the vCPU threads and the event loop.
pub type SharedDevice = Arc<Mutex<dyn BusDevice>>;

/// Why a device cannot be put on a bus.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The range is empty or passes the end of the address space.
    #[error("{name}: the range {base:#x}+{size:#x} is empty or too long")]
    InvalidRange {
        /// The device's name.
        name: String,
        /// Its first address.
        base: u64,
        /// Its length in bytes.
        size: u64,
    },
    /// Two devices want the same address.
    #[error("{first} and {second} overlap at {address:#x}")]
    Overlap {
        /// The device that begins first.
        first: String,
        /// The device that begins inside it.
        second: String,
        /// The first address that both claim.
        address: u64,
    },
}

/// One device with its place on the bus.
pub struct Slot {
    name: String,
    base: u64,
    size: u64,
    device: SharedDevice,
}

impl Slot {
    /// Gives `device` the addresses `base..base + size`.
    pub fn new(name: impl Into<String>, base: u64, size: u64, device: SharedDevice) -> Self {
        let name = name.into();
        Self {
            name,
            base,
            size,
            device,
        }
    }

    /// The device's name, as the exit ledger and the dry run print it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The register's name at `offset`.
    pub fn register_name(&self, offset: u64) -> &'static str {
        lock(&self.device).register_name(offset)
    }

    fn offset_of(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.base)?;
        (offset < self.size).then_some(offset)
    }
}

/// An immutable map from addresses to devices.
#[derive(Default)]
pub struct Bus {
    slots: Vec<Slot>,
}

impl Bus {
    /// Builds a bus of `slots`, in any order.
    ///
    /// # Errors
    /// An empty or overlong range, or two ranges that overlap.
    pub fn new(mut slots: Vec<Slot>) -> Result<Self, BusError> {
        slots.sort_by_key(|slot| slot.base);
        slots.iter().try_for_each(check_range)?;
        slots
            .iter()
            .zip(slots.iter().skip(1))
            .try_for_each(|(first, second)| check_disjoint(first, second))?;
        Ok(Self { slots })
    }

    /// The slot and the offset in it that `address` belongs to.
    pub fn find(&self, address: u64) -> Option<(&Slot, u64)> {
        let after = self.slots.partition_point(|slot| slot.base <= address);
        let slot = self.slots.get(after.checked_sub(1)?)?;
        Some((slot, slot.offset_of(address)?))
    }

    /// Reads from the device at `address`; all ones where there is none, as on a real bus.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        match self.find(address) {
            Some((slot, offset)) => lock(&slot.device).read(offset, data),
            None => data.fill(0xff),
        }
    }

    /// Writes to the device at `address`; lost where there is none.
    pub fn write(&self, address: u64, data: &[u8]) {
        if let Some((slot, offset)) = self.find(address) {
            lock(&slot.device).write(offset, data);
        }
    }
}

fn lock(device: &Mutex<dyn BusDevice>) -> std::sync::MutexGuard<'_, dyn BusDevice + 'static> {
    // A device holds no invariant across a panic that the next access could break.
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_range(slot: &Slot) -> Result<(), BusError> {
    if slot.size > 0 && slot.base.checked_add(slot.size).is_some() {
        return Ok(());
    }
    Err(BusError::InvalidRange {
        name: slot.name.clone(),
        base: slot.base,
        size: slot.size,
    })
}

fn check_disjoint(first: &Slot, second: &Slot) -> Result<(), BusError> {
    match first.offset_of(second.base) {
        None => Ok(()),
        Some(_) => Err(BusError::Overlap {
            first: first.name.clone(),
            second: second.name.clone(),
            address: second.base,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers the last write and answers reads with the offset.
    #[derive(Default)]
    struct Probe {
        written: Option<(u64, Vec<u8>)>,
    }

    impl BusDevice for Probe {
        fn read(&mut self, offset: u64, data: &mut [u8]) {
            data.fill(u8::try_from(offset).unwrap());
        }
        fn write(&mut self, offset: u64, data: &[u8]) {
            self.written = Some((offset, data.to_vec()));
        }
    }

    fn slot(name: &str, base: u64, size: u64) -> Slot {
        Slot::new(name, base, size, Arc::new(Mutex::new(Probe::default())))
    }

    #[test]
    fn an_access_reaches_the_device_with_its_offset() {
        let probe = Arc::new(Mutex::new(Probe::default()));
        let bus = Bus::new(vec![Slot::new("probe", 0x3f8, 8, probe.clone())]).unwrap();
        bus.write(0x3fa, &[7]);
        let mut data = [0];
        bus.read(0x3ff, &mut data);
        assert_eq!(probe.lock().unwrap().written, Some((2, vec![7])));
        assert_eq!(data, [7]);
    }

    #[test]
    fn an_address_without_a_device_reads_as_ones() {
        let bus = Bus::new(vec![slot("a", 0x10, 0x10)]).unwrap();
        let mut data = [[0u8; 2]; 2];
        bus.read(0x0f, &mut data[0]);
        bus.read(0x20, &mut data[1]);
        assert_eq!(data, [[0xff; 2]; 2]);
    }

    #[test]
    fn devices_that_touch_are_accepted_in_any_order() {
        let bus = Bus::new(vec![slot("b", 0x20, 0x10), slot("a", 0x10, 0x10)]).unwrap();
        let names = [0x10, 0x1f, 0x20].map(|a| bus.find(a).unwrap().0.name().to_owned());
        assert_eq!(names, ["a", "a", "b"]);
    }

    #[test]
    fn devices_that_overlap_are_refused_by_name() {
        let error = Bus::new(vec![slot("b", 0x1f, 2), slot("a", 0x10, 0x10)]).err();
        assert_eq!(
            error.unwrap().to_string(),
            "a and b overlap at 0x1f".to_owned()
        );
    }

    #[test]
    fn an_empty_or_endless_range_is_refused() {
        assert!(Bus::new(vec![slot("empty", 0x10, 0)]).is_err());
        assert!(Bus::new(vec![slot("endless", u64::MAX, 2)]).is_err());
    }
}
