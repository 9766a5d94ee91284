//! A device for tests of what all devices share: it answers what it was asked.

use std::io::{Read, Write};

use crate::Memory;
use crate::virtio::device::read_config_from;
use crate::virtio::{Activation, Chain, Progress, RingError, VirtioDevice};

/// How many descriptors its only queue has.
pub const QUEUE_SIZE: u16 = 8;
/// A feature bit that it offers.
pub const FEATURE: u64 = 1 << 3;

/// Copies the readable part of each chain to the writable one.
#[derive(Default)]
pub struct Echo {
    active: Option<Activation>,
    config: [u8; 4],
}

impl VirtioDevice for Echo {
    fn device_type(&self) -> u32 {
        42
    }

    fn features(&self) -> u64 {
        FEATURE
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_from(&self.config, offset, data);
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        if offset == 0 && data.len() == self.config.len() {
            self.config.copy_from_slice(data);
        }
    }

    fn activate(&mut self, activation: Activation) {
        self.active = Some(activation);
    }

    fn deactivate(&mut self) -> Option<Activation> {
        self.active.take()
    }

    fn queue_notify(&mut self, index: usize) -> Result<Progress, RingError> {
        let active = self
            .active
            .as_mut()
            .expect("only an active device is notified");
        match active.queues[index].as_mut() {
            Some(queue) => queue.drain(answer),
            None => Ok(Progress::Done),
        }
    }
}

fn answer(memory: &Memory, chain: Chain<'_>) -> u32 {
    let mut question = Vec::new();
    let (Ok(mut reader), Ok(mut writer)) = (chain.clone().reader(memory), chain.writer(memory))
    else {
        return 0;
    };
    reader.read_to_end(&mut question).unwrap();
    u32::try_from(writer.write(&question).unwrap()).unwrap()
}
