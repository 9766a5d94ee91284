//! Watches a command until it ends: signals and its time, and what other commands ask.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::Launch;

use super::RunError;
use super::ending::{Action, Ending};
use super::instance::Entry;
use super::instance::control::{self, Connection, Listener, Reply, Request};
use super::outcome::Outcome;
use super::rest::Rest;
use super::running::{Instance, Session};
use crate::signals::{PASSED_ON, SignalFd};
use crate::terminal;

/// How long a command has, and how long it may take to end.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From its start.
    pub timeout: Option<Duration>,
    /// From being asked to end.
    pub grace: Duration,
}

/// Signals for the command, taken from this process: before any thread of it starts.
pub struct Signals(SignalFd);

impl Signals {
    /// Takes them from now on.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn take() -> Result<Self, RunError> {
        let signals = [&PASSED_ON[..], &[libc::SIGWINCH]].concat();
        match SignalFd::new(&signals) {
            Ok(signals) => Ok(Self(signals)),
            Err(error) => Err(RunError::io("cannot take signals", error)),
        }
    }
}

/// A command of `vmm exec`, and who waits for it.
struct Execution {
    connection: Connection,
    session: Box<dyn Session>,
}

/// What is watched.
struct Supervisor<'a> {
    instance: &'a mut dyn Instance,
    entry: &'a Entry,
    listener: &'a Listener,
    signals: Signals,
    ending: Ending,
    is_paused: bool,
    timeout: Option<Instant>,
    kill: Option<Instant>,
    rest: Rest,
    asking: Vec<Connection>,
    executions: Vec<Execution>,
}

/// Watches `instance`, which others know by `entry`, until its command ends; whether its time had passed.
///
/// # Errors
/// The command cannot be reached any more.
pub fn until_end(
    instance: &mut dyn Instance,
    (entry, listener): (&Entry, &Listener),
    signals: Signals,
    times: Times,
) -> Result<bool, RunError> {
    let mut supervisor = Supervisor {
        instance,
        entry,
        listener,
        signals,
        ending: Ending::new(times.grace),
        is_paused: false,
        timeout: times.timeout.map(|time| Instant::now() + time),
        kill: None,
        rest: Rest::default(),
        asking: Vec::new(),
        executions: Vec::new(),
    };
    while !supervisor.serve()? {}
    Ok(supervisor.ending.timed_out())
}

impl Supervisor<'_> {
    /// Waits for something and serves it; whether the command has ended.
    fn serve(&mut self) -> Result<bool, RunError> {
        let ready = self.wait()?;
        if ready.contains(&self.instance.ended().as_raw_fd()) {
            return Ok(true);
        }
        self.serve_signals()?;
        self.serve_deadlines()?;
        self.let_in();
        // First: requests close connections, whose numbers new sessions take.
        self.serve_executions(&ready);
        self.serve_requests(&ready);
        Ok(false)
    }

    /// Takes who wants to ask for something.
    fn let_in(&mut self) {
        while !self.rest.goes_on() {
            match self.listener.accept() {
                Ok(connection) => self.asking.push(connection),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => self.rest.begin_after(&error),
            }
        }
    }

    /// The file descriptors that have something to tell.
    fn wait(&self) -> Result<Vec<RawFd>, RunError> {
        let rest = self.rest.left();
        let mut watched = vec![self.instance.ended(), self.signals.0.as_fd()];
        if rest.is_none() {
            watched.push(self.listener.as_fd());
        }
        watched.extend(self.asking.iter().map(AsFd::as_fd));
        for execution in &self.executions {
            watched.extend([execution.connection.as_fd(), execution.session.ended()]);
        }
        let mut polled: Vec<PollFd<'_>> = watched
            .iter()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        match poll(&mut polled, self.time_left(rest).as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(RunError::io("cannot wait for the command", error.into())),
        }
        let ready = polled.iter().zip(&watched);
        Ok(ready
            .filter(|(polled, _)| !polled.revents().is_empty())
            .map(|(_, fd)| fd.as_raw_fd())
            .collect())
    }

    /// Until the next deadline, or the end of the `rest`.
    fn time_left(&self, rest: Option<Duration>) -> Option<Timespec> {
        let deadlines = self.timeout.into_iter().chain(self.kill);
        let left = deadlines.map(|time| time.saturating_duration_since(Instant::now()));
        Timespec::try_from(left.chain(rest).min()?).ok()
    }

    fn serve_signals(&mut self) -> Result<(), RunError> {
        while let Some(signal) = self.signals.0.take() {
            if signal == libc::SIGWINCH {
                self.instance.resize(terminal::window_size())?;
                continue;
            }
            let action = self.ending.signal(signal);
            self.act(action)?;
        }
        Ok(())
    }

    fn serve_deadlines(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        if self.kill.take_if(|time| *time <= now).is_some() {
            self.act(Action::Kill)?;
        }
        if self.timeout.take_if(|time| *time <= now).is_some() {
            let action = self.ending.timeout();
            self.act(action)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), RunError> {
        match action {
            Action::Signal(signal) => return self.instance.signal(signal),
            Action::Kill => self.instance.signal(libc::SIGKILL)?,
            Action::SignalAndWait(signal, grace) => {
                self.kill = Some(Instant::now() + grace);
                self.instance.signal(signal)?;
            }
        }
        // Whose time stands still cannot end: the signal is what it wakes up to.
        match self.is_paused {
            true => self.pause(false),
            false => Ok(()),
        }
    }

    fn pause(&mut self, paused: bool) -> Result<(), RunError> {
        self.instance.pause(paused)?;
        if paused != self.is_paused {
            let noted = self.entry.note_paused(paused);
            noted.map_err(|error| RunError::io("cannot note that it is paused", error))?;
        }
        self.is_paused = paused;
        Ok(())
    }

    fn serve_requests(&mut self, ready: &[RawFd]) {
        for connection in std::mem::take(&mut self.asking) {
            if ready.contains(&connection.as_fd().as_raw_fd()) {
                self.serve_request(connection);
            } else {
                self.asking.push(connection);
            }
        }
    }

    fn serve_request(&mut self, connection: Connection) {
        let reply = match connection.receive() {
            Ok(Some((Request::Exec(launch), files))) => match self.exec(&launch, files) {
                Ok(session) => {
                    return self.executions.push(Execution {
                        connection,
                        session,
                    });
                }
                Err(error) => Reply::Failed(crate::chain(&error)),
            },
            Ok(Some((request, _))) => self.answer(request),
            Ok(None) => return,
            Err(error) => Reply::Failed(error.to_string()),
        };
        // Who does not wait for the answer does not want it.
        let _ = connection.send(&reply, &[]);
    }

    fn exec(&mut self, launch: &Launch, files: Vec<OwnedFd>) -> Result<Box<dyn Session>, RunError> {
        if self.is_paused {
            // What joins it would stand still as well, before it could answer.
            let refused = io::Error::other("it is paused: `vmm resume` wakes it");
            return Err(RunError::io("cannot run a command in it", refused));
        }
        let streams = control::streams(files)
            .map_err(|error| RunError::io("cannot take its streams", error))?;
        self.instance.exec(launch, streams)
    }

    fn answer(&mut self, request: Request) -> Reply {
        let done = match request {
            Request::Signal(signal) => {
                let action = self.ending.signal(signal);
                self.act(action)
            }
            Request::Kill => self.act(Action::Kill),
            Request::Pause => self.pause(true),
            Request::Resume => self.pause(false),
            Request::Counters => return Reply::Counters(self.instance.counters()),
            // They are of an execution, and come by its own connection.
            Request::Exec(_) | Request::Resize(_) => {
                return Reply::Failed("that is no request of its own".to_owned());
            }
        };
        match done {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed(crate::chain(&error)),
        }
    }

    fn serve_executions(&mut self, ready: &[RawFd]) {
        for mut execution in std::mem::take(&mut self.executions) {
            if ready.contains(&execution.session.ended().as_raw_fd()) {
                let outcome = outcome(execution.session.finish());
                let _ = execution.connection.send(&outcome, &[]);
                continue;
            }
            if ready.contains(&execution.connection.as_fd().as_raw_fd()) {
                serve_execution(&mut execution);
            }
            self.executions.push(execution);
        }
    }
}

/// A caller that has gone takes its command along, as a terminal that hangs up does.
fn serve_execution(execution: &mut Execution) {
    let received = match execution.connection.receive() {
        // It was the request for the command that had come.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
        received => received,
    };
    let done = match received {
        Ok(Some((Request::Signal(signal), _))) => execution.session.signal(signal),
        Ok(Some((Request::Resize(size), _))) => execution.session.resize(size),
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(_) => execution.session.signal(libc::SIGKILL),
    };
    if let Err(error) = done {
        log::warn!("{}", crate::chain(&error));
    }
}

fn outcome(ended: Result<Outcome, RunError>) -> Reply {
    match ended {
        Ok(outcome) => Reply::Ended(outcome),
        Err(error) => Reply::Failed(crate::chain(&error)),
    }
}
