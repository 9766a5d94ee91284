//! The block device (virtio 1.2, 5.2): a file or a block device of the host as a disk.
//!
//! A chain becomes a [`request::Request`], that a [`plan::Plan`] for this disk, and that a
//! job for an engine, which has a file and no request.

mod bounce;
mod config;
pub mod disk;
mod engine;
mod guest_buffers;
mod plan;
mod probe;
pub mod request;
pub mod segments;
mod service;

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_CONFIG_WCE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH,
    VIRTIO_BLK_F_MQ, VIRTIO_BLK_F_RO, VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_TOPOLOGY,
    VIRTIO_BLK_F_WRITE_ZEROES, VIRTIO_BLK_ID_BYTES,
};
use virtio_bindings::virtio_ids::VIRTIO_ID_BLOCK;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use self::config::{Config, QUEUE_SIZE, WRITEBACK_OFFSET};
use self::disk::{Access, Disk, DiskError};
use self::engine::{Blocking, Engine};
use self::service::{Service, Ticket};
use super::device::read_config_from;
use super::{Activation, HostFd, Progress, RingError, VirtioDevice};

/// A disk as the user describes it.
#[derive(Clone, Debug)]
pub struct BlockOptions {
    /// The image file or block device.
    pub path: PathBuf,
    /// Whether the guest may only read it.
    pub readonly: bool,
    /// The serial number that the guest sees; what is beyond 20 bytes is cut off.
    pub serial: Option<String>,
    /// Whether to pass by the host's page cache (O_DIRECT).
    pub direct: bool,
    /// Whether the image is raw, whatever its first bytes look like.
    pub force_raw: bool,
    /// The number of queues, one for each vCPU; at least one is made.
    pub queues: u16,
}

/// Why a disk image cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use disk image {}", path.display())]
pub struct OpenError {
    /// The image.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: DiskError,
}

/// The serial number, filled with zeroes.
#[derive(Clone, Copy)]
struct SerialNumber([u8; VIRTIO_BLK_ID_BYTES as usize]);

/// How the engine of an active disk is made.
type MakeEngine = fn(&Disk, &EventFd) -> Box<dyn Engine<Ticket>>;

/// A virtio block device.
pub struct Block {
    disk: Arc<Disk>,
    serial: SerialNumber,
    config: Config,
    queue_sizes: Vec<u16>,
    /// Written by the kernel when a request is done.
    finished: EventFd,
    make_engine: MakeEngine,
    service: Option<Service>,
}

impl Block {
    /// Opens and locks the image; requests are done by io_uring where the host has it.
    ///
    /// # Errors
    /// The image is missing, no disk, in use, or not raw.
    pub fn open(options: &BlockOptions) -> Result<Self, OpenError> {
        Self::with_engine(options, |disk, event| engine::best(disk.file(), event))
    }

    /// Like `open`, with requests done by the thread that serves the queue, as where
    /// io_uring is refused.
    ///
    /// # Errors
    /// The image is missing, no disk, in use, or not raw.
    pub fn open_blocking(options: &BlockOptions) -> Result<Self, OpenError> {
        Self::with_engine(options, |disk, _| {
            Box::new(Blocking::new(disk.file().clone()))
        })
    }

    fn with_engine(options: &BlockOptions, make_engine: MakeEngine) -> Result<Self, OpenError> {
        let failed = |source| OpenError {
            path: options.path.clone(),
            source,
        };
        let access = Access {
            readonly: options.readonly,
            direct: options.direct,
            force_raw: options.force_raw,
        };
        let disk = Disk::open(&options.path, access).map_err(failed)?;
        let finished = EventFd::new(EFD_NONBLOCK).map_err(|error| failed(error.into()))?;
        let queues = options.queues.max(1);
        Ok(Self {
            config: Config {
                capacity: disk.sectors(),
                block_size: disk.blocks().logical,
                physical_block_size: disk.blocks().physical,
                queues,
                writeback: true,
            },
            disk: Arc::new(disk),
            serial: SerialNumber::new(options.serial.as_deref().unwrap_or_default()),
            queue_sizes: vec![QUEUE_SIZE; queues.into()],
            finished,
            make_engine,
            service: None,
        })
    }

    /// Whether a write is answered only once it is durable: the driver wants that, or has
    /// no way to flush (virtio 1.2, 5.2.6.2).
    fn is_durable(&self, driver_features: u64) -> bool {
        let has = |bit| driver_features & feature(bit) != 0;
        if has(VIRTIO_BLK_F_CONFIG_WCE) {
            !self.config.writeback
        } else {
            !has(VIRTIO_BLK_F_FLUSH)
        }
    }
}

impl SerialNumber {
    fn new(text: &str) -> Self {
        let mut bytes = [0; _];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

fn feature(bit: u32) -> u64 {
    1u64.checked_shl(bit).unwrap_or(0)
}

impl VirtioDevice for Block {
    fn device_type(&self) -> u32 {
        VIRTIO_ID_BLOCK
    }

    fn features(&self) -> u64 {
        let always = [
            VIRTIO_BLK_F_SEG_MAX,
            VIRTIO_BLK_F_BLK_SIZE,
            VIRTIO_BLK_F_TOPOLOGY,
            VIRTIO_BLK_F_FLUSH,
            VIRTIO_BLK_F_MQ,
        ];
        let to_write = [
            VIRTIO_BLK_F_CONFIG_WCE,
            VIRTIO_BLK_F_DISCARD,
            VIRTIO_BLK_F_WRITE_ZEROES,
        ];
        let rest: &[u32] = match self.disk.is_readonly() {
            true => &[VIRTIO_BLK_F_RO],
            false => &to_write,
        };
        let bits = always.iter().chain(rest);
        bits.fold(0, |features, bit| features | feature(*bit))
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &self.queue_sizes
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_from(&self.config.to_bytes(), offset, data);
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        let (WRITEBACK_OFFSET, [writeback]) = (offset, data) else {
            return;
        };
        self.config.writeback = *writeback != 0;
        let features = self.service.as_ref().map(Service::driver_features);
        let durable = features.map(|features| self.is_durable(features));
        if let (Some(service), Some(durable)) = (&mut self.service, durable) {
            service.durable = durable;
        }
    }

    fn activate(&mut self, activation: Activation) {
        self.service = Some(Service {
            disk: self.disk.clone(),
            serial: self.serial,
            engine: (self.make_engine)(&self.disk, &self.finished),
            memory: Arc::new(activation.memory.clone()),
            durable: self.is_durable(activation.driver_features),
            starved: false,
            is_told: false,
            activation,
        });
    }

    fn deactivate(&mut self) -> Option<Activation> {
        let mut service = self.service.take()?;
        service.finish();
        self.config.writeback = true;
        Some(service.activation)
    }

    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError> {
        match &mut self.service {
            Some(service) => service.serve(index),
            None => Ok(Progress::Done),
        }
    }

    fn host_fds(&self) -> Vec<HostFd> {
        vec![HostFd::input(&self.finished)]
    }

    /// The eventfd is watched edge-triggered and counts far: it need not be read.
    fn host_event(&mut self, _fd: RawFd) -> Result<Progress, RingError> {
        match &mut self.service {
            Some(service) => service.serve_engine(),
            None => Ok(Progress::Done),
        }
    }
}

#[cfg(test)]
mod tests;
