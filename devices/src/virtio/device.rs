//! What every virtio device offers its transport. It names no device and no transport.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::eventfd::EventFd;

use super::{Interrupt, RingError, Virtqueue};
use crate::Memory;

/// What the driver hands over with DRIVER_OK (virtio 1.2, 3.1.1).
pub struct Activation {
    /// Guest memory, for devices that keep requests beyond one call.
    pub memory: Memory,
    /// The queues that the driver made ready; `None` where it left one out.
    pub queues: Vec<Option<Virtqueue>>,
    /// The features that both sides agreed on.
    pub driver_features: u64,
    /// For configuration change notifications; used buffers are told by the queues.
    pub interrupt: Arc<Interrupt>,
}

/// Whether a call has left work behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything that could be done was done.
    Done,
    /// The budget of one call is spent: call again soon, after others had their turn.
    More,
}

impl Progress {
    /// Whether either has left work behind.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Done => other,
            Self::More => self,
        }
    }
}

/// A host file whose readiness concerns a device, and which readiness that is.
///
/// Hang-ups are always told. All is told by edges: once, when it comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFd {
    fd: RawFd,
    event_set: EventSet,
}

impl HostFd {
    /// Waits until there is something to read from `file`.
    pub fn input(file: &impl AsRawFd) -> Self {
        Self::new(file, EventSet::IN | EventSet::READ_HANG_UP)
    }

    /// Waits until there is room to write to `file`.
    pub fn output(file: &impl AsRawFd) -> Self {
        Self::new(file, EventSet::OUT)
    }

    /// Waits for both.
    pub fn both(file: &impl AsRawFd) -> Self {
        let set = EventSet::IN | EventSet::READ_HANG_UP | EventSet::OUT;
        Self::new(file, set)
    }

    fn new(file: &impl AsRawFd, event_set: EventSet) -> Self {
        Self {
            fd: file.as_raw_fd(),
            event_set: event_set | EventSet::EDGE_TRIGGERED,
        }
    }

    /// The file descriptor.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// What epoll shall tell of it.
    pub fn event_set(&self) -> EventSet {
        self.event_set
    }
}

/// A virtio device: what it is, and what it does once a driver has taken it.
///
/// All calls come with the transport's lock held, so never two at a time. Between
/// `activate` and `deactivate` the device is active; `queue_notify` and `host_event`
/// are called only then. An error from either sets DEVICE_NEEDS_RESET, after which
/// nothing but `deactivate` is called.
pub trait VirtioDevice: Send {
    /// The device ID (virtio 1.2, 5).
    fn device_type(&self) -> u32;

    /// Feature bits of the device itself; the transport adds those of the rings.
    fn features(&self) -> u64;

    /// The most descriptors that each queue may have, powers of two up to 32768.
    fn queue_max_sizes(&self) -> &[u16];

    /// Fills `data` from the configuration space; bytes past its end read as zero.
    fn read_config(&self, offset: u64, data: &mut [u8]);

    /// Stores into the configuration space; ignored where it is not writable.
    fn write_config(&mut self, _offset: u64, _data: &[u8]) {}

    /// A number that changes whenever the configuration does (virtio 1.2, 4.2.2).
    fn config_generation(&self) -> u32 {
        0
    }

    /// Takes the queues and starts to work.
    fn activate(&mut self, activation: Activation);

    /// Stops, waits for requests in flight, and gives back what `activate` took.
    fn deactivate(&mut self) -> Option<Activation>;

    /// Serves queue `index` after the driver made buffers available in it.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError>;

    /// Doorbells that another process answers, one for each queue: nobody here then waits for
    /// them, and `queue_notify` is called only for a kick that came by an exit.
    fn doorbells(&self) -> Option<&[EventFd]> {
        None
    }

    /// Host files whose readiness concerns the device, all its life long.
    ///
    /// They are watched edge-triggered: the device reads or writes until it would block,
    /// or remembers that it has not. One that cannot be watched (a regular file) is
    /// always ready.
    fn host_fds(&self) -> Vec<HostFd> {
        Vec::new()
    }

    /// Serves `fd`, one of `host_fds`, after it became ready or was hung up.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    fn host_event(&mut self, _fd: RawFd) -> Result<Progress, RingError> {
        Ok(Progress::Done)
    }
}

/// Copies the part of `config` at `offset` into `data`, zeroes beyond.
pub fn read_config_from(config: &[u8], offset: u64, data: &mut [u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = config.get(start..).unwrap_or_default();
    data.fill(0);
    for (to, from) in data.iter_mut().zip(rest) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_past_its_end_reads_as_zero() {
        let mut data = [0xaa; 4];
        read_config_from(&[1, 2, 3], 1, &mut data);
        assert_eq!(data, [2, 3, 0, 0]);
        read_config_from(&[1, 2, 3], u64::MAX, &mut data);
        assert_eq!(data, [0; 4]);
    }
}
