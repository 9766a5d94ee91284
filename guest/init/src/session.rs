//! A session: a command with its streams.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::PollFd;
use rustix::process::Pid;
use wire::{Exited, Kind, Launch, Outbox, Part, Stream, WindowSize};

use crate::boot::Cgroup;
use crate::launch::{self, LaunchError, Streams};
use crate::pty;
use crate::stream::{Ending, Sink, Source};
use crate::sys;

/// A session at work.
pub struct Session {
    number: u32,
    /// The command, until it has ended.
    command: Option<Pid>,
    status: Option<u8>,
    terminal: Option<OwnedFd>,
    /// What the host sends; a terminal may go while its command still runs.
    pub input: Sink,
    /// What the host gets.
    pub outputs: Vec<Source>,
    oom_kills: u64,
}

impl Session {
    /// Starts the command of `launch`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn open(number: u32, launch: &Launch, cgroup: &Cgroup) -> Result<Self, LaunchError> {
        let opened = match launch.tty {
            Some(size) => on_terminal(number, size),
            None => on_pipes(number),
        };
        let (mut session, streams) =
            opened.map_err(|error| LaunchError::System("make the command's streams", error))?;
        session.oom_kills = cgroup.oom_kills();
        session.command = Some(launch::spawn(launch, streams, cgroup.procs())?);
        Ok(session)
    }

    fn new(number: u32, input: Sink, outputs: Vec<Source>) -> Self {
        Self {
            number,
            command: None,
            status: None,
            terminal: None,
            input,
            outputs,
            oom_kills: 0,
        }
    }

    /// Whether `process` is its command.
    pub fn is_of(&self, process: Pid) -> bool {
        self.command == Some(process)
    }

    /// Notes how its command ended.
    pub fn command_ended(&mut self, status: u8) {
        self.command = None;
        self.status = Some(status);
        self.outputs.iter_mut().for_each(Source::drain);
    }

    /// Sends `signal` to its command, if it still runs.
    pub fn signal(&self, signal: i32) {
        if let Some(command) = self.command {
            sys::kill(command, signal);
        }
    }

    /// Gives its terminal another size, of which the kernel tells those in the foreground.
    pub fn resize(&self, size: WindowSize) {
        if let Some(terminal) = &self.terminal {
            let _ = pty::resize(terminal, size);
        }
    }

    /// The output with this part.
    pub fn output(&mut self, part: Part) -> Option<&mut Source> {
        match part {
            Part::Output => self.outputs.first_mut(),
            Part::Error => self.outputs.get_mut(1),
            Part::Input | Part::Whole => None,
        }
    }

    /// Moves bytes.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        self.input.pump(outbox);
        for output in &mut self.outputs {
            output.pump(outbox);
        }
    }

    /// Tells how its command ended, after all that it has printed; returns whether it has.
    pub fn tell_end(&self, outbox: &mut Outbox, cgroup: &Cgroup) -> bool {
        let Some(status) = self.status else {
            return false;
        };
        if !self.outputs.iter().all(Source::has_ended) {
            return false;
        }
        let oom = cgroup.oom_kills() > self.oom_kills;
        say_exited(self.number, Exited { status, oom }, outbox);
        true
    }

    /// What to wait for.
    pub fn interests(&self, outbox: &Outbox) -> impl Iterator<Item = PollFd<'_>> {
        let outputs = self
            .outputs
            .iter()
            .filter_map(|output| output.interest(outbox));
        outputs
            .chain(self.input.interest())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Tells how the command of session `number` ended.
pub fn say_exited(number: u32, exited: Exited, outbox: &mut Outbox) {
    let exited = serde_json::to_vec(&exited).unwrap_or_default();
    outbox.say(Stream::new(number, Part::Whole), Kind::Exited, &exited);
}

fn on_pipes(number: u32) -> io::Result<(Session, Streams)> {
    let stream = |part| Stream::new(number, part);
    let [
        (input, to_input),
        (from_output, output),
        (from_error, error),
    ] = [io::pipe()?, io::pipe()?, io::pipe()?];
    let ours: [OwnedFd; 3] = [to_input.into(), from_output.into(), from_error.into()];
    for file in &ours {
        rustix::io::ioctl_fionbio(file, true)?;
    }
    let [to_input, from_output, from_error] = ours;
    let sink = Sink::new(stream(Part::Input), to_input, Ending::Close);
    let sources = vec![
        Source::new(stream(Part::Output), from_output),
        Source::new(stream(Part::Error), from_error),
    ];
    let theirs = Streams::Pipes([input.into(), output.into(), error.into()]);
    Ok((Session::new(number, sink, sources), theirs))
}

fn on_terminal(number: u32, size: WindowSize) -> io::Result<(Session, Streams)> {
    let (master, slave) = pty::open(size)?;
    let stream = |part| Stream::new(number, part);
    let sink = Sink::new(stream(Part::Input), master.try_clone()?, Ending::Type);
    let source = Source::new(stream(Part::Output), master.try_clone()?);
    let mut session = Session::new(number, sink, vec![source]);
    session.terminal = Some(master.as_fd().try_clone_to_owned()?);
    Ok((session, Streams::Terminal(slave)))
}
