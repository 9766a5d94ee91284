//! Programs of the guest at the channels of its instance: a socket for each channel, and
//! whoever has connected to one.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{Shutdown, listen, shutdown};
use wire::{
    CHANNEL_DIRECTORY, Channel, Frame, Kind, MAX_CONNECTIONS, Outbox, Overrun, Part, Stream,
};

use crate::stream::{Ending, Sink, Source};

/// As at the other walls: how many can wait to be let in.
const BACKLOG: i32 = 16;

/// Where programs connect to one channel.
pub struct Door {
    name: String,
    listener: UnixListener,
}

/// Somebody who has connected.
pub struct Connection {
    /// To which channel.
    channel: String,
    socket: OwnedFd,
    input: Sink,
    output: Source,
}

impl Door {
    /// Opens that of `channel`, for whatever user a command becomes.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(channel: &Channel) -> io::Result<Self> {
        let path = Path::new(CHANNEL_DIRECTORY).join(&channel.name);
        let listener = UnixListener::bind(&path)?;
        listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(Self {
            name: channel.name.clone(),
            listener,
        })
    }

    /// The name of its channel.
    pub fn channel(&self) -> &str {
        &self.name
    }

    /// Whether one more may come in beside `connections`.
    pub fn has_room<'a>(&self, connections: impl Iterator<Item = &'a Connection>) -> bool {
        connections.filter(|c| c.channel == self.name).count() < MAX_CONNECTIONS
    }

    /// Lets the next one in, as connection `number`.
    pub fn let_in(&self, number: u32) -> Option<Connection> {
        let (socket, _) = self.listener.accept().ok()?;
        Connection::new(number, self.name.clone(), socket.into()).ok()
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFd<'_> {
        PollFd::new(&self.listener, PollFlags::IN)
    }
}

impl Connection {
    fn new(number: u32, channel: String, socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let stream = |part| Stream::new(number, part);
        let ours = || socket.as_fd().try_clone_to_owned();
        Ok(Self {
            channel,
            input: Sink::new(stream(Part::Input), ours()?, Ending::ShutDown),
            output: Source::new(stream(Part::Output), ours()?),
            socket,
        })
    }

    /// Takes what the host says of it.
    ///
    /// # Errors
    /// The host does not keep to its credit.
    pub fn take(&mut self, frame: Frame<'_>) -> Result<(), Overrun> {
        match (frame.kind, frame.stream.part()) {
            (Kind::Data, Part::Input) => self.input.take(frame.payload)?,
            (Kind::End, Part::Input) => self.input.end(),
            (Kind::Credit, Part::Output) => {
                let bytes = frame.number().unwrap_or(0);
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                self.output.add_credit(bytes);
            }
            (Kind::End, Part::Output) => {
                self.output.refuse();
                // Whoever writes learns it as at a socket whose other end has gone.
                let _ = shutdown(&self.socket, Shutdown::Read);
            }
            _ => {}
        }
        Ok(())
    }

    /// Moves bytes; returns whether it is over.
    pub fn pump(&mut self, outbox: &mut Outbox) -> bool {
        self.input.pump(outbox);
        self.output.pump(outbox);
        self.input.has_ended() && self.is_settled()
    }

    /// Whether all that was said has left the host's half of the port.
    pub fn is_settled(&self) -> bool {
        self.output.is_settled()
    }

    /// What to wait for.
    pub fn interests(&self, outbox: &Outbox) -> impl Iterator<Item = PollFd<'_>> {
        let output = self.output.interest(outbox);
        output.into_iter().chain(self.input.interest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    fn connection() -> (UnixStream, Connection) {
        let (program, ours) = UnixStream::pair().unwrap();
        let connection = Connection::new(7, "db".into(), ours.into()).unwrap();
        (program, connection)
    }

    fn frame(part: Part, kind: Kind, payload: &[u8]) -> Frame<'_> {
        Frame::new(Stream::new(7, part), kind, payload)
    }

    #[test]
    fn what_was_said_is_settled_when_the_host_has_passed_it_on() {
        let (mut program, mut connection) = connection();
        let mut outbox = Outbox::default();
        program.write_all(b"said").unwrap();
        drop(program);
        connection.pump(&mut outbox);
        assert!(!connection.is_settled());
        let credit = frame(Part::Output, Kind::Credit, &[4, 0, 0, 0]);
        connection.take(credit).unwrap();
        assert!(connection.is_settled());
    }

    #[test]
    fn one_that_the_host_refuses_is_at_its_end_in_both_directions() {
        let (mut program, mut connection) = connection();
        for part in [Part::Input, Part::Output] {
            connection.take(frame(part, Kind::End, b"")).unwrap();
        }
        assert!(connection.pump(&mut Outbox::default()));
        assert_eq!(program.read(&mut [0]).unwrap(), 0);
        let error = program.write_all(b"lost").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_channel_has_room_for_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door {
            name: "db".into(),
            listener: UnixListener::bind(folder.path().join("db")).unwrap(),
        };
        let (programs, connections): (Vec<_>, Vec<_>) =
            (0..MAX_CONNECTIONS).map(|_| connection()).unzip();
        assert!(!door.has_room(connections.iter()));
        assert!(door.has_room(connections.iter().skip(1)));
        drop(programs);
    }
}
