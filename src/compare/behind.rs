//! One command behind one wall, by a `vmm run` of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

use super::workplace::Workplace;
use super::{CompareError, Wanted};
use crate::pidfd::Process;
use crate::run::{Wall, outcome};
use crate::signals::SignalFd;

/// What ends a comparison; the command behind the wall gets it first.
const ENDS: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
/// Where a wall shows the probe.
const PLACE: &str = "/run/vmm-probe";
/// How long a probe may take, in seconds, on a host that emulates its processor.
const PROBE_TIME: &str = "180";
/// The most that is read of what a command printed.
const MAX_OUTPUT: u64 = 16 << 20;

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Printed {
    /// The exit status of `vmm run`.
    pub status: i32,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Printed {
    /// Why it failed, in a sentence.
    pub fn reason(&self) -> String {
        match self.errors.lines().last() {
            Some(line) => line.strip_prefix("vmm: ").unwrap_or(line).to_owned(),
            None => format!("it ended with status {}", self.status),
        }
    }
}

/// Runs commands behind the walls of one image.
pub struct Behind<'a> {
    wanted: &'a Wanted,
    workplace: &'a Workplace,
    signals: SignalFd,
}

/// What a command printed, or why its wall cannot be had.
type Outcome = Result<Printed, String>;

impl<'a> Behind<'a> {
    /// Takes signals from now on: what lies on the host is to be cleared away.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(wanted: &'a Wanted, workplace: &'a Workplace) -> Result<Self, CompareError> {
        Ok(Self {
            wanted,
            workplace,
            signals: SignalFd::new(&ENDS).map_err(CompareError::host("take signals"))?,
        })
    }

    /// The probe behind no wall at all.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn host(&mut self) -> Result<Printed, CompareError> {
        let mut probe = Command::new(self.workplace.probe());
        probe
            .args(["facts", &self.workplace.canaries()])
            .stdin(Stdio::null());
        self.finish(probe)
    }

    /// The probe behind `wall`.
    ///
    /// # Errors
    /// Our own program cannot be started.
    pub fn probe(&mut self, wall: Wall) -> Result<Outcome, CompareError> {
        let mut run = self.run(wall)?;
        run.args(["--timeout", PROBE_TIME]);
        let volume = format!("{}:{PLACE}:ro", self.workplace.probe_directory().display());
        run.args(["--volume", &volume]);
        run.args(["--entrypoint", &format!("{PLACE}/probe")]);
        run.arg(&self.wanted.image).arg("--");
        run.args(["facts", &self.workplace.canaries()]);
        self.outcome(run)
    }

    /// `command` behind `wall`.
    ///
    /// # Errors
    /// Our own program cannot be started.
    pub fn command(&mut self, wall: Wall, command: &[String]) -> Result<Outcome, CompareError> {
        let mut run = self.run(wall)?;
        run.arg(&self.wanted.image).arg("--").args(command);
        self.outcome(run)
    }

    fn run(&self, wall: Wall) -> Result<Command, CompareError> {
        let ours = std::env::current_exe().map_err(CompareError::host("find our own program"))?;
        let mut run = Command::new(ours);
        run.args(["run", "--wall", wall.name()])
            .stdin(Stdio::null());
        if let (Wall::Vm, Some(kernel)) = (wall, &self.wanted.kernel) {
            run.arg("--kernel").arg(kernel);
            run.args(
                self.wanted
                    .cmdline
                    .iter()
                    .flat_map(|words| ["--cmdline", words]),
            );
        }
        Ok(run)
    }

    fn outcome(&mut self, run: Command) -> Result<Outcome, CompareError> {
        let printed = self.finish(run)?;
        Ok(match printed.status == i32::from(outcome::OURS) {
            true => Err(printed.reason()),
            false => Ok(printed),
        })
    }

    /// Runs `command` until it ends. It prints into files, so nobody need read at the same time.
    fn finish(&mut self, mut command: Command) -> Result<Printed, CompareError> {
        let [output, errors] = ["stdout", "stderr"].map(|name| self.workplace.file(name));
        let child = command
            .stdout(create(&output)?)
            .stderr(create(&errors)?)
            .spawn()
            .map_err(CompareError::host("start the command"))?;
        let status = self.wait(child)?;
        Ok(Printed {
            status: status.code().unwrap_or(i32::from(outcome::OURS)),
            output: read(&output)?,
            errors: read(&errors)?,
        })
    }

    /// Waits for the end of `child`, which gets the signals that come meanwhile.
    fn wait(&mut self, child: Child) -> Result<ExitStatus, CompareError> {
        let waiting = CompareError::host("wait for the command");
        let process = Process::of(child).map_err(&waiting)?;
        let mut came = None;
        loop {
            let mut polled = [
                PollFd::from_borrowed_fd(process.ended(), PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            match poll(&mut polled, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(waiting(error.into())),
            }
            let has_ended = !polled[0].revents().is_empty();
            while let Some(signal) = self.signals.take() {
                came = Some(signal);
                process.signal(signal).map_err(&waiting)?;
            }
            if has_ended {
                break;
            }
        }
        let status = process.wait();
        match came {
            Some(signal) => Err(CompareError::Signal(signal)),
            None => status.map_err(waiting),
        }
    }
}

fn create(path: &Path) -> Result<File, CompareError> {
    File::create(path).map_err(CompareError::host("make a file for what is printed"))
}

/// What is in the file at `path`; bytes that are no text are told as such.
fn read(path: &Path) -> Result<String, CompareError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_OUTPUT + 1).read_to_end(&mut bytes));
    read.map_err(CompareError::host("read what was printed"))?;
    if bytes.len() as u64 > MAX_OUTPUT {
        let source = io::Error::other("it printed more than 16 MiB");
        return Err(CompareError::host("compare what was printed")(source));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
