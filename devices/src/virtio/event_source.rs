//! Joins any virtio device to the event loop: doorbells in, host files in.
//!
//! The doorbells exist before the guest does, so nothing is added to the loop later and
//! no device has event code of its own.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::transport::MmioTransport;
use super::{HostFd, Progress};

/// What became ready, as it stands in the event's data.
const HOST_FILE: u32 = u32::MAX;

/// The event side of one device.
pub struct VirtioEventSource {
    transport: Arc<Mutex<MmioTransport>>,
    doorbells: Vec<EventFd>,
    answers_doorbells: bool,
    host_fds: Vec<HostFd>,
}

impl VirtioEventSource {
    /// Makes a doorbell for each queue of `transport`, unless its device has its own.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(transport: Arc<Mutex<MmioTransport>>) -> io::Result<Self> {
        let (count, host_fds, others) = {
            let transport = lock(&transport);
            let others = transport.doorbells().transpose()?;
            (transport.queue_count(), transport.host_fds(), others)
        };
        let make = || (0..count).map(|_| EventFd::new(EFD_NONBLOCK)).collect();
        Ok(Self {
            transport,
            answers_doorbells: others.is_none(),
            doorbells: others.map_or_else(make, Ok)?,
            host_fds,
        })
    }

    /// One eventfd for each queue, to be rung by writes of its index to QueueNotify.
    pub fn doorbells(&self) -> &[EventFd] {
        &self.doorbells
    }

    fn serve_queue(&self, index: usize) {
        let Some(doorbell) = self.doorbells.get(index) else {
            return;
        };
        // A doorbell that another call has already answered reads as "would block".
        let _ = doorbell.read();
        if lock(&self.transport).queue_notify(index) == Progress::More {
            // Ring it ourselves: the others get their turn first.
            let _ = doorbell.write(1);
        }
    }

    fn serve_host_file(&self, events: Events, ops: &EventOps) {
        if lock(&self.transport).host_event(events.fd()) == Progress::Done {
            return;
        }
        // Setting an edge-triggered interest anew reports what is still ready.
        let file = self.host_fds.iter().find(|file| file.fd() == events.fd());
        if let Some(Err(error)) = file.map(|file| ops.modify(host_interest(file))) {
            log::error!("cannot watch a device's host file: {error}");
        }
    }
}

impl MutEventSubscriber for VirtioEventSource {
    fn init(&mut self, ops: &mut EventOps) {
        let answered = self.doorbells.iter().filter(|_| self.answers_doorbells);
        for (index, doorbell) in (0..HOST_FILE).zip(answered) {
            let interest = Events::with_data(doorbell, index, EventSet::IN);
            add(ops, interest);
        }
        for file in &self.host_fds {
            add(ops, host_interest(file));
        }
    }

    fn process(&mut self, events: Events, ops: &mut EventOps) {
        match events.data() {
            HOST_FILE => self.serve_host_file(events, ops),
            index => self.serve_queue(usize::try_from(index).unwrap_or(usize::MAX)),
        }
    }
}

fn host_interest(file: &HostFd) -> Events {
    Events::with_data_raw(file.fd(), HOST_FILE, file.event_set())
}

fn add(ops: &mut EventOps, interest: Events) {
    match ops.add(interest) {
        Ok(()) => {}
        // A regular file cannot be watched; it is always ready, and its device knows that.
        Err(event_manager::Error::Epoll(error)) if error.errno() == EPERM => {}
        Err(error) => log::error!("cannot watch file descriptor {}: {error}", interest.fd()),
    }
}

/// The one refusal of epoll that is no fault; the same number on every Linux.
const EPERM: i32 = 1;

fn lock(transport: &Mutex<MmioTransport>) -> MutexGuard<'_, MmioTransport> {
    transport.lock().unwrap_or_else(PoisonError::into_inner)
}
