//! What waits to be said to the host.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use wire::{Frame, Kind, Stream};

/// Above this, streams wait; what must be said (that a command has ended) is still added.
const HIGH: usize = 128 << 10;

/// Frames in their order, as bytes.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Adds a frame.
    pub fn say(&mut self, stream: Stream, kind: Kind, payload: &[u8]) {
        // All that we say is shorter than a frame may be.
        let _ = Frame::new(stream, kind, payload).encode(&mut self.bytes);
    }

    /// Whether a stream may add to it.
    pub fn has_room(&self) -> bool {
        self.bytes.len() - self.sent < HIGH
    }

    /// Whether all is sent.
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Sends as much as `port` takes.
    ///
    /// # Errors
    /// The port is gone.
    pub fn flush(&mut self, port: &mut File) -> io::Result<()> {
        while !self.is_empty() {
            match port.write(self.bytes.get(self.sent..).unwrap_or_default()) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }
}
