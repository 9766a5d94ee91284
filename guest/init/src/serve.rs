//! Serves the host's commands over the port until it asks for the end, or is gone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wire::{
    Channel, Decoder, Exited, Frame, Kind, LINGER, Launch, Outbox, Part, Stream, WindowSize,
};

use crate::boot::Cgroup;
use crate::connection::{Connection, Door};
use crate::launch::LaunchError;
use crate::session::{self, Session};
use crate::stream::Source;
use crate::sys::{self, Signals};
use crate::{Failure, chain, reap};

/// The session of the command that the guest is there for.
const MAIN: u32 = 0;

/// What commands are started with.
pub struct Commands {
    /// Of our children, and of whoever signals PID 1.
    pub signals: Signals,
    /// The group that they are in.
    pub cgroup: Cgroup,
    /// What they can connect to.
    pub channels: Vec<Channel>,
}

/// Serves until the end.
///
/// # Errors
/// The host does not keep to the protocol, or the kernel refuses to wait.
pub fn run(port: File, commands: Commands) -> Result<(), Failure> {
    let mut server = Server::new(port, commands)?;
    while !server.is_over {
        server.wait()?;
        server.hear()?;
        server.reap();
        server.let_in();
        server.pump();
        server.outbox.flush(&mut server.port)?;
    }
    Ok(())
}

struct Server {
    port: File,
    decoder: Decoder,
    outbox: Outbox,
    commands: Commands,
    doors: Vec<Door>,
    sessions: BTreeMap<u32, Session>,
    connections: BTreeMap<u32, Connection>,
    next_connection: u32,
    /// Until when the end of the main command waits for what was said to channels.
    lingers: Option<Instant>,
    is_over: bool,
}

impl Server {
    fn new(port: File, commands: Commands) -> Result<Self, Failure> {
        let doors: std::io::Result<Vec<_>> = commands.channels.iter().map(Door::open).collect();
        Ok(Self {
            port,
            decoder: Decoder::default(),
            outbox: Outbox::default(),
            doors: doors?,
            commands,
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: Stream::GUEST_SESSIONS,
            lingers: None,
            is_over: false,
        })
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> Result<(), Failure> {
        let to_host = match self.outbox.is_empty() {
            true => PollFlags::IN,
            false => PollFlags::IN | PollFlags::OUT,
        };
        let mut events = vec![
            PollFd::new(&self.port, to_host),
            PollFd::new(&self.commands.signals, PollFlags::IN),
        ];
        let open = self.doors.iter().filter(|door| self.has_room(door));
        events.extend(open.map(Door::interest));
        let sessions = self.sessions.values();
        events.extend(sessions.flat_map(|session| session.interests(&self.outbox)));
        let connections = self.connections.values();
        events.extend(connections.flat_map(|connection| connection.interests(&self.outbox)));
        match poll(&mut events, self.time_left().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let host = events.first().map_or(PollFlags::empty(), PollFd::revents);
        self.is_over |= host.contains(PollFlags::HUP);
        Ok(())
    }

    /// Takes what the host has said.
    fn hear(&mut self) -> Result<(), Failure> {
        let mut piece = [0; 4096];
        loop {
            match self.port.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => self.decoder.push(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            let mut decoder = std::mem::take(&mut self.decoder);
            while let Some(frame) = decoder.next_frame()? {
                self.obey(frame)?;
            }
            self.decoder = decoder;
        }
    }

    fn obey(&mut self, frame: Frame<'_>) -> Result<(), Failure> {
        let number = frame.stream.session();
        match frame.kind {
            Kind::Open => self.open(number, frame.payload)?,
            Kind::PowerOff => self.is_over = true,
            _ => {
                // One that has just ended: the host does not know yet.
                if let Some(session) = self.sessions.get_mut(&number) {
                    tell(session, frame)?;
                } else if let Some(connection) = self.connections.get_mut(&number) {
                    connection.take(frame)?;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, number: u32, launch: &[u8]) -> Result<(), Failure> {
        let launch: Launch = serde_json::from_slice(launch)?;
        match Session::open(number, &launch, &self.commands.cgroup) {
            Ok(session) => {
                self.sessions.insert(number, session);
            }
            Err(error) => self.refuse(number, &error),
        }
        Ok(())
    }

    /// A command that cannot be started has said why, and has ended.
    fn refuse(&mut self, number: u32, error: &LaunchError) {
        let text = format!("init: {}\n", chain(error));
        let stream = |part| Stream::new(number, part);
        self.outbox
            .say(stream(Part::Error), Kind::Data, text.as_bytes());
        self.outbox.say(stream(Part::Output), Kind::End, &[]);
        self.outbox.say(stream(Part::Error), Kind::End, &[]);
        let exited = Exited {
            status: error.status(),
            oom: false,
        };
        session::say_exited(number, exited, &mut self.outbox);
    }

    fn reap(&mut self) {
        // Which signals have come does not matter: all that can end is looked after.
        while self.commands.signals.next().is_some() {}
        while let Some((process, status)) = reap::next() {
            let ended = self.sessions.iter_mut().find(|(_, s)| s.is_of(process));
            let Some((number, session)) = ended else {
                continue;
            };
            session.command_ended(status);
            if *number == MAIN {
                // As a container's kernel does when its PID 1 ends.
                sys::kill_all();
                self.lingers = Some(Instant::now() + LINGER);
            }
        }
    }

    fn has_room(&self, door: &Door) -> bool {
        door.has_room(self.connections.values())
    }

    /// Lets in who has connected to a channel.
    fn let_in(&mut self) {
        for door in &self.doors {
            while self.has_room(door) {
                let number = self.next_connection;
                let Some(connection) = door.let_in(number) else {
                    break;
                };
                self.next_connection = after(number);
                let stream = Stream::new(number, Part::Whole);
                let channel = door.channel().as_bytes();
                self.outbox.say(stream, Kind::Connect, channel);
                self.connections.insert(number, connection);
            }
        }
    }

    fn pump(&mut self) {
        let outbox = &mut self.outbox;
        self.connections
            .retain(|_, connection| !connection.pump(outbox));
        let is_held = self.is_held();
        let Self {
            sessions,
            outbox,
            commands,
            ..
        } = self;
        sessions.retain(|number, session| {
            session.pump(outbox);
            (is_held && *number == MAIN) || !session.tell_end(outbox, &commands.cgroup)
        });
    }

    /// Whether the main command's end is not told yet: nothing is passed on after it.
    fn is_held(&self) -> bool {
        let mut connections = self.connections.values();
        self.time_left().is_some() && !connections.all(Connection::is_settled)
    }

    /// How long that may take.
    fn time_left(&self) -> Option<Timespec> {
        let left = self.lingers?.saturating_duration_since(Instant::now());
        let left = Some(left).filter(|left| *left > Duration::ZERO);
        left.and_then(|left| Timespec::try_from(left).ok())
    }
}

/// The next session number of ours.
fn after(number: u32) -> u32 {
    match number + 1 {
        Stream::MAX_SESSIONS => Stream::GUEST_SESSIONS,
        next => next,
    }
}

/// What the host says to a session.
fn tell(session: &mut Session, frame: Frame<'_>) -> Result<(), Failure> {
    let part = frame.stream.part();
    match (frame.kind, part) {
        (Kind::Data, Part::Input) => session.input.take(frame.payload)?,
        (Kind::End, Part::Input) => session.input.end(),
        (Kind::End, part) => session.output(part).into_iter().for_each(Source::refuse),
        (Kind::Credit, part) => {
            let bytes = frame.number().unwrap_or(0);
            if let Some(output) = session.output(part) {
                output.add_credit(usize::try_from(bytes).unwrap_or(usize::MAX));
            }
        }
        (Kind::Signal, _) => {
            let signal = frame.number().and_then(|number| i32::try_from(number).ok());
            signal.into_iter().for_each(|signal| session.signal(signal));
        }
        (Kind::Resize, _) => {
            let size = WindowSize::parse(frame.payload);
            size.into_iter().for_each(|size| session.resize(size));
        }
        _ => {}
    }
    Ok(())
}
