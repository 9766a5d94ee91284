//! A host's end without a host, for tests and fuzzers: what is printed is typed.

use std::collections::VecDeque;

use super::{Console, Endpoint, Port};
use crate::virtio::HostFd;

/// An endpoint with room for so many bytes, that come back as input.
pub struct Loopback {
    bytes: VecDeque<u8>,
    room: usize,
}

impl Loopback {
    /// An empty endpoint with room for `room` bytes.
    pub fn new(room: usize) -> Self {
        let bytes = VecDeque::new();
        Self { bytes, room }
    }

    /// A device with a console and a port for a program, both looped.
    pub fn console() -> Console {
        let port = |name: &str, is_console, room| Port {
            name: name.to_owned(),
            is_console,
            endpoint: Box::new(Self::new(room)),
        };
        Console::new(vec![port("", true, 100), port("agent", false, 10_000)])
    }
}

impl Endpoint for Loopback {
    fn host_fds(&self) -> Vec<HostFd> {
        Vec::new()
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.bytes.len());
        let bytes = self.bytes.drain(..count);
        buffer
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        count
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room.saturating_sub(self.bytes.len()));
        self.bytes.extend(bytes.iter().take(taken));
        taken
    }
}
