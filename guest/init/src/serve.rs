//! Serves the host's commands over the port until it asks for the end, or is gone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use wire::{
    CHANNEL_DIRECTORY, Channel, Decoder, Exited, Frame, Kind, Launch, Outbox, Part, Stream,
    WindowSize,
};

use crate::boot::Cgroup;
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
        server.accept()?;
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
    listeners: Vec<(String, UnixListener)>,
    sessions: BTreeMap<u32, Session>,
    next_connection: u32,
    is_over: bool,
}

impl Server {
    fn new(port: File, commands: Commands) -> Result<Self, Failure> {
        let listen = |channel: &Channel| {
            let path = Path::new(CHANNEL_DIRECTORY).join(&channel.name);
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            // Whatever user the command becomes.
            let anyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            std::fs::set_permissions(&path, anyone)?;
            Ok((channel.name.clone(), listener))
        };
        let listeners: Result<Vec<_>, std::io::Error> =
            commands.channels.iter().map(listen).collect();
        Ok(Self {
            port,
            decoder: Decoder::default(),
            outbox: Outbox::default(),
            listeners: listeners?,
            commands,
            sessions: BTreeMap::new(),
            next_connection: Stream::GUEST_SESSIONS,
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
        events.extend(
            self.listeners
                .iter()
                .map(|(_, l)| PollFd::new(l, PollFlags::IN)),
        );
        let sessions = self.sessions.values();
        events.extend(sessions.flat_map(|session| session.interests(&self.outbox)));
        match poll(&mut events, None) {
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
            }
        }
    }

    fn accept(&mut self) -> Result<(), Failure> {
        for (name, listener) in &self.listeners {
            let Ok((socket, _)) = listener.accept() else {
                continue;
            };
            let number = self.next_connection;
            self.next_connection = after(number);
            let stream = Stream::new(number, Part::Whole);
            self.outbox.say(stream, Kind::Connect, name.as_bytes());
            let session = Session::connected(number, socket.into())?;
            self.sessions.insert(number, session);
        }
        Ok(())
    }

    fn pump(&mut self) {
        let Self {
            sessions,
            outbox,
            commands,
            ..
        } = self;
        sessions.retain(|_, session| !session.pump(outbox, &commands.cgroup));
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
