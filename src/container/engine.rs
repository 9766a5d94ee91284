//! Our own engine, seen from the process that wants a container: a helper of its own, which is
//! this program again, builds the walls ([`super::helper`]).
//!
//! One line of JSON for each answer comes over a socket pair. The init holds the other end
//! until it is executed: the end of the stream is the sign that the command has begun.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use serde::{Deserialize, Serialize};

use super::{ContainerError, Stdio, bundle, process, text_of};
use crate::cgroup::Entrance;
use crate::pidfd::Process;

/// The first word of a helper's command line.
pub(super) const SUMMONS: &str = "__container";

/// How long a helper may take to join a container: it can be stopped by those who are in there, and
/// nothing else is served meanwhile. Before a container begins nobody is.
const PATIENCE: Duration = Duration::from_secs(10);

/// This program; the link leads to it even when the file has been replaced.
const OURSELVES: &str = "/proc/self/exe";

/// Where the helper of this number notes the process that it makes, as soon as there is one.
pub(super) fn pid_file(bundle: &Path, helper: u32) -> PathBuf {
    bundle::state(bundle).join(format!("pid-{helper}"))
}

/// What the helper has to say.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Answer {
    /// The process is there.
    Process(i32),
    /// It cannot be done.
    Error(String),
}

/// The engine and the container that it has made.
#[derive(Debug)]
pub(super) struct Engine {
    id: String,
    bundle: PathBuf,
    entrance: Entrance,
    helper: Option<Helper>,
}

impl Engine {
    pub(super) fn new(id: &str, bundle: &Path, entrance: Entrance) -> Self {
        Self {
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            entrance,
            helper: None,
        }
    }

    pub(super) fn create(&mut self, stdio: Stdio) -> Result<Process, ContainerError> {
        let mut helper = self.summon("create", &[], stdio)?;
        let pid = self.made(&mut helper, "create")?;
        self.helper = Some(helper);
        process(pid)
    }

    /// Returns when the command has begun, or has not.
    pub(super) fn start(&mut self, init: &Process) -> Result<(), ContainerError> {
        let helper = self.helper.take();
        let mut helper = helper.ok_or_else(|| self.refused("start", "it was started before"))?;
        let sent = helper.channel.get_mut().write_all(b"start\n");
        sent.map_err(|error| self.refused("start", &error.to_string()))?;
        self.expect_begun(&mut helper, init, "start")?;
        self.check_filter(init)
    }

    pub(super) fn exec(&self, words: &[String], stdio: Stdio) -> Result<Process, ContainerError> {
        let mut helper = self.summon("exec", words, stdio)?;
        let limited = helper.channel.get_ref().set_read_timeout(Some(PATIENCE));
        limited.map_err(|error| self.refused("exec in", &error.to_string()))?;
        let process = process(self.made(&mut helper, "exec in")?)?;
        self.expect_begun(&mut helper, &process, "exec in")?;
        self.check_filter(&process)?;
        Ok(process)
    }

    fn summon(&self, verb: &str, words: &[String], stdio: Stdio) -> Result<Helper, ContainerError> {
        let failed = |error| ContainerError::Runtime(OURSELVES.into(), error);
        let mut command = Command::new(OURSELVES);
        command.args([SUMMONS, verb, &self.id]).arg(&self.bundle);
        self.entrance.lead(&mut command).map_err(failed)?;
        Helper::start(command, words, stdio).map_err(failed)
    }

    fn made(&self, helper: &mut Helper, verb: &'static str) -> Result<i32, ContainerError> {
        let answer = helper.answer();
        if answer.is_err() {
            helper.kill();
        }
        let made = pid_file(&self.bundle, helper.child.id());
        let pid = text_of(&made).trim().parse();
        let _ = fs::remove_file(made);
        let said = match answer {
            Ok(Some(Answer::Process(pid))) => return Ok(pid),
            Ok(Some(Answer::Error(said))) => said,
            Ok(None) => "the helper has ended without a word".to_owned(),
            Err(_) => no_answer(),
        };
        // What could not be finished is our child all the same.
        if let Ok(unfinished) = process(pid.unwrap_or_default()) {
            unfinished.kill();
        }
        Err(self.refused(verb, &said))
    }

    fn expect_begun(
        &self,
        helper: &mut Helper,
        process: &Process,
        verb: &'static str,
    ) -> Result<(), ContainerError> {
        match helper.answer() {
            Ok(Some(Answer::Error(said))) => Err(self.refused(verb, &said)),
            Ok(Some(Answer::Process(_)) | None) => Ok(()),
            Err(_) => {
                helper.kill();
                process.kill();
                Err(self.refused(verb, &no_answer()))
            }
        }
    }

    /// libcontainer ignores a profile that it cannot apply: see whether ours is there.
    fn check_filter(&self, process: &Process) -> Result<(), ContainerError> {
        let pid = process.pid().as_raw_nonzero();
        let status = text_of(Path::new(&format!("/proc/{pid}/status")));
        let mut fields = status.lines().filter_map(|line| line.split_once(':'));
        let mode = fields.find(|(name, _)| *name == "Seccomp");
        // proc_pid_status(5): 2 is SECCOMP_MODE_FILTER.
        if mode.is_some_and(|(_, mode)| mode.trim() == "2") {
            return Ok(());
        }
        process.kill();
        Err(ContainerError::Unfiltered(self.id.clone()))
    }

    fn refused(&self, verb: &'static str, said: &str) -> ContainerError {
        ContainerError::Refused {
            verb,
            id: self.id.clone(),
            said: said.to_owned(),
        }
    }
}

/// The process that builds, and the way to talk to it.
#[derive(Debug)]
struct Helper {
    child: Child,
    channel: BufReader<UnixStream>,
}

impl Helper {
    fn start(mut command: Command, words: &[String], stdio: Stdio) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let [input, output, error] = stdio;
        command.arg(theirs.as_raw_fd().to_string()).args(words);
        command.stdin(input).stdout(output).stderr(error);
        let keep = move || Ok(fcntl_setfd(&theirs, FdFlags::empty())?);
        // SAFETY: between fork and exec it makes one system call and allocates nothing.
        unsafe { command.pre_exec(keep) };
        let child = command.process_group(0).spawn()?;
        // The command holds their end: only the helper may.
        drop(command);
        Ok(Self {
            child,
            channel: BufReader::new(ours),
        })
    }

    /// The next answer; none when both the helper and what it has made hold no end any more.
    ///
    /// # Errors
    /// None has come in time.
    fn answer(&mut self) -> io::Result<Option<Answer>> {
        let mut line = String::new();
        // An answer is short: more is no answer.
        let mut limited = self.channel.by_ref().take(1 << 16);
        match limited.read_line(&mut line) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(serde_json::from_str(&line).ok()),
        }
    }

    /// Ends it, and what it has left between itself and what it makes.
    fn kill(&self) {
        if let Some(group) = group_of(self.child.id()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Told nothing more, it takes away what has not been started, and ends.
        let _ = self.channel.get_ref().shutdown(std::net::Shutdown::Both);
        reap(self.child.id());
    }
}

/// Waits for all of the helper's process group: itself, and the process that it leaves between
/// itself and what it makes, which is our child as well. What it makes has a session of its own.
fn reap(helper: u32) {
    let Some(group) = group_of(helper) else {
        return;
    };
    while matches!(
        waitpgid(group, WaitOptions::empty()),
        Ok(_) | Err(Errno::INTR)
    ) {}
}

/// It leads its own process group.
fn group_of(helper: u32) -> Option<Pid> {
    i32::try_from(helper).ok().and_then(Pid::from_raw)
}

fn no_answer() -> String {
    let seconds = PATIENCE.as_secs();
    format!("no answer for {seconds} s: something in it may stop whoever comes")
}
