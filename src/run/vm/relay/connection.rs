//! The host's half of a guest's channels: who connects in the guest comes in by the door of the
//! instance, as the commands of the other walls do themselves.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use devices::host_io::{HostInput, HostOutput};
use rustix::event::PollFd;
use wire::{Frame, Kind, MAX_CONNECTIONS, Outbox, Overrun, Part, Stream};

use super::stream::{Feed, Tap};
use crate::run::channel::{ChannelName, Doors};

/// What a guest can connect to, and what it has connected.
#[derive(Default)]
pub struct Connections {
    doors: Option<(Doors, Vec<ChannelName>)>,
    open: BTreeMap<u32, Connection>,
}

/// A connection of the guest.
struct Connection {
    channel: ChannelName,
    socket: UnixStream,
    input: Feed,
    output: Tap,
}

/// The guest gives a connection a number that is not its to give.
#[derive(Debug, thiserror::Error)]
#[error("the guest connects as session {0}, which is none of its own or in use")]
pub struct NotItsNumber(u32);

impl Connections {
    /// Those of a guest that can connect to `channels`, by `doors`.
    pub fn new(doors: Doors, channels: Vec<ChannelName>) -> Self {
        Self {
            doors: Some((doors, channels)),
            open: BTreeMap::new(),
        }
    }

    /// Somebody in the guest has connected to the channel called `name`.
    ///
    /// # Errors
    /// The number is not the guest's to give.
    pub fn connect(
        &mut self,
        number: u32,
        name: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), NotItsNumber> {
        if number < Stream::GUEST_SESSIONS || self.open.contains_key(&number) {
            return Err(NotItsNumber(number));
        }
        // A guest that opens and ends them all in one breath has no more files of ours than another.
        self.open.retain(|_, connection| !connection.is_over());
        match self.enter(number, name) {
            Some(connection) => drop(self.open.insert(number, connection)),
            // As if it had ended at once, in both directions.
            None => [Part::Input, Part::Output]
                .map(|part| Stream::new(number, part))
                .into_iter()
                .for_each(|stream| outbox.say(stream, Kind::End, &[])),
        }
        Ok(())
    }

    fn enter(&self, number: u32, name: &[u8]) -> Option<Connection> {
        let (doors, channels) = self.doors.as_ref()?;
        let channel = channels.iter().find(|c| c.as_str().as_bytes() == name)?;
        let open = self.open.values().filter(|c| c.channel == *channel).count();
        if open >= MAX_CONNECTIONS {
            return None;
        }
        let entered = doors
            .enter(channel)
            .and_then(|socket| Connection::new(number, channel.clone(), socket));
        let refused = |error| log::debug!("cannot connect the guest to {channel}: {error}");
        entered.map_err(refused).ok()
    }

    /// Takes what the guest says of one; one that has ended hears nothing.
    ///
    /// # Errors
    /// The guest does not keep to its credit.
    pub fn take(&mut self, frame: Frame<'_>) -> Result<(), Overrun> {
        match self.open.get_mut(&frame.stream.session()) {
            Some(connection) => connection.take(frame),
            None => Ok(()),
        }
    }

    /// Moves bytes, and forgets those that are over.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        self.open.retain(|_, connection| {
            connection.pump(outbox);
            !connection.is_over()
        });
    }

    /// The guest is gone.
    pub fn close(&mut self) {
        self.open.clear();
    }

    /// What to wait for.
    pub fn interests<'a>(&'a self, outbox: &'a Outbox) -> impl Iterator<Item = PollFd<'a>> {
        let connections = self.open.values();
        connections.flat_map(|c| {
            c.input
                .interest(outbox)
                .into_iter()
                .chain(c.output.interest())
        })
    }
}

impl Connection {
    fn new(number: u32, channel: ChannelName, socket: UnixStream) -> std::io::Result<Self> {
        let stream = |part| Stream::new(number, part);
        let input = HostInput::new(socket.try_clone()?.into());
        let output = HostOutput::new(socket.try_clone()?.into());
        Ok(Self {
            channel,
            socket,
            input: Feed::new(stream(Part::Input), input),
            output: Tap::new(stream(Part::Output), output),
        })
    }

    fn is_over(&self) -> bool {
        self.input.has_ended() && self.output.has_ended()
    }

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Overrun> {
        match (frame.kind, frame.stream.part()) {
            (Kind::Data, Part::Output) => self.output.take(frame.payload)?,
            (Kind::Data, _) => return Err(Overrun(frame.stream)),
            (Kind::Credit, Part::Input) => self.input.add_credit(frame.number().unwrap_or(0)),
            (Kind::End, Part::Input) => {
                self.input.stop();
                // Whoever writes at the other end learns it.
                let _ = self.socket.shutdown(Shutdown::Read);
            }
            (Kind::End, Part::Output) => self.output.end(),
            _ => {}
        }
        Ok(())
    }

    fn pump(&mut self, outbox: &mut Outbox) {
        self.input.pump(outbox);
        let was_closed = self.output.is_closed();
        self.output.pump(outbox);
        if self.output.is_closed() && !was_closed {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }
}
