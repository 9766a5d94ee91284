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

    /// Where its parts lie in memory, and where it stands.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Goes on with the available chain of this number, where another process has stopped.
    pub fn resume_at(&mut self, available: u16) {
        self.queue.set_next_avail(available);
    }

    /// How many descriptors it has.
    pub fn size(&self) -> u16 {
        self.queue.size()
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

#[cfg(test)]
mod tests {
    use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;

    use crate::driver::echo::{Echo, QUEUE_SIZE};
    use crate::driver::{Buffer, Driver, Used};

    const EVENT_IDX: u64 = 1 << VIRTIO_RING_F_EVENT_IDX;

    fn started(features: u64) -> Driver {
        let mut driver = Driver::new(Echo::default());
        driver.start(features);
        driver
    }

    fn add(driver: &mut Driver, count: u16) {
        for _ in 0..count {
            driver.ring(0).add(&[Buffer::readable(0x1000, 4)]);
        }
        driver.kick(0);
    }

    #[test]
    fn a_chain_of_several_parts_is_one_request() {
        let mut driver = started(0);
        let (question, answer) = (driver.store(b"ping pong"), driver.alloc(16));
        driver.ring(0).add(&[
            Buffer::readable(question, 4),
            Buffer::readable(question + 4, 5),
            Buffer::writable(answer, 3),
            Buffer::writable(answer + 3, 13),
        ]);
        driver.kick(0);
        assert_eq!(driver.wait(0).len, 9);
        assert_eq!(driver.load(answer, 9), b"ping pong");
    }

    #[test]
    fn an_indirect_chain_may_be_longer_than_the_queue() {
        let mut driver = started(0);
        let (question, answer) = (driver.store(b"0123456789"), driver.alloc(16));
        let mut chain: Vec<_> = (0..10)
            .map(|offset| Buffer::readable(question + offset, 1))
            .collect();
        chain.push(Buffer::writable(answer, 16));
        let table = driver.alloc(4096);
        driver.ring(0).add_indirect(table, &chain);
        driver.kick(0);
        driver.wait(0);
        assert!(chain.len() > usize::from(QUEUE_SIZE));
        assert_eq!(driver.load(answer, 1), b"0");
    }

    #[test]
    fn an_indirect_table_inside_of_another_ends_the_chain() {
        use virtio_queue::desc::split::Descriptor;
        const INDIRECT: u16 = 4;
        let mut driver = started(0);
        let table = driver.alloc(16);
        let ring = driver.ring(0);
        for place in [table, ring.descriptor_table()] {
            ring.write_descriptor(place, 0, Descriptor::new(table, 16, INDIRECT, 0));
        }
        ring.publish(0);
        driver.kick(0);
        assert_eq!(driver.wait(0), Used { head: 0, len: 0 });
    }

    #[test]
    fn the_ring_goes_round() {
        let mut driver = started(EVENT_IDX);
        for turn in 0..3 * QUEUE_SIZE {
            let question = turn.to_le_bytes();
            assert_eq!(driver.ask(0, &question, 2), question);
        }
    }

    #[test]
    fn a_full_ring_is_served_with_one_kick_and_one_interrupt() {
        let mut driver = started(0);
        add(&mut driver, QUEUE_SIZE);
        assert_eq!(driver.ring(0).used_index(), QUEUE_SIZE);
        assert_eq!(driver.take_interrupts(), 1);
    }

    #[test]
    fn one_call_serves_at_most_one_ring_of_chains() {
        use crate::virtio::Progress;
        let mut driver = started(0);
        // Not kicked by register, which would go on while there is more.
        for _ in 0..QUEUE_SIZE {
            driver.ring(0).add(&[Buffer::readable(0x1000, 4)]);
        }
        let progress = driver.transport().queue_notify(0);
        assert_eq!(progress, Progress::More);
        assert_eq!(driver.transport().queue_notify(0), Progress::Done);
    }

    #[test]
    fn no_interrupt_comes_while_the_driver_refuses_them() {
        let mut driver = started(0);
        driver.ring(0).refuse_interrupts(true);
        add(&mut driver, 1);
        assert_eq!(driver.take_interrupts(), 0);
        driver.ring(0).refuse_interrupts(false);
        add(&mut driver, 1);
        assert_eq!(driver.take_interrupts(), 1);
    }

    #[test]
    fn with_event_idx_the_interrupt_comes_at_the_chain_that_was_named() {
        let mut driver = started(EVENT_IDX);
        driver.ring(0).set_used_event(2);
        add(&mut driver, 2);
        assert_eq!(driver.take_interrupts(), 0);
        add(&mut driver, 1);
        assert_eq!(driver.take_interrupts(), 1);
        add(&mut driver, 1);
        assert_eq!(driver.take_interrupts(), 0);
    }

    #[test]
    fn an_idle_device_wants_to_be_kicked() {
        for features in [0, EVENT_IDX] {
            let mut driver = started(features);
            add(&mut driver, 1);
            driver.ring(0).add(&[Buffer::readable(0x1000, 4)]);
            assert!(driver.ring(0).wants_kick(1), "{features:#x}");
        }
    }

    #[test]
    fn nothing_made_available_is_nothing_used() {
        let mut driver = started(0);
        driver.kick(0);
        assert_eq!(driver.ring(0).collect(), None);
        assert_eq!(driver.take_interrupts(), 0);
    }
}
