//! A split virtqueue from the device's side: chains come out, lengths go back.
//!
//! It holds the notification protocol (virtio 1.2, 2.7) once for all devices:
//! EVENT_IDX, used-ring suppression, and a budget so that one busy queue cannot
//! keep the event loop from the others. It knows no device.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use virtio_bindings::virtio_ring::VRING_AVAIL_F_NO_INTERRUPT;
use virtio_queue::{DescriptorChain, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

use super::{Interrupt, Progress};
use crate::Memory;

/// A chain of descriptors that the driver made available.
pub type Chain<'m> = DescriptorChain<&'m Memory>;

/// The driver broke the ring protocol, or put the ring where no memory is.
#[derive(Debug, thiserror::Error)]
#[error("queue {queue}: the ring is broken")]
pub struct RingError {
    /// The queue's index.
    pub queue: usize,
    /// What is wrong with it.
    pub source: virtio_queue::Error,
}

/// A queue that the driver made ready, with the memory and the interrupt it needs.
pub struct Virtqueue {
    index: usize,
    queue: Queue,
    memory: Memory,
    interrupt: Arc<Interrupt>,
    completed_some: bool,
}

impl Virtqueue {
    /// Joins `queue`, already configured and found valid, to its memory and interrupt.
    pub fn new(index: usize, queue: Queue, memory: Memory, interrupt: Arc<Interrupt>) -> Self {
        Self {
            index,
            queue,
            memory,
            interrupt,
            completed_some: false,
        }
    }

    /// The memory in which the chains lie.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Serves what is available: `serve` gets the memory and each chain,
    /// and returns the bytes it wrote.
    ///
    /// At most one ring's worth is served in a call; `Progress::More` says that there is more.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    pub fn drain(
        &mut self,
        mut serve: impl FnMut(&Memory, Chain<'_>) -> u32,
    ) -> Result<Progress, RingError> {
        let progress = self.drain_quietly(&mut serve);
        self.notify()?;
        progress
    }

    fn drain_quietly(
        &mut self,
        serve: &mut impl FnMut(&Memory, Chain<'_>) -> u32,
    ) -> Result<Progress, RingError> {
        let index = self.index;
        let mut budget = self.queue.size();
        self.suppress_kicks()?;
        loop {
            while let Some(chain) = pop(&mut self.queue, &self.memory, index)? {
                let head = chain.head_index();
                let written = serve(&self.memory, chain);
                self.complete(head, written)?;
                budget = budget.saturating_sub(1);
                if budget == 0 {
                    return Ok(Progress::More);
                }
            }
            if !self.want_kicks()? {
                return Ok(Progress::Done);
            }
        }
    }

    /// Takes the next available chain, for devices that complete it later or in part.
    ///
    /// # Errors
    /// The ring breaks the protocol.
    pub fn pop(&mut self) -> Result<Option<Chain<'_>>, RingError> {
        pop(&mut self.queue, &self.memory, self.index)
    }

    /// Puts the chain that was popped last back; the next `pop` gives it again.
    pub fn undo_pop(&mut self) {
        self.queue.go_to_previous_position();
    }

    /// Returns the chain with `head` to the driver; `written` bytes of it were filled.
    ///
    /// # Errors
    /// The used ring is not in memory.
    pub fn complete(&mut self, head: u16, written: u32) -> Result<(), RingError> {
        self.completed_some = true;
        let result = self.queue.add_used(&self.memory, head, written);
        self.check(result)
    }

    /// Interrupts the driver if it waits for what was completed since the last call.
    ///
    /// # Errors
    /// The available ring is not in memory.
    pub fn notify(&mut self) -> Result<(), RingError> {
        let wanted = self.needs_interrupt();
        if self.check(wanted)? {
            self.interrupt.signal_used_buffer();
        }
        Ok(())
    }

    /// Asks the driver for a kick with the next chain; true if one is here already.
    ///
    /// # Errors
    /// The ring is not in memory.
    pub fn want_kicks(&mut self) -> Result<bool, RingError> {
        let result = self.queue.enable_notification(&self.memory);
        self.check(result)
    }

    /// Tells the driver that no kick is needed for now.
    ///
    /// # Errors
    /// The ring is not in memory.
    pub fn suppress_kicks(&mut self) -> Result<(), RingError> {
        let result = self.queue.disable_notification(&self.memory);
        self.check(result)
    }

    fn needs_interrupt(&mut self) -> Result<bool, virtio_queue::Error> {
        if !std::mem::take(&mut self.completed_some) {
            return Ok(false);
        }
        if self.queue.event_idx_enabled() {
            return self.queue.needs_notification(&self.memory);
        }
        Ok(!self.driver_refuses_interrupts()?)
    }

    /// VIRTQ_AVAIL_F_NO_INTERRUPT, the hint without EVENT_IDX (virtio 1.2, 2.7.7).
    fn driver_refuses_interrupts(&self) -> Result<bool, virtio_queue::Error> {
        // Order the used index, written before, against the flags, read now.
        fence(Ordering::SeqCst);
        let flags: u16 = self
            .memory
            .load(GuestAddress(self.queue.avail_ring()), Ordering::Relaxed)
            .map_err(virtio_queue::Error::GuestMemory)?;
        Ok(u32::from(u16::from_le(flags)) & VRING_AVAIL_F_NO_INTERRUPT != 0)
    }

    fn check<T>(&self, result: Result<T, virtio_queue::Error>) -> Result<T, RingError> {
        result.map_err(|source| RingError {
            queue: self.index,
            source,
        })
    }
}

fn pop<'m>(
    queue: &mut Queue,
    memory: &'m Memory,
    index: usize,
) -> Result<Option<Chain<'m>>, RingError> {
    match queue.iter(memory) {
        Ok(mut chains) => Ok(chains.next()),
        Err(source) => Err(RingError {
            queue: index,
            source,
        }),
    }
}
