//! One process that is measured, most often a `vmm run`, from its start to its end. It knows no
//! workload.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal,
};
use rustix::thread::sched_setaffinity;

use super::reading::shown;
use crate::config::CpuList;
use crate::pidfd::Process;
use crate::run::outcome;
use crate::signals::SignalFd;

/// What ends a bench.
const ENDS: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
/// The most that is kept of what is printed on standard error: its end.
const KEPT: usize = 4096;
/// How long `vmm run` may take to end when it was asked to.
const END_TIME: Duration = Duration::from_secs(20);

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its time has passed.
    #[error("nothing came of it in {} s", .0.as_secs_f64())]
    Late(Duration),
    /// The bench is to end.
    #[error("signal {0} has ended it")]
    Signal(i32),
    /// It ended, and said why.
    #[error("{0}")]
    Ended(String),
    /// What came from behind the wall makes no sense.
    #[error("{0}")]
    Garbled(String),
    /// The probe cannot do what it was told.
    #[error("{0}")]
    Refused(String),
    /// It never came up.
    #[error("it did not come up {0} times in a row")]
    GivenUp(u32),
    /// There is no such program, or it cannot be executed.
    #[error("cannot start {0}")]
    Start(String, #[source] io::Error),
    /// The host does not let us.
    #[error("cannot {doing}")]
    Host {
        /// What we were doing.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Failure {
    /// A failure of the host.
    pub fn host<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Host {
            doing,
            source: source.into(),
        }
    }

    /// A program does not start.
    fn start(program: String) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Start(program, error)
    }

    /// Whether a session that has failed so is of no more use.
    pub fn ends_a_session(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// The signals that end a bench; every wait of a run sees them.
pub struct Interrupt {
    signals: SignalFd,
    came: Cell<Option<i32>>,
}

impl Interrupt {
    /// Takes them from now on.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            signals: SignalFd::new(&ENDS)?,
            came: Cell::new(None),
        })
    }

    /// None of them.
    ///
    /// # Errors
    /// As of [`Self::take`].
    #[cfg(test)]
    pub fn none() -> io::Result<Self> {
        Ok(Self {
            signals: SignalFd::new(&[])?,
            came: Cell::new(None),
        })
    }

    /// The first that has come.
    pub fn came(&self) -> Option<i32> {
        if self.came.get().is_none() {
            self.came.set(self.signals.take());
        }
        self.came.get()
    }
}

/// Readable once one has come, until it is taken.
impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// When a wait is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    time: Duration,
}

impl Deadline {
    /// After `time`, from now on.
    pub fn after(time: Duration) -> Self {
        Self {
            at: Instant::now() + time,
            time,
        }
    }

    /// How much of the time has passed.
    pub fn passed(self) -> Duration {
        self.time.saturating_sub(self.left())
    }

    fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// What has come of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its standard output.
    Output,
    /// Its end.
    Ended,
}

/// How a run is ended that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is asked to, and has time to leave nothing behind.
    Asked,
    /// It is killed, with all of its process group: it has nothing to leave behind.
    Killed,
}

/// A process; dropped, it is ended.
pub struct Run {
    process: Process,
    ending: Ending,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    said: Vec<u8>,
    has_ended: bool,
}

impl Run {
    /// Starts `command` on `cpus`. It ends with this thread, however that ends.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command, cpus: &CpuList, ending: Ending) -> Result<Self, Failure> {
        let (ours, cpus) = (getpid(), cpus.set());
        let last = match ending {
            Ending::Asked => Signal::TERM,
            Ending::Killed => Signal::KILL,
        };
        let tie = move || {
            set_parent_process_death_signal(Some(last))?;
            sched_setaffinity(None, &cpus)?;
            match getppid() == Some(ours) {
                true => Ok(()),
                // It went before it was heard of.
                false => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        // SAFETY: between fork and exec it makes system calls and allocates nothing.
        unsafe { command.pre_exec(tie) };
        // Keys of a terminal are ours, and so is what follows from them.
        command.process_group(0).stderr(Stdio::piped());
        let name = command.get_program().display().to_string();
        let mut child = command.spawn().map_err(Failure::start(name))?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take(),
            errors: child.stderr.take(),
            process: Process::of(child).map_err(Failure::host("follow what was started"))?,
            ending,
            said: Vec::new(),
            has_ended: false,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// Its standard input, the first time.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Its standard output, until it is closed.
    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Waits until it prints something, which is added to `into`, or has ended.
    ///
    /// # Errors
    /// It is `deadline`, or a signal has come.
    pub fn next(
        &mut self,
        into: &mut Vec<u8>,
        deadline: Deadline,
        interrupt: &Interrupt,
    ) -> Result<Event, Failure> {
        loop {
            let ready = self.poll(deadline, interrupt)?;
            if let Some(signal) = interrupt.came() {
                return Err(Failure::Signal(signal));
            }
            if ready.errors {
                self.read_errors();
            }
            if ready.output && self.read_output(into)? {
                return Ok(Event::Output);
            }
            // What it said last is read before it is asked for.
            if ready.ended && !ready.output && !ready.errors {
                return Ok(Event::Ended);
            }
            if deadline.left().is_zero() {
                return Err(Failure::Late(deadline.time));
            }
        }
    }

    fn poll(&self, deadline: Deadline, interrupt: &Interrupt) -> Result<Ready, Failure> {
        let (ended, interrupt) = (self.process.ended(), interrupt.signals.as_fd());
        // One that is closed is not looked at: a descriptor that is always there stands for it.
        let output = self
            .output
            .as_ref()
            .map_or(interrupt, |output| output.as_fd());
        let errors = self
            .errors
            .as_ref()
            .map_or(interrupt, |errors| errors.as_fd());
        let watched = [ended, interrupt, output, errors];
        let mut polled = watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let left = Timespec::try_from(deadline.left()).ok();
        match poll(&mut polled, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::host("wait for what was started")(error)),
        }
        let [ended, _, output, errors] = polled.map(|polled| !polled.revents().is_empty());
        Ok(Ready {
            ended,
            output: output && self.output.is_some(),
            errors: errors && self.errors.is_some(),
        })
    }

    /// Whether there was something.
    fn read_output(&mut self, into: &mut Vec<u8>) -> Result<bool, Failure> {
        let Some(output) = &mut self.output else {
            return Ok(false);
        };
        let mut buffer = [0; 64 << 10];
        let count = output
            .read(&mut buffer)
            .map_err(Failure::host("read from what was started"))?;
        if count == 0 {
            self.output = None;
        }
        into.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    fn read_errors(&mut self) {
        let mut buffer = [0; KEPT];
        let read = self.errors.as_mut().map(|errors| errors.read(&mut buffer));
        match read {
            Some(Ok(count @ 1..)) => {
                self.said.extend_from_slice(&buffer[..count]);
                let surplus = self.said.len().saturating_sub(KEPT);
                self.said.drain(..surplus);
            }
            _ => self.errors = None,
        }
    }

    /// Its exit status, once it has ended, as a shell tells it.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn status(&mut self) -> Result<i32, Failure> {
        let status = self.process.wait();
        let status = status.map_err(Failure::host("wait for what was started"))?;
        self.has_ended = true;
        Ok(status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// Why it has ended with `status`: what was said last, by it or by its command.
    pub fn reason(&self, status: i32) -> String {
        match self.last_words() {
            Some(words) if status == i32::from(outcome::OURS) => {
                words.strip_prefix("vmm: ").unwrap_or(&words).to_owned()
            }
            Some(words) => format!("it ended with status {status}: {words}"),
            None => format!("it ended with status {status}"),
        }
    }

    /// The last line of its standard error that is not empty.
    pub fn last_words(&self) -> Option<String> {
        let said = String::from_utf8_lossy(&self.said);
        let mut lines = said.lines().rev().map(str::trim);
        lines.find(|line| !line.is_empty()).map(shown)
    }

    /// Makes it end; whatever it printed meanwhile is lost.
    fn end(&mut self) {
        self.output = None;
        self.errors = None;
        match self.ending {
            Ending::Asked => self.ask_to_end(),
            Ending::Killed => drop(kill_process_group(self.process.pid(), Signal::KILL)),
        }
        let _ = self.process.wait();
    }

    fn ask_to_end(&self) {
        let _ = self.process.signal(libc::SIGTERM);
        if !self.has_ended_by(Deadline::after(END_TIME)) {
            let _ = self.process.signal(libc::SIGKILL);
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.has_ended_by(Deadline::after(Duration::ZERO))
    }

    fn has_ended_by(&self, deadline: Deadline) -> bool {
        loop {
            let left = Timespec::try_from(deadline.left()).ok();
            let mut polled = [PollFd::from_borrowed_fd(
                self.process.ended(),
                PollFlags::IN,
            )];
            match poll(&mut polled, left.as_ref()) {
                Err(Errno::INTR) => {}
                ended => return ended.is_ok_and(|count| count > 0),
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.has_ended {
            // Whose input has ended has nothing more to do.
            self.input = None;
            self.end();
        }
    }
}

/// Who has something to tell.
struct Ready {
    ended: bool,
    output: bool,
    errors: bool,
}
