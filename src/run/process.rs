//! The process wall: the image's files, and else no wall. It isolates nothing.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::FdFlags;
use wire::{CHANNEL_DIRECTORY, Launch, WindowSize};

use super::outcome::Outcome;
use super::running::{Instance, Session, Streams};
use super::tree::{self, Tree};
use super::{Behind, RunError, Wall, init};
use crate::cgroup::Cgroup;
use crate::pidfd;
use crate::root::enter::{EnterError, View, Writable};

/// As tmpfs has it.
const ALL_OF_MEMORY: u64 = 0;

/// A command that runs in the image's files.
struct Process {
    init: Init,
    place: Place,
}

/// Where commands run, and the `init` that starts each.
struct Place {
    program: File,
    // What is left in it ends when it is removed; without one, by the mark of the tree.
    cgroup: Cgroup,
    tree: Tree,
}

/// An `init` of ours with its command.
struct Init(pidfd::Process);

/// Starts the command of `behind` on `streams`.
///
/// # Errors
/// The host does not let us put its root together, or start it.
pub fn start(behind: Behind<'_>, streams: Streams) -> Result<Box<dyn Instance>, RunError> {
    let tree = tree::mount(&behind)?;
    furnish(&behind, &tree).map_err(|error| RunError::wall(Wall::Process, error))?;
    let program = init::in_memory().map_err(starting)?;
    let limits = &behind.request.limits;
    let cgroup = Cgroup::create(behind.cgroup, limits)
        .map_err(|error| RunError::wall(Wall::Process, error))?;
    let place = Place {
        program,
        cgroup,
        tree,
    };
    let init = place.start(&behind.launch, streams).inspect_err(|_| {
        let _ = place.cgroup.remove();
    })?;
    Ok(Box::new(Process { init, place }))
}

/// Gives the tree what the contract says it has.
fn furnish(behind: &Behind<'_>, tree: &Tree) -> Result<(), EnterError> {
    let view = View::of(&tree.root)?;
    for private in ["/tmp", "/run"].map(Path::new) {
        view.private(private, ALL_OF_MEMORY)?;
    }
    for volume in &behind.request.volumes {
        let writable = match volume.read_only {
            true => Writable::No,
            false => Writable::Yes,
        };
        view.show(&volume.source, Path::new(&volume.target), writable)?;
    }
    if let Some(doors) = behind.doors {
        view.show(doors.path(), Path::new(CHANNEL_DIRECTORY), Writable::No)?;
    }
    match behind.request.read_only {
        true => view.make_read_only(),
        false => Ok(()),
    }
}

impl Place {
    /// The thread that calls has to live as long as the init, which dies with it.
    fn start(&self, launch: &Launch, streams: Streams) -> Result<Init, RunError> {
        let (file, number) = pass_on(launch).map_err(starting)?;
        let child = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()))
            .arg0("init")
            .arg("launch")
            .args(["--parent", &std::process::id().to_string()])
            .args(joining(&self.cgroup))
            .arg("--root")
            .arg(self.tree.root.path())
            .arg(number)
            .env_clear()
            .stdin(streams.input)
            .stdout(streams.output)
            .stderr(streams.errors)
            .spawn()
            .map_err(starting)?;
        drop(file);
        let process = pidfd::Process::of(child).map_err(starting)?;
        Ok(Init(process))
    }
}

fn starting(error: io::Error) -> RunError {
    RunError::io("cannot start init", error)
}

/// The words by which an init joins `cgroup`: itself, so that nothing of its starts outside.
fn joining(cgroup: &Cgroup) -> Vec<PathBuf> {
    let words = |procs| [PathBuf::from("--join"), procs];
    cgroup.procs_paths().into_iter().flat_map(words).collect()
}

/// `launch` as a file that a child inherits, and its number there.
fn pass_on(launch: &Launch) -> io::Result<(File, String)> {
    use std::io::{Seek, Write};
    let mut file = File::from(memfd_create("launch", MemfdFlags::empty())?);
    serde_json::to_writer(&file, launch)?;
    file.flush()?;
    file.rewind()?;
    rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
    let number = file.as_raw_fd().to_string();
    Ok((file, number))
}

impl Session for Init {
    fn ended(&self) -> BorrowedFd<'_> {
        self.0.ended()
    }

    fn signal(&mut self, signal: i32) -> Result<(), RunError> {
        let sent = self.0.signal(signal);
        sent.map_err(|error| RunError::io("cannot send a signal", error))
    }

    fn resize(&mut self, _size: WindowSize) -> Result<(), RunError> {
        self.signal(libc::SIGWINCH)
    }

    fn finish(self: Box<Self>) -> Result<Outcome, RunError> {
        let status = self.0.wait();
        let status = status.map_err(|error| RunError::io("cannot wait for init", error))?;
        Ok(Outcome::of(status_of(status)))
    }
}

/// 128 and the signal, as a shell tells it.
pub(super) fn status_of(status: ExitStatus) -> u8 {
    let signalled = || 128 + status.signal().unwrap_or(0);
    let code = status.code().unwrap_or_else(signalled);
    u8::try_from(code).unwrap_or(u8::MAX)
}

impl Session for Process {
    fn ended(&self) -> BorrowedFd<'_> {
        self.init.ended()
    }

    fn signal(&mut self, signal: i32) -> Result<(), RunError> {
        self.init.signal(signal)
    }

    fn resize(&mut self, size: WindowSize) -> Result<(), RunError> {
        self.init.resize(size)
    }

    fn finish(self: Box<Self>) -> Result<Outcome, RunError> {
        let outcome = Box::new(self.init).finish();
        let used = self.place.cgroup.statistics();
        if let Some(mark) = &self.place.tree.mark {
            let left = mark.end_all();
            left.map_err(|error| RunError::io("cannot end what the command has left", error))?;
        }
        let removed = self.place.cgroup.remove();
        removed.map_err(|error| RunError::wall(Wall::Process, error))?;
        Ok(Outcome {
            oom: used.oom_kills.is_some_and(|kills| kills > 0),
            ..outcome?
        })
    }
}

impl Instance for Process {
    fn pause(&mut self, paused: bool) -> Result<(), RunError> {
        let done = self.place.cgroup.freeze(paused);
        done.map_err(|error| RunError::wall(Wall::Process, error))
    }

    fn exec(&mut self, launch: &Launch, streams: Streams) -> Result<Box<dyn Session>, RunError> {
        Ok(Box::new(self.place.start(launch, streams)?))
    }

    fn counters(&self) -> Vec<(String, u64)> {
        self.place.cgroup.statistics().counters()
    }

    fn kernel(&self) -> String {
        host_kernel()
    }
}

/// The release of the host's kernel.
pub fn host_kernel() -> String {
    let release = rustix::system::uname();
    release.release().to_string_lossy().into_owned()
}
