//! What a wall offers for a command that runs behind it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use serde::Serialize;
use wire::{Launch, WindowSize};

use super::RunError;
use super::outcome::Outcome;

/// Where a command's standard streams lead.
pub struct Streams {
    /// Standard input.
    pub input: OwnedFd,
    /// Standard output.
    pub output: OwnedFd,
    /// Standard error.
    pub errors: OwnedFd,
}

impl Streams {
    /// Those of this process, for a command that gets them as they are.
    ///
    /// # Errors
    /// One of them is closed.
    pub fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            input: io::stdin().as_fd().try_clone_to_owned()?,
            output: io::stdout().as_fd().try_clone_to_owned()?,
            errors: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }

    /// Those of a command without a caller: its output goes to [`OUTPUT`] and [`ERRORS`] in
    /// `directory`.
    ///
    /// # Errors
    /// The files cannot be made.
    pub fn of_files(directory: &Path) -> io::Result<Self> {
        let append = |name| {
            let mut options = File::options();
            options.create(true).append(true).open(directory.join(name))
        };
        Ok(Self {
            input: File::open("/dev/null")?.into(),
            output: append(OUTPUT)?.into(),
            errors: append(ERRORS)?.into(),
        })
    }

    /// Adds what we have to say to the errors of the run in `directory`; what cannot be written
    /// there nobody would read.
    pub fn tell(directory: &Path, text: &str) {
        let mut options = File::options();
        let file = options
            .create(true)
            .append(true)
            .open(directory.join(ERRORS));
        let _ = file.and_then(|mut file| writeln!(file, "vmm: {text}"));
    }
}

impl From<Streams> for [OwnedFd; 3] {
    fn from(streams: Streams) -> Self {
        [streams.input, streams.output, streams.errors]
    }
}

/// What a detached command has printed on standard output.
pub const OUTPUT: &str = "stdout.log";
/// What a detached command has printed on standard error.
pub const ERRORS: &str = "stderr.log";
/// What the kernel of a machine has printed.
pub const KERNEL: &str = "kernel.log";

/// How a wall shows directories of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Showing {
    /// Themselves, by a mount of the host's kernel.
    Mount,
    /// Themselves, served by a process of the host.
    VirtioFs,
    /// As they were at the start, to be read only.
    Copy,
}

/// A command that runs.
pub trait Session: Send {
    /// Becomes readable when the command has ended.
    fn ended(&self) -> BorrowedFd<'_>;

    /// Sends it `signal`; one that has ended hears nothing.
    ///
    /// # Errors
    /// It cannot be sent.
    fn signal(&mut self, signal: i32) -> Result<(), RunError>;

    /// Its terminal has another size.
    ///
    /// # Errors
    /// It cannot be told.
    fn resize(&mut self, size: WindowSize) -> Result<(), RunError>;

    /// Waits for its end, and clears away what is left of it.
    ///
    /// # Errors
    /// How it ended cannot be found out.
    fn finish(self: Box<Self>) -> Result<Outcome, RunError>;
}

/// A command that runs, with all that belongs to it behind its wall.
pub trait Instance: Session {
    /// Stops the time of everything behind the wall, or lets it go on.
    ///
    /// # Errors
    /// The wall cannot do that here.
    fn pause(&mut self, paused: bool) -> Result<(), RunError>;

    /// Starts another command behind the same wall.
    ///
    /// # Errors
    /// It cannot be started.
    fn exec(&mut self, launch: &Launch, streams: Streams) -> Result<Box<dyn Session>, RunError>;

    /// What was counted of it until now: `exits`, `cpu_ns` … and figures.
    fn counters(&self) -> Vec<(String, u64)>;

    /// How it shows directories of the host.
    fn showing(&self) -> Showing {
        Showing::Mount
    }

    /// The release of the kernel that it runs on.
    fn kernel(&self) -> String;
}
