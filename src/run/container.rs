//! The container wall: the image's files behind namespaces, control groups and a filter.

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use wire::{CHANNEL_DIRECTORY, Launch, WindowSize};

use super::outcome::Outcome;
use super::process::{host_kernel, status_of};
use super::running::{Instance, Session, Streams};
use super::tree::{self, Tree};
use super::{Behind, RunError, Wall, init};
use crate::container::{self, Container, ContainerError, ContainerSpec, Runtime};
use crate::pidfd::Process;

/// The OCI bundle, in the directory of the instance.
pub(super) const BUNDLE: &str = "bundle";

/// A command in a container.
struct Contained {
    // Dropped in this order: the container stands in the tree.
    container: Container,
    _tree: Tree,
    directory: PathBuf,
    started: u32,
}

/// Another command in a container.
struct Guest(Process);

/// Starts the command of `behind` on `streams`.
///
/// # Errors
/// The host does not let us build the walls; nothing of them is left.
pub fn start(behind: Behind<'_>, streams: Streams) -> Result<Box<dyn Instance>, RunError> {
    let tree = tree::mount(&behind)?;
    let directory = behind.entry.directory().to_owned();
    let launch = write_launch(&directory, 0, &behind.launch)?;
    let init = directory.join("init");
    init::write(&init).map_err(|error| RunError::io("cannot write the init", error))?;
    let spec = spec(&behind, &tree, init, launch)?;
    let runtime = match &behind.request.runtime {
        Some(path) => Runtime::Path(path.clone()),
        None => Runtime::Own,
    };
    let mut container = Container::create(&spec, &runtime, streams.into()).map_err(failed)?;
    behind.timeline.mark("vmm: container created");
    container.start().map_err(failed)?;
    Ok(Box::new(Contained {
        container,
        _tree: tree,
        directory,
        started: 0,
    }))
}

fn spec(
    behind: &Behind<'_>,
    tree: &Tree,
    init: PathBuf,
    launch: PathBuf,
) -> Result<ContainerSpec, RunError> {
    let request = behind.request;
    let name = request.name.as_str();
    Ok(ContainerSpec {
        id: behind.cgroup.to_owned(),
        root: tree.root.path().to_owned(),
        bundle: behind.entry.file(BUNDLE),
        init,
        launch,
        limits: request.limits,
        volumes: volumes(behind)?,
        hostname: Some(request.hostname.clone().unwrap_or_else(|| name.to_owned())),
        read_only: request.read_only,
    })
}

/// A runtime looks up a source from a directory of its own.
fn volumes(behind: &Behind<'_>) -> Result<Vec<container::Volume>, RunError> {
    let absolute = |volume: &super::request::Volume| match fs::canonicalize(&volume.source) {
        Ok(source) => Ok(container::Volume {
            source,
            target: volume.target.clone().into(),
            read_only: volume.read_only,
        }),
        Err(error) => Err(RunError::io(
            format!("cannot use the volume {}", volume.source.display()),
            error,
        )),
    };
    let channels = behind.doors.map(|doors| container::Volume {
        source: doors.path().to_owned(),
        target: CHANNEL_DIRECTORY.into(),
        read_only: true,
    });
    let volumes = behind.request.volumes.iter().map(absolute);
    volumes.chain(channels.map(Ok)).collect()
}

fn write_launch(directory: &Path, number: u32, launch: &Launch) -> Result<PathBuf, RunError> {
    let path = directory.join(format!("launch-{number}.json"));
    let written = serde_json::to_vec(launch)
        .map_err(std::io::Error::from)
        .and_then(|json| fs::write(&path, json));
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(RunError::io("cannot write the launch", error)),
    }
}

fn failed(error: ContainerError) -> RunError {
    RunError::wall(Wall::Container, error)
}

impl Session for Contained {
    fn ended(&self) -> BorrowedFd<'_> {
        self.container.ended()
    }

    fn signal(&mut self, signal: i32) -> Result<(), RunError> {
        self.container.signal(signal).map_err(failed)
    }

    fn resize(&mut self, _size: WindowSize) -> Result<(), RunError> {
        self.signal(libc::SIGWINCH)
    }

    fn finish(self: Box<Self>) -> Result<Outcome, RunError> {
        let status = self.container.wait().map_err(failed)?;
        let used = self.container.statistics();
        self.container.delete().map_err(failed)?;
        Ok(Outcome {
            oom: used.oom_kills.is_some_and(|kills| kills > 0),
            ..Outcome::of(status_of(status))
        })
    }
}

impl Instance for Contained {
    fn pause(&mut self, paused: bool) -> Result<(), RunError> {
        self.container.pause(paused).map_err(failed)
    }

    fn exec(&mut self, launch: &Launch, streams: Streams) -> Result<Box<dyn Session>, RunError> {
        self.started += 1;
        let launch = write_launch(&self.directory, self.started, launch)?;
        let process = self.container.exec(&launch, streams.into());
        Ok(Box::new(Guest(process.map_err(failed)?)))
    }

    fn counters(&self) -> Vec<(String, u64)> {
        self.container.statistics().counters()
    }

    fn kernel(&self) -> String {
        host_kernel()
    }
}

impl Session for Guest {
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
