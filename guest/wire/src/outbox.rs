//! What waits to be said to the other side.

use std::io::{self, ErrorKind, Write};

use crate::{Frame, FrameError, Kind, Stream};

/// Above this, streams wait; what must be said (a signal, the end of a command) is still added.
const HIGH: usize = 128 << 10;

/// Above this, the other side makes us say more than it takes.
const OVERFULL: usize = 1 << 20;

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

    /// Whether so much is unsent that whoever makes us say more is not to be heard. An honest
    /// other side takes what we say before it says more.
    pub fn is_overfull(&self) -> bool {
        self.unsent().len() >= OVERFULL
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
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.forget_sent();
        Ok(())
    }

    /// A port that never takes all of it would make it grow for ever. What is moved is no more
    /// than what was sent.
    fn forget_sent(&mut self) {
        if self.sent >= self.unsent().len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
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
    fn a_port_that_never_takes_all_of_it_does_not_make_it_grow() {
        let mut outbox = Outbox::default();
        for _ in 0..1000 {
            outbox.say(STREAM, Kind::Data, &[0; 1000]);
            let room = outbox.unsent().len() - 1;
            outbox
                .flush(&mut Port {
                    taken: Vec::new(),
                    room,
                })
                .unwrap();
            assert_eq!(outbox.unsent().len(), 1);
        }
        assert!(outbox.bytes.len() < 10_000, "{}", outbox.bytes.len());
    }

    #[test]
    fn whoever_does_not_take_what_is_said_to_him_is_not_heard_any_more() {
        let mut outbox = Outbox::default();
        let mut frames = 0;
        while !outbox.is_overfull() {
            outbox.say(STREAM, Kind::Credit, &[0; 8]);
            frames += 1;
        }
        assert!(frames > 10_000, "{frames}");
        outbox.flush(io::sink()).unwrap();
        assert!(!outbox.is_overfull());
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
