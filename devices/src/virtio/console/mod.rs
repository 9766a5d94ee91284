//! The console device (virtio 1.2, 5.3): ports between the guest and host files.
//!
//! - [`endpoint`]: the host's end of a port
//! - [`control`]: the messages about ports, and their outbox
//! - `dialogue`: when which of them is said
//! - `port`: bytes between a port's queues and its endpoint
//!
//! Nothing is buffered here. Input waits in the host file until the guest has a buffer;
//! output waits in the guest's queue until the host file has room.

pub mod control;
mod dialogue;
pub mod endpoint;
#[cfg(any(test, feature = "test-utils"))]
mod loopback;
mod port;

use std::os::fd::RawFd;

use virtio_bindings::virtio_ids::VIRTIO_ID_CONSOLE;
use vmm_sys_util::epoll::EventSet;

use self::control::{Message, Outbox, event};
use self::dialogue::{read_message, take_message, write_message};
use self::port::{ActivePort, Change};
use super::device::read_config_from;
use super::{Activation, HostFd, Progress, RingError, VirtioDevice, Virtqueue};

pub use self::endpoint::Endpoint;
#[cfg(any(test, feature = "test-utils"))]
pub use self::loopback::Loopback;
pub use self::port::Port;

/// The configuration holds the size of the first console.
pub const F_SIZE: u64 = 1 << 0;
/// There may be several ports, and messages about them.
pub const F_MULTIPORT: u64 = 1 << 1;
/// A byte can be printed by writing it into the configuration.
pub const F_EMERG_WRITE: u64 = 1 << 2;

/// Where the configuration has the byte to be printed.
const EMERG_WRITE: u64 = 8;
const QUEUE_SIZE: u16 = 64;
const CONTROL_RECEIVE: usize = 2;
const CONTROL_TRANSMIT: usize = 3;

/// A console device.
pub struct Console {
    ports: Vec<ActivePort>,
    queue_sizes: Vec<u16>,
    outbox: Outbox,
    generation: u32,
    active: Option<Activation>,
}

impl Console {
    /// A console device with `ports`, in their order.
    ///
    /// Messages are offered even for a single console, though they cost some exits at every
    /// boot: only by PORT_OPEN does a guest tell that it takes input. Linux throws away
    /// what comes between its first buffers and that.
    pub fn new(ports: Vec<Port>) -> Self {
        let queues = ports.len().max(1).saturating_add(1).saturating_mul(2);
        Self {
            ports: ports.into_iter().map(ActivePort::new).collect(),
            queue_sizes: vec![QUEUE_SIZE; queues],
            outbox: Outbox::default(),
            generation: 0,
            active: None,
        }
    }

    fn driver_has(&self, feature: u64) -> bool {
        let features = self.active.as_ref().map(|active| active.driver_features);
        features.is_some_and(|features| features & feature != 0)
    }

    fn config(&self) -> [u8; 12] {
        let size = self.ports.first().and_then(ActivePort::size);
        let (columns, rows) = size.map_or((0, 0), |size| (size.columns, size.rows));
        let ports = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        let ([a, b], [c, d]) = (columns.to_le_bytes(), rows.to_le_bytes());
        let [e, f, g, h] = ports.to_le_bytes();
        [a, b, c, d, e, f, g, h, 0, 0, 0, 0]
    }

    /// Looks after the host's end of port `number`, and lets the driver know; whether there
    /// was a change.
    fn update(&mut self, number: usize) -> bool {
        let (Some(port), Ok(id)) = (self.ports.get_mut(number), u32::try_from(number)) else {
            return false;
        };
        let (is_ready, is_console) = (port.is_ready, port.port.is_console);
        let (mut is_changed, mut is_resized) = (false, false);
        port.update(|change| {
            let message = match change {
                Change::Connected(open) => Message::new(id, event::PORT_OPEN, open),
                Change::Resized => Message::new(id, event::RESIZE, false),
            };
            is_changed = true;
            is_resized |= change == Change::Resized;
            // A console has a size and is always open; to a program it is the other way.
            if is_ready && is_console == (change == Change::Resized) {
                self.outbox.push(message);
            }
        });
        if is_resized && number == 0 {
            self.change_config();
        }
        is_changed
    }

    fn change_config(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.driver_has(F_SIZE)
            && let Some(active) = &self.active
        {
            active.interrupt.signal_config_change();
        }
    }

    /// Gives the host what the guest has printed on port `number`.
    fn transmit(&mut self, number: usize) -> Result<Progress, RingError> {
        let Self { ports, active, .. } = self;
        let (Some(port), Some(active)) = (ports.get_mut(number), active) else {
            return Ok(Progress::Done);
        };
        match queue(&mut active.queues, transmit_queue(number)) {
            Some(queue) => port.transmit(queue, &active.memory),
            None => Ok(Progress::Done),
        }
    }

    /// Gives the guest what has come for port `number`.
    fn receive(&mut self, number: usize) -> Result<Progress, RingError> {
        loop {
            let progress = self.receive_once(number)?;
            // Only after its last byte is read does a client count as gone; the next one
            // may have sent something already.
            if !self.update(number) || progress == Progress::More {
                self.send_messages()?;
                return Ok(progress);
            }
        }
    }

    fn receive_once(&mut self, number: usize) -> Result<Progress, RingError> {
        let Self { ports, active, .. } = self;
        let (Some(port), Some(active)) = (ports.get_mut(number), active) else {
            return Ok(Progress::Done);
        };
        match queue(&mut active.queues, receive_queue(number)) {
            Some(queue) => port.receive(queue, &active.memory),
            None => Ok(Progress::Done),
        }
    }

    /// Takes the driver's messages, and receives for the ports that they have opened.
    fn serve_messages(&mut self) -> Result<Progress, RingError> {
        let Self {
            ports,
            outbox,
            active,
            ..
        } = self;
        let queue = active
            .as_mut()
            .and_then(|active| queue(&mut active.queues, CONTROL_TRANSMIT));
        let Some(queue) = queue else {
            return Ok(Progress::Done);
        };
        let mut progress = queue.drain(|memory, chain| {
            if let Some(message) = read_message(memory, chain) {
                take_message(message, ports, outbox);
            }
            0
        })?;
        self.send_messages()?;
        for number in 0..self.ports.len() {
            progress = progress.or(self.receive(number)?);
        }
        Ok(progress)
    }

    /// Sends the messages that wait, as far as the driver has buffers.
    fn send_messages(&mut self) -> Result<(), RingError> {
        let Self {
            ports,
            outbox,
            active: Some(active),
            ..
        } = self
        else {
            return Ok(());
        };
        let Some(queue) = queue(&mut active.queues, CONTROL_RECEIVE) else {
            return Ok(());
        };
        while let Some(message) = outbox.first() {
            let Some(chain) = queue.pop()? else {
                if queue.want_kicks()? {
                    continue;
                }
                break;
            };
            let head = chain.head_index();
            let written = write_message(message, ports, &active.memory, chain);
            outbox.pop();
            queue.complete(head, written)?;
        }
        queue.notify()
    }
}

impl VirtioDevice for Console {
    fn device_type(&self) -> u32 {
        VIRTIO_ID_CONSOLE
    }

    fn features(&self) -> u64 {
        F_SIZE | F_MULTIPORT | F_EMERG_WRITE
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &self.queue_sizes
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_from(&self.config(), offset, data);
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        if let (EMERG_WRITE, Some(byte), Some(port)) =
            (offset, data.first(), self.ports.first_mut())
        {
            // If there is no room it is lost: an emergency does not wait.
            port.port.endpoint.write(&[*byte]);
        }
    }

    fn config_generation(&self) -> u32 {
        self.generation
    }

    fn activate(&mut self, activation: Activation) {
        let has_messages = activation.driver_features & F_MULTIPORT != 0;
        self.active = Some(activation);
        if let (false, Some(console)) = (has_messages, self.ports.first_mut()) {
            // Nobody will say that it is open.
            console.guest_open = true;
        }
        // What happened while nobody was there to be told.
        for number in 0..self.ports.len() {
            self.update(number);
        }
    }

    fn deactivate(&mut self) -> Option<Activation> {
        self.outbox.clear();
        self.ports.iter_mut().for_each(ActivePort::reset);
        self.active.take()
    }

    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError> {
        match index {
            CONTROL_RECEIVE => self.send_messages().map(|()| Progress::Done),
            CONTROL_TRANSMIT => self.serve_messages(),
            index if index % 2 == 0 => self.receive(port_of_queue(index)),
            index => self.transmit(port_of_queue(index)),
        }
    }

    fn host_fds(&self) -> Vec<HostFd> {
        let files = self.ports.iter().flat_map(ActivePort::host_fds);
        files.copied().collect()
    }

    fn host_event(&mut self, fd: RawFd) -> Result<Progress, RingError> {
        let files = self.ports.iter().map(ActivePort::host_fds).enumerate();
        let mut files = files.flat_map(|(port, files)| files.iter().map(move |file| (port, file)));
        let Some((number, file)) = files.find(|(_, file)| file.fd() == fd) else {
            return Ok(Progress::Done);
        };
        let event_set = file.event_set();
        let mut progress = Progress::Done;
        if event_set.contains(EventSet::IN) {
            self.update(number);
            progress = self.receive(number)?;
        }
        if event_set.contains(EventSet::OUT) {
            progress = progress.or(self.transmit(number)?);
        }
        Ok(progress)
    }
}

/// The first queue of port `number`: 0 for port 0, 4 for port 1, 6 for port 2
/// (virtio 1.2, 5.3.2).
fn receive_queue(number: usize) -> usize {
    match number {
        0 => 0,
        number => number.saturating_add(1).saturating_mul(2),
    }
}

fn transmit_queue(number: usize) -> usize {
    receive_queue(number).saturating_add(1)
}

fn port_of_queue(index: usize) -> usize {
    (index >> 1).saturating_sub(1)
}

fn queue(queues: &mut [Option<Virtqueue>], index: usize) -> Option<&mut Virtqueue> {
    queues.get_mut(index)?.as_mut()
}

#[cfg(test)]
mod tests;
