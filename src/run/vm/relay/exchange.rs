//! The thread that talks to one guest: orders and files on one side, the port on the other.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;

use rustix::event::{PollFd, PollFlags, poll};
use wire::{Decoder, Frame, Kind, Launch, Outbox, Part, Ready, Stream, WindowSize};

use super::connection::Connections;
use super::line::Teller;
use super::session::Session;
use crate::run::running::Streams;

/// What other threads want of the guest.
pub enum Order {
    /// Start a command in a new session.
    Open(u32, Box<Launch>, Streams, Teller),
    /// Send it a signal.
    Signal(u32, i32),
    /// Tell it of another size of its terminal.
    Resize(u32, WindowSize),
}

/// What the guest has said of itself.
pub type OnReady = Box<dyn FnOnce(Ready) + Send>;

/// How much is read at once.
pub const PIECE: usize = 64 << 10;

/// The command that the guest is there for.
pub const MAIN: u32 = 0;

/// What the thread has.
pub struct Exchange {
    /// Our end of the port.
    pub port: UnixStream,
    /// What is wanted of the guest.
    pub orders: Receiver<Order>,
    /// Becomes readable when there are orders.
    pub wake: OwnedFd,
    /// Called when the guest is up.
    pub on_ready: Option<OnReady>,
    /// What is read at once.
    pub piece: Box<[u8]>,
    /// From bytes to frames.
    pub decoder: Decoder,
    /// What is to be said.
    pub outbox: Outbox,
    /// The sessions that go on.
    pub sessions: BTreeMap<u32, Session>,
    /// Who has connected in the guest to a channel.
    pub connections: Connections,
}

impl Exchange {
    /// Talks until the guest is gone.
    pub fn run(mut self) {
        let reason = match self.talk() {
            Ok(()) => "the guest ended before its command".to_owned(),
            Err(error) => crate::chain(error.as_ref()),
        };
        for session in self.sessions.values() {
            session.fail(reason.clone());
        }
        self.connections.close();
        // Whatever it says now, nobody listens.
        let _ = self.port.shutdown(Shutdown::Both);
        // What the guest has said is still passed on.
        while !self.pump() {
            let _ = poll(&mut self.interests(), None);
        }
    }

    fn talk(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.port.set_nonblocking(true)?;
        loop {
            self.wait()?;
            self.take_orders();
            let is_there = self.hear()?;
            self.pump();
            if !is_there {
                return Ok(());
            }
            self.flush()?;
        }
    }

    /// Says what there is to say. That the guest is gone is found by reading, after what it has
    /// said last; it hears nothing any more.
    fn flush(&mut self) -> io::Result<()> {
        match self.outbox.flush(&self.port) {
            Err(error) if is_gone(&error) => {
                self.outbox = Outbox::default();
                Ok(())
            }
            flushed => flushed,
        }
    }

    fn wait(&self) -> io::Result<()> {
        let mut to_guest = PollFlags::empty();
        to_guest.set(PollFlags::IN, !self.outbox.is_overfull());
        to_guest.set(PollFlags::OUT, !self.outbox.is_empty());
        let mut events = vec![
            PollFd::new(&self.port, to_guest),
            PollFd::new(&self.wake, PollFlags::IN),
        ];
        events.extend(self.interests());
        match poll(&mut events, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn interests(&self) -> Vec<PollFd<'_>> {
        let sessions = self.sessions.values();
        let interests = sessions.flat_map(|session| session.interests(&self.outbox));
        let connections = self.connections.interests(&self.outbox);
        interests.chain(connections).collect()
    }

    fn take_orders(&mut self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Open(number, launch, streams, line) => {
                    self.open(number, &launch, streams, line);
                }
                Order::Signal(number, signal) => {
                    self.say(number, Kind::Signal, &signal.to_le_bytes());
                }
                Order::Resize(number, size) => self.say(number, Kind::Resize, &size.to_bytes()),
            }
        }
    }

    fn open(&mut self, number: u32, launch: &Launch, streams: Streams, line: Teller) {
        let stream = Stream::new(number, Part::Whole);
        let launch = serde_json::to_vec(launch).unwrap_or_default();
        match self.outbox.try_say(stream, Kind::Open, &launch) {
            Ok(()) => {
                self.sessions
                    .insert(number, Session::new(number, streams, line));
            }
            Err(error) => line.tell(Err(format!("cannot tell the guest the command: {error}"))),
        }
    }

    fn say(&mut self, number: u32, kind: Kind, payload: &[u8]) {
        self.outbox
            .say(Stream::new(number, Part::Whole), kind, payload);
    }

    /// Takes what the guest has said; whether it is still there. A guest that makes us answer more
    /// than it reads is not heard until it has read.
    fn hear(&mut self) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        if self.outbox.is_overfull() {
            return Ok(true);
        }
        loop {
            match self.port.read(&mut self.piece) {
                Ok(0) => return Ok(false),
                Ok(count) => self.decoder.push(&self.piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            let mut decoder = std::mem::take(&mut self.decoder);
            while let Some(frame) = decoder.next_frame()? {
                self.take(frame)?;
            }
            self.decoder = decoder;
            // Others want their turn: what is left wakes us again.
            return Ok(true);
        }
    }

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match frame.kind {
            Kind::Ready => {
                let ready = serde_json::from_slice(frame.payload)?;
                if let Some(on_ready) = self.on_ready.take() {
                    on_ready(ready);
                }
            }
            Kind::Connect => {
                let number = frame.stream.session();
                self.connections
                    .connect(number, frame.payload, &mut self.outbox)?;
            }
            _ => match self.sessions.get_mut(&frame.stream.session()) {
                Some(session) => session.take(frame)?,
                None => self.connections.take(frame)?,
            },
        }
        Ok(())
    }

    /// Moves bytes; whether nothing goes on any more.
    fn pump(&mut self) -> bool {
        self.connections.pump(&mut self.outbox);
        let Self {
            sessions, outbox, ..
        } = self;
        let had_main = sessions.contains_key(&MAIN);
        sessions.retain(|_, session| !session.pump(outbox));
        if had_main && !sessions.contains_key(&MAIN) {
            outbox.say(Stream::new(MAIN, Part::Whole), Kind::PowerOff, &[]);
        }
        sessions.is_empty()
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}
