//! The virtio-mmio register page, version 2 (virtio 1.2, 4.2.2).
//!
//! What the registers hold is also kept in a [`RegisterPage`], where the guest may read it
//! without an exit.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_mmio::*;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vmm_sys_util::eventfd::EventFd;

use super::negotiation::{Negotiation, Transition};
use super::queue_config::{Half, Part, QueueConfig};
use crate::Memory;
use crate::bus::BusDevice;
use crate::virtio::{Activation, HostFd, Interrupt, Progress, RingError, VirtioDevice, Virtqueue};

/// `virt`, little-endian.
const MAGIC: u32 = 0x7472_6976;
const VERSION: u32 = 2;
/// Virtio leaves the vendor to us; this is what Linux shows for it.
const VENDOR: u32 = 0x004d_4d56;
/// Where the device's own configuration begins.
const CONFIG: u64 = VIRTIO_MMIO_CONFIG as u64;
/// The most bytes that a device's own configuration has.
const CONFIG_SIZE: usize = 0x100;
/// What a driver may read; the configuration's generation comes last.
const READABLE: [u32; 11] = [
    VIRTIO_MMIO_MAGIC_VALUE,
    VIRTIO_MMIO_VERSION,
    VIRTIO_MMIO_DEVICE_ID,
    VIRTIO_MMIO_VENDOR_ID,
    VIRTIO_MMIO_DEVICE_FEATURES,
    VIRTIO_MMIO_QUEUE_NUM_MAX,
    VIRTIO_MMIO_QUEUE_READY,
    VIRTIO_MMIO_STATUS,
    VIRTIO_MMIO_SHM_LEN_LOW,
    VIRTIO_MMIO_SHM_LEN_HIGH,
    VIRTIO_MMIO_CONFIG_GENERATION,
];
/// What every device offers of its rings.
pub(crate) const RING_FEATURES: u64 =
    (1 << VIRTIO_F_VERSION_1) | (1 << VIRTIO_RING_F_INDIRECT_DESC) | (1 << VIRTIO_RING_F_EVENT_IDX);

/// The registers of one device, and what they are for before and after activation.
pub struct MmioTransport {
    device: Box<dyn VirtioDevice>,
    memory: Memory,
    interrupt: Arc<Interrupt>,
    negotiation: Negotiation,
    queues: Vec<QueueConfig>,
    selected_queue: u32,
    selected_device_features: u32,
    selected_driver_features: u32,
    broken: Arc<AtomicBool>,
    activated: Option<Box<dyn Fn() + Send>>,
}

impl MmioTransport {
    /// Puts `device` behind registers; its queues will lie in `memory`.
    pub fn new(device: Box<dyn VirtioDevice>, memory: Memory, interrupt: Arc<Interrupt>) -> Self {
        let queues = device.queue_max_sizes();
        let transport = Self {
            negotiation: Negotiation::new(device.features() | RING_FEATURES),
            queues: queues.iter().copied().map(QueueConfig::new).collect(),
            device,
            memory,
            interrupt,
            selected_queue: 0,
            selected_device_features: 0,
            selected_driver_features: 0,
            broken: Arc::default(),
            activated: None,
        };
        transport.publish();
        transport
    }

    /// Calls `listener` whenever a driver has taken the device.
    pub fn on_activation(&mut self, listener: Box<dyn Fn() + Send>) {
        self.activated = Some(listener);
    }

    /// How many queues the device has.
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// The host files that the device waits for.
    pub fn host_fds(&self) -> Vec<HostFd> {
        self.device.host_fds()
    }

    /// The doorbells that others answer, if the device has such.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn doorbells(&self) -> Option<io::Result<Vec<EventFd>>> {
        let doorbells = self.device.doorbells()?;
        Some(doorbells.iter().map(EventFd::try_clone).collect())
    }

    /// Set while the driver's rings are broken and it has not reset the device.
    pub fn broken(&self) -> Arc<AtomicBool> {
        self.broken.clone()
    }

    /// Lets the device serve queue `index`, if it is active.
    pub fn queue_notify(&mut self, index: usize) -> Progress {
        if !self.negotiation.is_active() || index >= self.queues.len() {
            return Progress::Done;
        }
        let result = self.device.queue_notify(index);
        self.break_on_error(result)
    }

    /// Lets the device serve its host file `fd`, if it is active.
    pub fn host_event(&mut self, fd: RawFd) -> Progress {
        if !self.negotiation.is_active() {
            return Progress::Done;
        }
        let before = self.device.config_generation();
        let result = self.device.host_event(fd);
        if self.device.config_generation() != before {
            self.publish();
        }
        self.break_on_error(result)
    }

    fn break_on_error(&mut self, result: Result<Progress, RingError>) -> Progress {
        result.unwrap_or_else(|error| {
            self.set_broken(&error);
            Progress::Done
        })
    }

    /// The guest's fault is the guest's to mend (virtio 1.2, 2.1.1): it is told, once.
    fn set_broken(&mut self, error: &dyn std::error::Error) {
        let cause = error.source().map(|cause| format!(": {cause}"));
        log::warn!(
            "the guest broke its virtio device {}: {error}{}; it works again after a reset",
            self.device.device_type(),
            cause.unwrap_or_default()
        );
        self.broken.store(true, Ordering::Relaxed);
        self.negotiation.set_needs_reset();
        self.publish();
        self.interrupt.signal_config_change();
    }

    /// Stores into the page what a read of each register would answer now.
    ///
    /// InterruptStatus lives there alone. The configuration comes before its generation:
    /// a driver that reads in between sees the old generation twice, and is told by the
    /// interrupt that follows to read anew.
    fn publish(&self) {
        let page = self.interrupt.page();
        let mut config = [0; CONFIG_SIZE];
        self.device.read_config(0, &mut config);
        page.store(CONFIG, &config);
        for register in READABLE {
            let value = self.register(register.into());
            page.store(register.into(), &value.to_le_bytes());
        }
    }

    /// The value of the register at `offset`, which lies below the configuration space.
    fn register(&self, offset: u64) -> u32 {
        let queue = self.selected_queue();
        match u32::try_from(offset).unwrap_or(u32::MAX) {
            VIRTIO_MMIO_MAGIC_VALUE => MAGIC,
            VIRTIO_MMIO_VERSION => VERSION,
            VIRTIO_MMIO_DEVICE_ID => self.device.device_type(),
            VIRTIO_MMIO_VENDOR_ID => VENDOR,
            VIRTIO_MMIO_DEVICE_FEATURES => {
                self.negotiation.offered_half(self.selected_device_features)
            }
            VIRTIO_MMIO_QUEUE_NUM_MAX => queue.map_or(0, |queue| queue.max_size().into()),
            VIRTIO_MMIO_QUEUE_READY => queue.is_some_and(QueueConfig::is_ready).into(),
            VIRTIO_MMIO_INTERRUPT_STATUS => self.interrupt.status(),
            VIRTIO_MMIO_STATUS => self.negotiation.status(),
            // No shared memory regions: a length of -1 (virtio 1.2, 4.2.2).
            VIRTIO_MMIO_SHM_LEN_LOW | VIRTIO_MMIO_SHM_LEN_HIGH => u32::MAX,
            VIRTIO_MMIO_CONFIG_GENERATION => self.device.config_generation(),
            _ => 0,
        }
    }

    fn set_register(&mut self, offset: u64, value: u32) {
        match u32::try_from(offset).unwrap_or(u32::MAX) {
            VIRTIO_MMIO_DEVICE_FEATURES_SEL => self.selected_device_features = value,
            VIRTIO_MMIO_DRIVER_FEATURES_SEL => self.selected_driver_features = value,
            VIRTIO_MMIO_DRIVER_FEATURES => {
                let select = self.selected_driver_features;
                self.negotiation.choose_features(select, value);
            }
            VIRTIO_MMIO_QUEUE_SEL => self.selected_queue = value,
            VIRTIO_MMIO_QUEUE_NOTIFY => return self.kick(value),
            VIRTIO_MMIO_INTERRUPT_ACK => return self.interrupt.acknowledge(value),
            VIRTIO_MMIO_STATUS => self.write_status(value),
            other => self.configure_queue(other, value),
        }
        self.publish();
    }

    fn configure_queue(&mut self, register: u32, value: u32) {
        if !self.negotiation.may_configure_queues() {
            return;
        }
        let Some(queue) = usize::try_from(self.selected_queue)
            .ok()
            .and_then(|index| self.queues.get_mut(index))
        else {
            return;
        };
        match register {
            VIRTIO_MMIO_QUEUE_NUM => queue.set_size(value),
            VIRTIO_MMIO_QUEUE_READY => queue.set_ready(value == 1),
            other => {
                if let Some((part, half)) = address_register(other) {
                    queue.set_address(part, half, value);
                }
            }
        }
    }

    fn selected_queue(&self) -> Option<&QueueConfig> {
        self.queues.get(usize::try_from(self.selected_queue).ok()?)
    }

    /// A kick that came by an exit, because no doorbell is wired.
    fn kick(&mut self, queue: u32) {
        let Ok(index) = usize::try_from(queue) else {
            return;
        };
        while self.queue_notify(index) == Progress::More {}
    }

    fn write_status(&mut self, value: u32) {
        match self.negotiation.write_status(value) {
            Transition::None => {}
            Transition::Reset => self.reset(),
            Transition::Activate => self.activate(),
        }
    }

    fn activate(&mut self) {
        match self.build_queues() {
            Ok(queues) => self.hand_over(queues),
            Err(error) => self.set_broken(&error),
        }
    }

    fn hand_over(&mut self, queues: Vec<Option<Virtqueue>>) {
        self.device.activate(Activation {
            memory: self.memory.clone(),
            queues,
            driver_features: self.negotiation.driver_features(),
            interrupt: self.interrupt.clone(),
        });
        if let Some(listener) = &self.activated {
            listener();
        }
    }

    fn build_queues(&self) -> Result<Vec<Option<Virtqueue>>, RingError> {
        let event_idx = self.negotiation.driver_features() & (1 << VIRTIO_RING_F_EVENT_IDX) != 0;
        let build = |(index, config): (usize, &QueueConfig)| {
            if !config.is_ready() {
                return Ok(None);
            }
            let queue = config
                .build(&self.memory, event_idx)
                .map_err(|source| RingError {
                    queue: index,
                    source,
                })?;
            let (memory, interrupt) = (self.memory.clone(), self.interrupt.clone());
            Ok(Some(Virtqueue::new(index, queue, memory, interrupt)))
        };
        self.queues.iter().enumerate().map(build).collect()
    }

    fn reset(&mut self) {
        // The rings go with the activation: the driver makes new ones.
        drop(self.device.deactivate());
        self.interrupt.reset();
        self.broken.store(false, Ordering::Relaxed);
        self.selected_queue = 0;
        self.selected_device_features = 0;
        self.selected_driver_features = 0;
        for queue in &mut self.queues {
            *queue = QueueConfig::new(queue.max_size());
        }
    }
}

fn address_register(register: u32) -> Option<(Part, Half)> {
    Some(match register {
        VIRTIO_MMIO_QUEUE_DESC_LOW => (Part::DescriptorTable, Half::Low),
        VIRTIO_MMIO_QUEUE_DESC_HIGH => (Part::DescriptorTable, Half::High),
        VIRTIO_MMIO_QUEUE_AVAIL_LOW => (Part::AvailableRing, Half::Low),
        VIRTIO_MMIO_QUEUE_AVAIL_HIGH => (Part::AvailableRing, Half::High),
        VIRTIO_MMIO_QUEUE_USED_LOW => (Part::UsedRing, Half::Low),
        VIRTIO_MMIO_QUEUE_USED_HIGH => (Part::UsedRing, Half::High),
        _ => return None,
    })
}

impl BusDevice for MmioTransport {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        match offset.checked_sub(CONFIG) {
            Some(offset) => self.device.read_config(offset, data),
            // Registers are read whole (virtio 1.2, 4.2.2.2).
            None => {
                if let Ok(data) = <&mut [u8; 4]>::try_from(data) {
                    *data = self.register(offset).to_le_bytes();
                }
            }
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        match offset.checked_sub(CONFIG) {
            Some(offset) => {
                self.device.write_config(offset, data);
                self.publish();
            }
            None => {
                if let Ok(data) = <[u8; 4]>::try_from(data) {
                    self.set_register(offset, u32::from_le_bytes(data));
                }
            }
        }
    }

    fn register_name(&self, offset: u64) -> &'static str {
        register_name(offset)
    }
}

/// The name of the register at `offset`, as the specification has it.
fn register_name(offset: u64) -> &'static str {
    if offset >= CONFIG {
        return "Config";
    }
    match u32::try_from(offset).unwrap_or(u32::MAX) {
        VIRTIO_MMIO_MAGIC_VALUE => "MagicValue",
        VIRTIO_MMIO_VERSION => "Version",
        VIRTIO_MMIO_DEVICE_ID => "DeviceID",
        VIRTIO_MMIO_VENDOR_ID => "VendorID",
        VIRTIO_MMIO_DEVICE_FEATURES => "DeviceFeatures",
        VIRTIO_MMIO_DEVICE_FEATURES_SEL => "DeviceFeaturesSel",
        VIRTIO_MMIO_DRIVER_FEATURES => "DriverFeatures",
        VIRTIO_MMIO_DRIVER_FEATURES_SEL => "DriverFeaturesSel",
        VIRTIO_MMIO_QUEUE_SEL => "QueueSel",
        VIRTIO_MMIO_QUEUE_NUM_MAX => "QueueNumMax",
        VIRTIO_MMIO_QUEUE_NUM => "QueueNum",
        VIRTIO_MMIO_QUEUE_READY => "QueueReady",
        VIRTIO_MMIO_QUEUE_NOTIFY => "QueueNotify",
        VIRTIO_MMIO_INTERRUPT_STATUS => "InterruptStatus",
        VIRTIO_MMIO_INTERRUPT_ACK => "InterruptACK",
        VIRTIO_MMIO_STATUS => "Status",
        VIRTIO_MMIO_CONFIG_GENERATION => "ConfigGeneration",
        other => match address_register(other) {
            Some((Part::DescriptorTable, _)) => "QueueDesc",
            Some((Part::AvailableRing, _)) => "QueueDriver",
            Some((Part::UsedRing, _)) => "QueueDevice",
            None => "reserved",
        },
    }
}

#[cfg(test)]
mod tests;
