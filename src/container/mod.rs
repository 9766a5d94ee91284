//! The container wall: a command behind the walls that the host's own kernel has.
//!
//! It knows a tree, a program to start in it and limits; nothing of images, of how the tree
//! was put together, or of what the command is. An OCI bundle is the interface, the same for
//! our own engine and for any other runtime (`docs/decisions/0017-container-engine.md`).
//!
//! ```text
//! Container::create(spec, runtime, stdio)   limits checked, bundle written, walls built
//! start                                     PID 1, our init, runs
//! exec, signal, pause, statistics           while it does
//! wait, delete                              nothing is left: no process, cgroup or mount
//! ```

mod bundle;
mod engine;
mod helper;
mod loopback;
mod runtime;
mod seccomp;
mod spec;

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::process::Pid;

use crate::cgroup::{Cgroup, CgroupError, Entrance, LimitsError, Statistics};
use crate::pidfd::Process;

pub use helper::run_if_told;
pub use spec::{ContainerSpec, Runtime, Volume};

use engine::Engine;
use runtime::ExternalRuntime;

/// Standard input, output and error of a command.
pub type Stdio = [OwnedFd; 3];

/// Why there is no container, or not what was wanted of it.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// A limit that this host cannot keep; nothing was started.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Its control groups.
    #[error("cannot manage the control groups of container {0}")]
    Cgroup(String, #[source] CgroupError),
    /// What the runtime reads.
    #[error("cannot write the bundle {0}")]
    Bundle(PathBuf, #[source] io::Error),
    /// A program that is not there.
    #[error("cannot run the container runtime {0}")]
    Runtime(PathBuf, #[source] io::Error),
    /// The runtime has refused, in its own words.
    #[error("cannot {verb} container {id}: {said}")]
    Refused {
        /// What was wanted.
        verb: &'static str,
        /// Of which container.
        id: String,
        /// The runtime's words.
        said: String,
    },
    /// It runs, but not as it should.
    #[error("container {0} runs without its system call filter, and was killed")]
    Unfiltered(String),
    /// A process that cannot be followed.
    #[error("cannot follow process {0}")]
    Process(i32, #[source] io::Error),
}

/// A container; dropped, nothing of it is left.
#[derive(Debug)]
pub struct Container {
    id: String,
    bundle: PathBuf,
    init: Process,
    maker: Maker,
    cgroup: Cgroup,
    is_deleted: bool,
}

/// Who has made it.
#[derive(Debug)]
enum Maker {
    Own(Engine),
    External(ExternalRuntime),
}

impl Maker {
    fn new(runtime: &Runtime, id: &str, bundle: &Path, entrance: Entrance) -> Self {
        match runtime {
            Runtime::Own => Self::Own(Engine::new(id, bundle, entrance)),
            Runtime::Path(path) => Self::External(ExternalRuntime::new(path, id, bundle, entrance)),
        }
    }

    fn create(&mut self, stdio: Stdio) -> Result<Process, ContainerError> {
        match self {
            Self::Own(engine) => engine.create(stdio),
            Self::External(runtime) => runtime.create(stdio),
        }
    }

    fn start(&mut self, init: &Process) -> Result<(), ContainerError> {
        match self {
            Self::Own(engine) => engine.start(init),
            Self::External(runtime) => runtime.start(),
        }
    }

    fn exec(&self, words: &[String], stdio: Stdio) -> Result<Process, ContainerError> {
        match self {
            Self::Own(engine) => engine.exec(words, stdio),
            Self::External(runtime) => runtime.exec(words, stdio),
        }
    }
}

impl Container {
    /// Builds the walls; the init waits behind them for [`Container::start`].
    ///
    /// The thread that calls has to live as long as the container: the init dies with it.
    ///
    /// # Errors
    /// A limit cannot be kept, or a step fails; nothing is left behind.
    pub fn create(
        spec: &ContainerSpec,
        runtime: &Runtime,
        stdio: Stdio,
    ) -> Result<Self, ContainerError> {
        let no_cgroup = |error| match error {
            CgroupError::Limits(error) => ContainerError::Limits(error),
            error => ContainerError::Cgroup(spec.id.clone(), error),
        };
        let mut cgroup = Cgroup::planned(&spec.id, &spec.limits).map_err(no_cgroup)?;
        let failed = |error| ContainerError::Bundle(spec.bundle.clone(), error);
        bundle::write(spec, &cgroup).map_err(failed)?;
        let mut entrance = Entrance::default();
        // Where the whole hierarchies are ours, runtimes make groups and enter them.
        if cgroup.oci_path().is_none() {
            cgroup = Cgroup::create(&spec.id, &spec.limits).map_err(no_cgroup)?;
            entrance = cgroup.entrance();
        }
        let mut maker = Maker::new(runtime, &spec.id, &spec.bundle, entrance);
        match maker.create(stdio) {
            Ok(init) => Ok(Self {
                id: spec.id.clone(),
                bundle: spec.bundle.clone(),
                init,
                maker,
                cgroup,
                is_deleted: false,
            }),
            Err(error) => {
                clean_up(&maker, &cgroup, &spec.bundle).map_err(no_cgroup)?;
                Err(error)
            }
        }
    }

    /// Lets the init go.
    ///
    /// # Errors
    /// It cannot be executed, or its system calls are not filtered.
    pub fn start(&mut self) -> Result<(), ContainerError> {
        self.maker.start(&self.init)
    }

    /// The init, as the host counts.
    pub fn pid(&self) -> Pid {
        self.init.pid()
    }

    /// Readable once the init has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.init.ended()
    }

    /// Sends `signal` to the init, which hands it on; one that has ended hears nothing.
    ///
    /// # Errors
    /// The number is no signal's.
    pub fn signal(&self, signal: i32) -> Result<(), ContainerError> {
        self.init.signal(signal).map_err(|e| self.lost_init(e))
    }

    /// Lets none of its processes go on, or all.
    ///
    /// # Errors
    /// The host cannot freeze.
    pub fn pause(&self, paused: bool) -> Result<(), ContainerError> {
        match &self.maker {
            Maker::External(runtime) if self.cgroup.oci_path().is_some() => runtime.pause(paused),
            _ => self.cgroup.freeze(paused).map_err(|e| self.no_cgroup(e)),
        }
    }

    /// Starts one more command, which the file `launch` describes, behind the same walls.
    ///
    /// # Errors
    /// The container has ended, or a step fails.
    pub fn exec(&self, launch: &Path, stdio: Stdio) -> Result<Process, ContainerError> {
        let failed = |error| ContainerError::Bundle(self.bundle.clone(), error);
        let inside = bundle::add_launch(&self.bundle, launch).map_err(failed)?;
        let words = [bundle::INIT, "launch", &inside].map(str::to_owned);
        self.maker.exec(&words, stdio)
    }

    /// Waits for the end of the init: the command's status.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn wait(&self) -> Result<ExitStatus, ContainerError> {
        self.init.wait().map_err(|e| self.lost_init(e))
    }

    /// What all of its processes have used so far.
    pub fn statistics(&self) -> Statistics {
        self.cgroup.statistics()
    }

    /// Kills what still runs and takes everything away.
    ///
    /// # Errors
    /// Something stays.
    pub fn delete(mut self) -> Result<(), ContainerError> {
        self.take_away()
    }

    fn take_away(&mut self) -> Result<(), ContainerError> {
        self.is_deleted = true;
        self.init.kill();
        clean_up(&self.maker, &self.cgroup, &self.bundle).map_err(|e| self.no_cgroup(e))
    }

    fn lost_init(&self, error: io::Error) -> ContainerError {
        ContainerError::Process(self.init.pid().as_raw_nonzero().get(), error)
    }

    fn no_cgroup(&self, error: CgroupError) -> ContainerError {
        ContainerError::Cgroup(self.id.clone(), error)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.is_deleted {
            let _ = self.take_away();
        }
    }
}

/// Takes away what a container of this name and bundle has left behind whose vmm was killed.
///
/// # Errors
/// Something stays.
pub fn clean(id: &str, bundle: &Path) -> Result<(), ContainerError> {
    let failed = |error| ContainerError::Cgroup(id.to_owned(), error);
    Cgroup::open(id)
        .and_then(|cgroup| cgroup.remove())
        .map_err(failed)?;
    bundle::remove(bundle);
    Ok(())
}

fn clean_up(maker: &Maker, cgroup: &Cgroup, bundle: &Path) -> Result<(), CgroupError> {
    cgroup.kill();
    if let Maker::External(runtime) = maker {
        runtime.delete();
    }
    cgroup.remove()?;
    bundle::remove(bundle);
    Ok(())
}

/// The process of this number, which a runtime has told or noted.
fn process(pid: i32) -> Result<Process, ContainerError> {
    let number = Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::NotFound.into());
    let opened = number.and_then(Process::open);
    opened.map_err(|error| ContainerError::Process(pid, error))
}

/// The file's text, or nothing.
fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
