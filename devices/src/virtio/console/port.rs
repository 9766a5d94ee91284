//! One port: bytes between a pair of queues and the host's end.

use std::io::{Read, Write};

use super::endpoint::{Endpoint, WindowSize};
use crate::Memory;
use crate::virtio::{Chain, HostFd, Progress, RingError, Virtqueue};

/// The most bytes that a call copies in each direction: the disks wait meanwhile.
const BUDGET: usize = 64 * 1024;
/// What a chain costs of it, however short it is.
const CHAIN_COST: usize = 64;
/// The most bytes that are copied at once.
const CHUNK: usize = 4096;

/// A port as it is made: what the driver is told, and the host's end.
pub struct Port {
    /// The name that the guest finds it by (`/dev/virtio-ports/NAME`); empty for none.
    pub name: String,
    /// Whether it is a console (`/dev/hvc0`) rather than a pipe for a program.
    pub is_console: bool,
    /// The host's end.
    pub endpoint: Box<dyn Endpoint>,
}

/// What has changed at the host's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody has come (true) or gone (false).
    Connected(bool),
    /// The terminal has another size.
    Resized,
}

/// A port at work.
pub struct ActivePort {
    /// What it was made as.
    pub port: Port,
    /// Whether the driver has prepared it, and wants to hear of it.
    pub is_ready: bool,
    /// Whether a program in the guest has opened it: until then, input waits.
    pub guest_open: bool,
    host_fds: Vec<HostFd>,
    is_connected: bool,
    size: Option<WindowSize>,
    /// How much of the first chain of the transmit queue the host has taken already.
    taken: usize,
}

/// How a chain fared.
enum Outcome {
    /// It is finished, with this many bytes written into it.
    Finished(u32),
    /// The host has nothing for it, or no room for the rest of it.
    Waits,
    /// The budget is spent.
    Interrupted,
}

impl ActivePort {
    /// Puts `port` to work; the guest has not opened it.
    pub fn new(port: Port) -> Self {
        Self {
            is_ready: false,
            guest_open: false,
            host_fds: port.endpoint.host_fds(),
            is_connected: port.endpoint.is_connected(),
            size: port.endpoint.size(),
            taken: 0,
            port,
        }
    }

    /// The files of the host's end.
    pub fn host_fds(&self) -> &[HostFd] {
        &self.host_fds
    }

    /// Whether somebody is at the host's end.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// The size of the terminal at the host's end.
    pub fn size(&self) -> Option<WindowSize> {
        self.size
    }

    /// Forgets the driver.
    pub fn reset(&mut self) {
        self.is_ready = false;
        self.guest_open = false;
        self.taken = 0;
    }

    /// Looks after the host's end; `tell` gets each change.
    pub fn update(&mut self, mut tell: impl FnMut(Change)) {
        loop {
            self.port.endpoint.update();
            let connected = self.port.endpoint.is_connected();
            if std::mem::replace(&mut self.is_connected, connected) == connected {
                break;
            }
            tell(Change::Connected(connected));
        }
        let size = self.port.endpoint.size();
        if size != std::mem::replace(&mut self.size, size) {
            tell(Change::Resized);
        }
    }

    /// Gives the host what the guest has printed, as far as it takes it.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    pub fn transmit(
        &mut self,
        queue: &mut Virtqueue,
        memory: &Memory,
    ) -> Result<Progress, RingError> {
        serve(queue, |chain, budget| self.print(chain, memory, budget))
    }

    /// Gives the guest what the host has, as far as there are buffers.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    pub fn receive(
        &mut self,
        queue: &mut Virtqueue,
        memory: &Memory,
    ) -> Result<Progress, RingError> {
        if !self.guest_open {
            return Ok(Progress::Done);
        }
        let endpoint = self.port.endpoint.as_mut();
        serve(queue, |chain, budget| fill(endpoint, chain, memory, budget))
    }

    /// Gives the host what it takes of `chain`.
    fn print(&mut self, chain: Chain<'_>, memory: &Memory, budget: &mut usize) -> Outcome {
        let Ok(mut reader) = chain.reader(memory) else {
            return Outcome::Finished(0);
        };
        let Ok(mut rest) = reader.split_at(self.taken) else {
            // The driver has changed a chain that we had begun.
            self.taken = 0;
            return Outcome::Finished(0);
        };
        let mut chunk = [0; CHUNK];
        while *budget > 0 {
            let count = rest.read(&mut chunk).unwrap_or(0);
            let bytes = chunk.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                self.taken = 0;
                return Outcome::Finished(0);
            }
            let taken = write_all(self.port.endpoint.as_mut(), bytes);
            self.taken = self.taken.saturating_add(taken);
            *budget = budget.saturating_sub(taken);
            if taken < count {
                return Outcome::Waits;
            }
        }
        Outcome::Interrupted
    }
}

/// Fills `chain` with what `endpoint` has.
fn fill(
    endpoint: &mut dyn Endpoint,
    chain: Chain<'_>,
    memory: &Memory,
    budget: &mut usize,
) -> Outcome {
    let Ok(mut writer) = chain.writer(memory) else {
        return Outcome::Finished(0);
    };
    let mut chunk = [0; CHUNK];
    let room = writer.available_bytes().min(CHUNK);
    if room == 0 {
        return Outcome::Finished(0);
    }
    // Only as much is read as the chain has room for: the rest waits in the host file.
    let count = endpoint.read(chunk.get_mut(..room).unwrap_or_default());
    if count == 0 {
        return Outcome::Waits;
    }
    *budget = budget.saturating_sub(count);
    let bytes = chunk.get(..count).unwrap_or_default();
    let written = writer.write(bytes).unwrap_or(0);
    Outcome::Finished(u32::try_from(written).unwrap_or(0))
}

/// Writes until `endpoint` takes nothing more.
fn write_all(endpoint: &mut dyn Endpoint, bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = endpoint.write(rest);
        if count == 0 {
            break;
        }
        rest = rest.get(count..).unwrap_or_default();
    }
    bytes.len().saturating_sub(rest.len())
}

/// Serves the chains of `queue` until one has to wait; that one is the next again.
///
/// While it waits, the driver need not kick: the host's readiness wakes us.
fn serve(
    queue: &mut Virtqueue,
    mut serve: impl FnMut(Chain<'_>, &mut usize) -> Outcome,
) -> Result<Progress, RingError> {
    let mut budget = BUDGET;
    let progress = loop {
        let Some(chain) = queue.pop()? else {
            if queue.want_kicks()? {
                continue;
            }
            break Progress::Done;
        };
        let head = chain.head_index();
        match serve(chain, &mut budget) {
            Outcome::Finished(written) => queue.complete(head, written)?,
            Outcome::Waits => {
                queue.undo_pop();
                queue.suppress_kicks()?;
                break Progress::Done;
            }
            Outcome::Interrupted => {
                queue.undo_pop();
                break Progress::More;
            }
        }
        budget = budget.saturating_sub(CHAIN_COST);
        if budget == 0 {
            break Progress::More;
        }
    };
    queue.notify()?;
    Ok(progress)
}
