//! The control messages of ports (virtio 1.2, 5.3.6.2). It has no queue and no file.

use std::collections::VecDeque;

/// How long a message is without what may follow it.
pub const MESSAGE_SIZE: usize = 8;

/// The kinds of messages, as they stand in `event`.
pub mod event {
    /// The driver is ready for messages, or has failed.
    pub const DEVICE_READY: u16 = 0;
    /// The device has a port.
    pub const PORT_ADD: u16 = 1;
    /// The driver has prepared a port, or has failed to.
    pub const PORT_READY: u16 = 3;
    /// The port is a console.
    pub const CONSOLE_PORT: u16 = 4;
    /// The console's size; two numbers follow.
    pub const RESIZE: u16 = 5;
    /// The sender has opened or closed its end of the port.
    pub const PORT_OPEN: u16 = 6;
    /// The port's name follows.
    pub const PORT_NAME: u16 = 7;
}

/// `struct virtio_console_control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The port's number.
    pub port: u32,
    /// What it is about.
    pub event: u16,
    /// Mostly a yes (1) or no (0).
    pub value: u16,
}

impl Message {
    /// A message that says yes or no.
    pub fn new(port: u32, event: u16, value: bool) -> Self {
        let value = value.into();
        Self { port, event, value }
    }

    /// Reads a message from the beginning of `bytes`, if it is all there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = *bytes.first_chunk::<MESSAGE_SIZE>()?;
        Some(Self {
            port: u32::from_le_bytes([a, b, c, d]),
            event: u16::from_le_bytes([e, f]),
            value: u16::from_le_bytes([g, h]),
        })
    }

    /// The message as it lies in memory.
    pub fn to_bytes(self) -> [u8; MESSAGE_SIZE] {
        let [a, b, c, d] = self.port.to_le_bytes();
        let ([e, f], [g, h]) = (self.event.to_le_bytes(), self.value.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }
}

/// Messages that wait until the driver has a buffer for them.
///
/// A driver that asks and never listens, or a client that comes and goes, cannot make it
/// grow without end: for one port no two messages in it are the same.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Message>);

impl Outbox {
    /// Adds `message`; it is the last word on its port and event.
    pub fn push(&mut self, message: Message) {
        let Some(earlier) = self.0.iter().position(|waiting| *waiting == message) else {
            self.0.push_back(message);
            return;
        };
        // What was to be said in between (that a client had gone) has been overtaken.
        let mut position = 0..;
        self.0.retain(|waiting| {
            let same_subject = waiting.port == message.port && waiting.event == message.event;
            position.next() <= Some(earlier) || !same_subject
        });
    }

    /// The message to be sent next.
    pub fn first(&self) -> Option<Message> {
        self.0.front().copied()
    }

    /// Drops the first message: it is sent.
    pub fn pop(&mut self) {
        self.0.pop_front();
    }

    /// Drops all: the driver has reset the device.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(port: u32, value: bool) -> Message {
        Message::new(port, event::PORT_OPEN, value)
    }

    fn outbox(messages: &[Message]) -> Outbox {
        let mut outbox = Outbox::default();
        messages.iter().for_each(|message| outbox.push(*message));
        outbox
    }

    #[test]
    fn a_message_survives_its_bytes() {
        let message = Message {
            port: 0x0403_0201,
            event: event::PORT_NAME,
            value: 0x0605,
        };
        assert_eq!(message.to_bytes(), [1, 2, 3, 4, 7, 0, 5, 6]);
        assert_eq!(Message::parse(&message.to_bytes()), Some(message));
    }

    #[test]
    fn a_truncated_message_is_none() {
        assert_eq!(Message::parse(&[0; MESSAGE_SIZE - 1]), None);
    }

    #[test]
    fn messages_go_out_in_order() {
        let mut outbox = outbox(&[open(1, true), open(2, true)]);
        assert_eq!(outbox.first(), Some(open(1, true)));
        outbox.pop();
        assert_eq!(outbox.first(), Some(open(2, true)));
    }

    #[test]
    fn a_client_that_comes_and_goes_does_not_fill_the_outbox() {
        let many = [open(1, false), open(1, true)].repeat(1000);
        assert_eq!(outbox(&many).0, [open(1, false), open(1, true)]);
    }

    #[test]
    fn the_last_word_on_a_port_counts() {
        let talk = [open(1, true), open(1, false), open(2, false), open(1, true)];
        assert_eq!(outbox(&talk).0, [open(1, true), open(2, false)]);
    }
}
