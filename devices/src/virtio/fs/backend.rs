//! The other process that serves a device's queues, as the device talks to it (vhost-user).
//!
//! It is told where guest memory and the rings are, and which eventfds to wait for and to
//! write; nothing of a request ever passes through here. It knows no file system.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vhost::vhost_user::message::VhostUserHeaderFlag;
use vhost::vhost_user::{
    Frontend, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddress, GuestMemoryBackend};
use vmm_sys_util::eventfd::EventFd;

use crate::Memory;
use crate::virtio::transport::mmio::RING_FEATURES;
use crate::virtio::{Activation, HostFd};

/// How long it may take to answer before it is given up: a driver waits for it.
#[cfg(not(test))]
const PATIENCE: Duration = Duration::from_secs(20);
#[cfg(test)]
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a backend cannot serve the device.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// It does not know what every driver of ours may ask for.
    #[error("it lacks features that the device has offered: {0:#x}")]
    Features(u64),
    /// It does not answer, or not as it should.
    #[error("it breaks the vhost-user protocol")]
    Protocol(#[from] vhost::Error),
    /// Its end of the connection is closed.
    #[error("it has ended")]
    Gone,
    /// Guest memory is nothing that two processes could share.
    #[error("guest memory is private to this process")]
    PrivateMemory,
    /// A ring that the driver made ready is not in guest memory.
    #[error("a ring is not in guest memory")]
    Ring(#[from] vm_memory::GuestMemoryError),
    /// The host has no file descriptor or thread left.
    #[error("the host has no file descriptor or thread left")]
    Host(#[from] io::Error),
}

/// A connected backend.
pub struct Backend {
    frontend: Frontend,
    connection: UnixStream,
    is_gone: bool,
}

impl Backend {
    /// Gets to know the backend behind `connection`, which is to serve `queues` queues.
    ///
    /// # Errors
    /// It does not speak vhost-user, or cannot do what is needed.
    pub fn connect(connection: UnixStream, queues: usize) -> Result<Self, BackendError> {
        let other = connection.try_clone()?;
        let queues = u64::try_from(queues).unwrap_or(u64::MAX);
        let mut backend = Self {
            frontend: Frontend::from_stream(connection, queues),
            connection: other,
            is_gone: false,
        };
        backend.in_time(agree)?;
        Ok(backend)
    }

    /// Has it serve the queues of `activation`, kicked by `doorbells`.
    ///
    /// # Errors
    /// It refuses, or cannot be given what it needs.
    pub fn start(
        &mut self,
        activation: &Activation,
        doorbells: &[EventFd],
    ) -> Result<(), BackendError> {
        self.in_time(|frontend| start(frontend, activation, doorbells))
    }

    /// Has it finish what it has begun and let go of the queues of `activation`, which then
    /// stand where it has stopped.
    ///
    /// # Errors
    /// It has not answered; what it does with guest memory is not known any more.
    pub fn stop(&mut self, activation: &mut Activation) -> Result<(), BackendError> {
        self.in_time(|frontend| stop(frontend, activation))
    }

    /// What becomes ready when the backend is gone.
    pub fn host_fd(&self) -> HostFd {
        HostFd::input(&self.connection)
    }

    /// Whether it has just gone; told once.
    pub fn has_gone(&mut self, fd: RawFd) -> bool {
        let is_news = !self.is_gone && fd == self.connection.as_raw_fd();
        self.is_gone |= is_news && is_hung_up(&self.connection);
        is_news && self.is_gone
    }

    /// Talks to it, and hangs up if that takes too long.
    ///
    /// The protocol has no time-out, and a driver waits meanwhile.
    fn in_time<T: Send>(
        &mut self,
        talk: impl FnOnce(&mut Frontend) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let Self {
            frontend,
            connection,
            ..
        } = self;
        thread::scope(|scope| {
            let (done, is_done) = channel::<()>();
            let watchdog = thread::Builder::new().name("vhost-user".to_owned());
            watchdog.spawn_scoped(scope, move || {
                if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    // What fails here has been hung up by the other side.
                    let _ = connection.shutdown(std::net::Shutdown::Both);
                }
            })?;
            let result = talk(frontend);
            drop(done);
            result
        })
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

fn is_hung_up(connection: &UnixStream) -> bool {
    let mut polled = [PollFd::new(connection, PollFlags::RDHUP)];
    let at_once = Timespec::default();
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    poll(&mut polled, Some(&at_once)).is_ok()
        && polled.iter().any(|one| one.revents().intersects(gone))
}

/// Both sides say what they can do.
fn agree(frontend: &mut Frontend) -> Result<(), BackendError> {
    frontend.set_owner()?;
    let wanted = RING_FEATURES | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
    let lacking = wanted & !frontend.get_features()?;
    if lacking != 0 {
        return Err(BackendError::Features(lacking));
    }
    // Whatever it is told is then answered: a refusal is heard.
    let answers = VhostUserProtocolFeatures::REPLY_ACK;
    let offered = frontend.get_protocol_features()? & answers;
    frontend.set_protocol_features(offered)?;
    if offered.contains(answers) {
        frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
    }
    Ok(())
}

fn start(
    frontend: &mut Frontend,
    activation: &Activation,
    doorbells: &[EventFd],
) -> Result<(), BackendError> {
    let protocol = VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
    frontend.set_features(activation.driver_features | protocol)?;
    frontend.set_mem_table(&regions(&activation.memory)?)?;
    let interrupt = activation.interrupt.share();
    let queues = activation.queues.iter().zip(doorbells).enumerate();
    for (index, (queue, doorbell)) in queues {
        let Some(queue) = queue.as_ref().map(|queue| queue.queue()) else {
            continue;
        };
        frontend.set_vring_num(index, queue.size())?;
        frontend.set_vring_base(index, queue.next_avail())?;
        frontend.set_vring_addr(index, &rings(queue, &activation.memory)?)?;
        frontend.set_vring_call(index, interrupt)?;
        frontend.set_vring_kick(index, doorbell)?;
        frontend.set_vring_enable(index, true)?;
    }
    Ok(())
}

fn stop(frontend: &mut Frontend, activation: &mut Activation) -> Result<(), BackendError> {
    for (index, queue) in activation.queues.iter_mut().enumerate() {
        let Some(queue) = queue else { continue };
        frontend.set_vring_enable(index, false)?;
        // The answer comes when nothing of the queue is under way any more.
        let stopped_at = frontend.get_vring_base(index)?;
        queue.resume_at(u16::try_from(stopped_at).unwrap_or(0));
    }
    Ok(())
}

fn regions(memory: &Memory) -> Result<Vec<VhostUserMemoryRegionInfo>, BackendError> {
    let region = |region| VhostUserMemoryRegionInfo::from_guest_region(region);
    let regions: Result<_, _> = memory.iter().map(region).collect();
    regions.map_err(|_| BackendError::PrivateMemory)
}

/// Where the rings are, in addresses of this process, as the protocol wants it.
fn rings(queue: &Queue, memory: &Memory) -> Result<VringConfigData, BackendError> {
    let size = usize::from(queue.size());
    // virtio 1.2, 2.7: 16 bytes for each descriptor; 2 for each available and 8 for each used
    // chain, with 6 bytes around them.
    let place = |address, element: usize, frame: usize| {
        let length = size.saturating_mul(element).saturating_add(frame);
        let slice = memory.get_slice(GuestAddress(address), length)?;
        Ok::<_, BackendError>(slice.ptr_guard().as_ptr() as u64)
    };
    Ok(VringConfigData {
        queue_max_size: queue.max_size(),
        queue_size: queue.size(),
        flags: 0,
        desc_table_addr: place(queue.desc_table(), 16, 0)?,
        avail_ring_addr: place(queue.avail_ring(), 2, 6)?,
        used_ring_addr: place(queue.used_ring(), 8, 6)?,
        log_addr: None,
    })
}
