//! The file system device (virtio 1.2, 5.11): a directory of the host, served by another
//! process.
//!
//! What a driver asks for goes from its rings straight to that process, and the answers
//! straight back: the doorbells are eventfds that it waits for, and the interrupt one that it
//! writes. Here is only what a driver reads before, and the hand-over of the queues.

mod backend;

use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use virtio_bindings::virtio_ids::VIRTIO_ID_FS;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

pub use backend::BackendError;

use super::device::read_config_from;
use super::{Activation, HostFd, Progress, RingError, VirtioDevice};
use backend::Backend;

/// One for what cannot wait (FORGET, INTERRUPT), one for all else; the backend of QEMU has no
/// more.
const QUEUE_SIZES: [u16; 2] = [1024; 2];
/// How long a tag is, padded with zeroes (virtio 1.2, 5.11.4).
const TAG_SIZE: usize = 36;

/// Hears of a backend that is of no use any more, and why.
pub type Listener = Box<dyn Fn(BackendError) + Send>;

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// The driver could not read it.
    #[error("the tag '{0}' is longer than {TAG_SIZE} bytes")]
    Tag(String),
    /// The process that is to serve it cannot.
    #[error("the process that serves it is of no use")]
    Backend(#[from] BackendError),
}

/// A virtio file system device.
pub struct Fs {
    config: [u8; TAG_SIZE + 4],
    backend: Backend,
    doorbells: Vec<EventFd>,
    active: Option<Activation>,
    listener: Listener,
}

impl Fs {
    /// A device that a driver finds by `tag`, served by who is behind `connection`.
    ///
    /// `listener` is told if the backend goes or fails later on. The driver then waits for
    /// its answers for ever: no specification tells it of such an end.
    ///
    /// # Errors
    /// The tag is too long, or the backend of no use.
    pub fn new(tag: &str, connection: UnixStream, listener: Listener) -> Result<Self, FsError> {
        let config = config(tag).ok_or_else(|| FsError::Tag(tag.to_owned()))?;
        let doorbells = QUEUE_SIZES.map(|_| EventFd::new(EFD_NONBLOCK));
        let doorbells: Result<_, _> = doorbells.into_iter().collect();
        Ok(Self {
            config,
            backend: Backend::connect(connection, QUEUE_SIZES.len())?,
            doorbells: doorbells.map_err(BackendError::Host)?,
            active: None,
            listener,
        })
    }
}

/// The tag, and the number of request queues (virtio 1.2, 5.11.4).
fn config(tag: &str) -> Option<[u8; TAG_SIZE + 4]> {
    let mut config = [0; TAG_SIZE + 4];
    let (name, requests) = config.split_at_mut_checked(TAG_SIZE)?;
    name.get_mut(..tag.len())?.copy_from_slice(tag.as_bytes());
    requests.copy_from_slice(&1_u32.to_le_bytes());
    Some(config)
}

impl VirtioDevice for Fs {
    fn device_type(&self) -> u32 {
        VIRTIO_ID_FS
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_from(&self.config, offset, data);
    }

    fn activate(&mut self, activation: Activation) {
        if let Err(error) = self.backend.start(&activation, &self.doorbells) {
            (self.listener)(error);
        }
        self.active = Some(activation);
    }

    fn deactivate(&mut self) -> Option<Activation> {
        let mut activation = self.active.take()?;
        if let Err(error) = self.backend.stop(&mut activation) {
            (self.listener)(error);
        }
        Some(activation)
    }

    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError> {
        if let Some(doorbell) = self.doorbells.get(index) {
            // A full counter means that it has been rung already.
            let _ = doorbell.write(1);
        }
        Ok(Progress::Done)
    }

    fn doorbells(&self) -> Option<&[EventFd]> {
        Some(&self.doorbells)
    }

    fn host_fds(&self) -> Vec<HostFd> {
        vec![self.backend.host_fd()]
    }

    fn host_event(&mut self, fd: RawFd) -> Result<Progress, RingError> {
        if self.backend.has_gone(fd) {
            (self.listener)(BackendError::Gone);
        }
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
