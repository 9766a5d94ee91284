//! The entropy device (virtio 1.2, 5.4): the host's random bytes, no state of its own.

use std::io::Write;

use rustix::rand::{GetRandomFlags, getrandom};
use virtio_bindings::virtio_ids::VIRTIO_ID_RNG;
use virtio_queue::Writer;

use super::{Activation, Chain, Progress, RingError, VirtioDevice};
use crate::Memory;

const QUEUE_SIZE: u16 = 64;
/// The most bytes one request gets, so that a request costs a bounded time.
const MAX_REQUEST: u32 = 64 * 1024;

/// A virtio entropy device that reads the host's generator.
#[derive(Default)]
pub struct Rng {
    active: Option<Activation>,
}

impl VirtioDevice for Rng {
    fn device_type(&self) -> u32 {
        VIRTIO_ID_RNG
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn activate(&mut self, activation: Activation) {
        self.active = Some(activation);
    }

    fn deactivate(&mut self) -> Option<Activation> {
        self.active.take()
    }

    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError> {
        let queue = self
            .active
            .as_mut()
            .and_then(|active| active.queues.get_mut(index)?.as_mut());
        match queue {
            Some(queue) => queue.drain(fill),
            None => Ok(Progress::Done),
        }
    }
}

/// Fills the chain's writable part with random bytes; returns how many.
fn fill(memory: &Memory, chain: Chain<'_>) -> u32 {
    match chain.writer(memory) {
        Ok(mut writer) => fill_from_host(&mut writer),
        // A buffer outside of memory: returned empty, the driver asks again or does not.
        Err(_) => 0,
    }
}

fn fill_from_host(writer: &mut Writer<'_>) -> u32 {
    let mut bytes = [0u8; 256];
    let mut written: u32 = 0;
    while written < MAX_REQUEST && writer.available_bytes() > 0 {
        let Ok(count) = getrandom(&mut bytes, GetRandomFlags::empty()) else {
            break;
        };
        let random = bytes.get(..count).unwrap_or_default();
        let Ok(copied) = writer.write(random) else {
            break;
        };
        written = written.saturating_add(u32::try_from(copied).unwrap_or(0));
    }
    written
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::driver::{Buffer, Driver};

    fn started() -> Driver {
        let mut driver = Driver::new(Rng::default());
        driver.start(0);
        driver
    }

    #[test]
    fn a_buffer_is_filled_with_bytes_that_differ() {
        let mut driver = started();
        let bytes = driver.ask(0, &[], 4096);
        let blocks: HashSet<_> = bytes.chunks(16).collect();
        assert_eq!(blocks.len(), 4096 / 16);
    }

    #[test]
    fn a_request_costs_a_bounded_time() {
        let mut driver = started();
        let len = driver.ask(0, &[], 1 << 20).len();
        assert_eq!(len, MAX_REQUEST as usize);
    }

    #[test]
    fn a_buffer_without_room_comes_back_empty() {
        assert_eq!(started().ask(0, b"nothing to write to", 0), b"");
    }

    #[test]
    fn a_buffer_outside_of_memory_comes_back_empty() {
        let mut driver = started();
        driver.ring(0).add(&[Buffer::writable(u64::MAX - 10, 64)]);
        driver.kick(0);
        assert_eq!(driver.wait(0).len, 0);
        assert_eq!(driver.ask(0, &[], 8).len(), 8);
    }
}
