//! Any other OCI runtime, by the command line that runc has given to all of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::process::{getpid, set_child_subreaper};
use serde::Deserialize;

use super::{ContainerError, Stdio, bundle, process, text_of};
use crate::cgroup::Entrance;
use crate::pidfd::Process;

/// A runtime and the container that it has made.
#[derive(Debug)]
pub(super) struct ExternalRuntime {
    program: PathBuf,
    id: String,
    bundle: PathBuf,
    entrance: Entrance,
}

/// A line of the runtime's log.
#[derive(Deserialize)]
struct Logged {
    msg: String,
}

impl ExternalRuntime {
    pub(super) fn new(program: &Path, id: &str, bundle: &Path, entrance: Entrance) -> Self {
        Self {
            program: program.to_owned(),
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            entrance,
        }
    }

    pub(super) fn create(&self, stdio: Stdio) -> Result<Process, ContainerError> {
        let mut command = self.command("create");
        command.arg("--bundle").arg(&self.bundle);
        self.make_process("create", command, &[], stdio)
    }

    pub(super) fn start(&self) -> Result<(), ContainerError> {
        self.order("start")
    }

    pub(super) fn pause(&self, paused: bool) -> Result<(), ContainerError> {
        self.order(if paused { "pause" } else { "resume" })
    }

    pub(super) fn exec(&self, words: &[String], stdio: Stdio) -> Result<Process, ContainerError> {
        let mut command = self.command("exec");
        command.args(["--detach", "--cwd", "/"]);
        self.make_process("exec in", command, words, stdio)
    }

    /// What is not there is gone, too.
    pub(super) fn delete(&self) {
        let mut command = self.command("delete");
        command.args(["--force", &self.id]);
        let _ = command.output();
    }

    /// Runs `command`, which leaves behind a process with this standard input, output and
    /// error: no child of ours, but of a process that ends before it does.
    fn make_process(
        &self,
        verb: &'static str,
        mut command: Command,
        words: &[String],
        stdio: Stdio,
    ) -> Result<Process, ContainerError> {
        // PR_SET_CHILD_SUBREAPER(2const): what is orphaned becomes ours, to be waited for.
        set_child_subreaper(Some(getpid())).map_err(|errno| self.no_runtime(errno.into()))?;
        let pid_file = bundle::state(&self.bundle).join("pid");
        let [input, output, error] = stdio;
        command
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&self.id)
            .args(words);
        command.stdin(input).stdout(output).stderr(error);
        let entered = self.entrance.lead(&mut command);
        entered.map_err(|error| self.no_runtime(error))?;
        let status = command.status().map_err(|error| self.no_runtime(error))?;
        self.check(verb, status)?;
        let pid = text_of(&pid_file).trim().parse();
        // A process of another command is not to be taken for this one.
        let _ = fs::remove_file(&pid_file);
        process(pid.unwrap_or_default())
    }

    fn order(&self, verb: &'static str) -> Result<(), ContainerError> {
        let output = self.command(verb).arg(&self.id).output();
        self.check(verb, output.map_err(|error| self.no_runtime(error))?.status)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--root")
            .arg(bundle::state(&self.bundle).join("runtime"));
        command.arg("--log").arg(self.log());
        command.args(["--log-format", "json", verb]);
        command
    }

    fn check(&self, verb: &'static str, status: ExitStatus) -> Result<(), ContainerError> {
        if status.success() {
            return Ok(());
        }
        let said = self.last_words().unwrap_or_else(|| status.to_string());
        let id = self.id.clone();
        Err(ContainerError::Refused { verb, id, said })
    }

    fn last_words(&self) -> Option<String> {
        let log = text_of(&self.log());
        let logged: Logged = serde_json::from_str(log.lines().last()?).ok()?;
        Some(logged.msg)
    }

    fn log(&self) -> PathBuf {
        bundle::state(&self.bundle).join("log")
    }

    fn no_runtime(&self, error: io::Error) -> ContainerError {
        ContainerError::Runtime(self.program.clone(), error)
    }
}
