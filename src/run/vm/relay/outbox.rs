//! What waits to be said to the guest.

use std::io::{self, ErrorKind, Write};

use wire::{Frame, FrameError, Kind, Stream};

/// Above this, streams wait; what must be said (a signal) is still added.
const HIGH: usize = 128 << 10;

/// Frames in their order, as bytes.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Adds a frame that is short by its kind.
    pub fn say(&mut self, stream: Stream, kind: Kind, payload: &[u8]) {
        let said = self.try_say(stream, kind, payload);
        debug_assert!(said.is_ok(), "{kind:?} of {} bytes", payload.len());
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// The payload is too long for any frame.
    pub fn try_say(
        &mut self,
        stream: Stream,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), FrameError> {
        Frame::new(stream, kind, payload).encode(&mut self.bytes)
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
    pub fn flush(&mut self, mut port: impl Write) -> io::Result<()> {
        while !self.is_empty() {
            match port.write(&self.bytes[self.sent..]) {
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
