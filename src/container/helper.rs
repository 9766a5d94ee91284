//! Our own engine, seen from inside of its helper: libcontainer, in a process with one thread.
//!
//! libcontainer changes the directory of its process and clones it: neither is for a process
//! that has threads. The helper lives from `create` to `start`, and takes back what it has made
//! when the process that wanted it is gone.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::bundle;
use super::engine::{self, Answer, SUMMONS};
use super::loopback;
use super::seccomp::{self, Filter};
use crate::chain;
use crate::root::veil;

/// Whatever stops the helper: it is told as a sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does a helper's work if the command line asks for that; to be called before anything else,
/// in a process that has one thread.
pub fn run_if_told() -> Option<ExitCode> {
    let mut words = env::args().skip(1);
    if words.next()? != SUMMONS {
        return None;
    }
    let job = Job::from_words(words)?;
    let Err(error) = job.work() else {
        return Some(ExitCode::SUCCESS);
    };
    tell(&job.channel, &Answer::Error(chain(error.as_ref())));
    Some(ExitCode::FAILURE)
}

/// What the helper is to do.
struct Job {
    verb: String,
    id: String,
    bundle: PathBuf,
    channel: Arc<UnixStream>,
    words: Vec<String>,
}

impl Job {
    fn from_words(mut words: impl Iterator<Item = String>) -> Option<Self> {
        Some(Self {
            verb: words.next()?,
            id: words.next()?,
            bundle: words.next()?.into(),
            channel: Arc::new(inherited(words.next()?.parse().ok()?)?),
            words: words.collect(),
        })
    }

    fn work(&self) -> Result<(), Failure> {
        let view = bundle::view(&self.bundle);
        if view.exists() {
            // libcontainer makes a group in every hierarchy that it sees, or fails. Such groups
            // as we may have here we have been put into.
            veil::hide_control_groups(&view)?;
        }
        match self.verb.as_str() {
            "create" => self.create(),
            _ => self.exec(),
        }
    }

    /// Builds the walls, and opens the gate when told; or takes them down again.
    fn create(&self) -> Result<(), Failure> {
        let builder = self.builder()?.as_init(&self.bundle);
        let builder = builder
            .with_systemd(false)
            .as_sibling(true)
            .with_detach(true);
        let mut container = builder.build()?;
        let pid = container.pid().ok_or("the container has no process")?;
        tell(&self.channel, &Answer::Process(pid.as_raw()));
        if self.is_told_to_start() {
            loopback::set_up(pid.as_raw())
                .map_err(|error| format!("cannot set up the loopback interface: {error}"))?;
            container.start()?;
        } else {
            container.delete(true)?;
        }
        Ok(())
    }

    fn exec(&self) -> Result<(), Failure> {
        let builder = self.builder()?.as_tenant().with_cwd(Some("/"));
        let builder = builder.with_container_args(self.words.clone());
        let pid = builder.as_sibling(true).with_detach(true).build()?;
        tell(&self.channel, &Answer::Process(pid.as_raw()));
        Ok(())
    }

    fn builder(&self) -> Result<ContainerBuilder, Failure> {
        let state = bundle::state(&self.bundle);
        let walled = Walled {
            filter: Filter::compile(&seccomp::profile()?)?,
            channel: Arc::clone(&self.channel),
        };
        let noted = engine::pid_file(&self.bundle, std::process::id());
        let builder = ContainerBuilder::new(self.id.clone(), SyscallType::default());
        let builder = builder.with_executor(walled).with_root_path(state)?;
        Ok(builder.with_pid_file(Some(noted))?)
    }

    fn is_told_to_start(&self) -> bool {
        let mut line = String::new();
        let read = BufReader::new(self.channel.as_ref()).read_line(&mut line);
        read.is_ok() && line == "start\n"
    }
}

/// The channel that the parent has left open for us, and for no program after us.
fn inherited(number: RawFd) -> Option<UnixStream> {
    if number <= 2 {
        return None;
    }
    // SAFETY: the parent has opened it for this process, which hears of it here alone.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC).ok()?;
    Some(fd.into())
}

/// Says it; where nobody listens any more there is nobody to be told of that.
fn tell(mut channel: &UnixStream, answer: &Answer) {
    let line = serde_json::to_string(answer).unwrap_or_default();
    let _ = channel.write_all((line + "\n").as_bytes());
}

/// How the init becomes the program: in the process itself, right before the end of it.
#[derive(Clone)]
struct Walled {
    filter: Filter,
    channel: Arc<UnixStream>,
}

impl Walled {
    fn begin(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let failed =
            |error: io::Error| ExecutorError::Other(format!("cannot tie it to us: {error}"));
        // Our parent is vmm: what it has started ends with it, even by kill -9.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| failed(e.into()))?;
        let installed = self.filter.install();
        installed.map_err(|error| ExecutorError::Other(chain(&error)))?;
        DefaultExecutor {}.exec(spec)
    }
}

impl Executor for Walled {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        self.begin(spec)
            .inspect_err(|error| tell(&self.channel, &Answer::Error(chain(error))))
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        DefaultExecutor {}.validate(spec)
    }
}
