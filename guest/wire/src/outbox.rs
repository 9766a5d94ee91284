//! What waits to be said to the other side.

use std::io::{self, ErrorKind, Write};

use crate::{Frame, FrameError, Kind, Stream};

/// Above this, streams wait; what must be said (a signal, the end of a command) is still added.
const HIGH: usize = 128 << 10;

/// Frames in their order, as bytes.
#[derive(Debug, Default)]
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
        self.unsent().len() < HIGH
    }

    /// Whether all is sent.
    pub fn is_empty(&self) -> bool {
        self.unsent().is_empty()
    }

    /// Sends as much as `port` takes.
    ///
    /// # Errors
    /// The port is gone.
    pub fn flush(&mut self, mut port: impl Write) -> io::Result<()> {
        while !self.is_empty() {
            match port.write(self.unsent()) {
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }

    fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HEADER_SIZE, Part};

    const STREAM: Stream = Stream::new(1, Part::Output);

    /// A port that takes so many bytes before it would block.
    struct Port {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Port {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_port_does_not_take_is_sent_later() {
        let mut outbox = Outbox::default();
        outbox.say(STREAM, Kind::Data, b"ab");
        let mut port = Port {
            taken: Vec::new(),
            room: 5,
        };
        outbox.flush(&mut port).unwrap();
        assert!(!outbox.is_empty());
        port.room = usize::MAX;
        outbox.flush(&mut port).unwrap();
        assert!(outbox.is_empty());
        assert_eq!(port.taken.len(), HEADER_SIZE + 2);
    }

    #[test]
    fn streams_wait_while_much_is_unsent() {
        let mut outbox = Outbox::default();
        outbox.say(STREAM, Kind::Data, &vec![0; HIGH]);
        assert!(!outbox.has_room());
        outbox.flush(io::sink()).unwrap();
        assert!(outbox.has_room());
    }
}
