//! One image behind one of three walls, under one contract (docs/contract.md).
//!
//! - [`wall`]: the walls, and what each cannot promise
//! - [`request`]: what the user wants run
//! - [`command`]: image and wishes become the command that is launched
//! - [`channel`]: byte streams between two instances
//! - [`running`]: what a wall offers for a command that runs behind it
//! - [`process`], [`container`], [`vm`]: the walls
//! - [`ending`], [`supervise`]: signals, time, and what other commands ask; `rest`: a pause where
//!   nobody can be let in
//! - [`outcome`], [`record`]: how it ended, and all that is told of it
//! - [`instance`], [`stale`]: which commands run now, and what one has left that was killed

pub mod channel;
pub mod command;
pub mod container;
pub mod ending;
pub mod init;
pub mod instance;
pub mod outcome;
pub mod process;
pub mod record;
pub mod request;
mod rest;
pub mod running;
pub mod stale;
pub mod supervise;
pub mod tree;
pub mod vm;
pub mod wall;

use std::cell::Cell;
use std::io;
use std::sync::Arc;

pub use instance::{InstanceName, Registry, RegistryError};
pub use outcome::Outcome;
pub use request::Request;
pub use wall::{Refusal, Wall};

use channel::{ChannelError, Channels, Doors};
use command::NoCommand;
use instance::control::Listener;
use instance::{Entry, State};
use record::Record;
use running::{Instance, Streams};
use supervise::Signals;
use wire::Launch;

use crate::cgroup::Cgroup;
use crate::image::{Image, ImageError, Store};
use crate::terminal::raw::RawMode;
use crate::timeline::Timeline;

/// Why a command cannot be run. None of these is the command's own failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such image, or it cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is nothing to run.
    #[error(transparent)]
    Command(#[from] NoCommand),
    /// The wall cannot keep a promise.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The instance cannot be made.
    #[error(transparent)]
    Instance(#[from] RegistryError),
    /// A channel cannot be had.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The wall cannot be put up, or does not do what it is asked.
    #[error("cannot run it behind the {} wall", .0.name())]
    Wall(Wall, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// A system call failed.
    #[error("{doing}")]
    Io {
        /// What we were doing.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl RunError {
    /// An error of the system while `doing` something.
    pub fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            doing: doing.into(),
            source,
        }
    }

    /// An error of `wall`.
    pub fn wall(wall: Wall, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Wall(wall, source.into())
    }
}

/// What a wall gets to put a command behind it.
pub struct Behind<'a> {
    /// What the user wants.
    pub request: &'a Request,
    /// The image.
    pub image: &'a Image,
    /// Where images and keeps are.
    pub store: &'a Store,
    /// The command.
    pub launch: Launch,
    /// The instance that it becomes.
    pub entry: &'a Entry,
    /// Where its channels are.
    pub doors: Option<&'a Doors>,
    /// What its control groups are called.
    pub cgroup: &'a str,
    /// What took how long.
    pub timeline: &'a Arc<Timeline>,
}

/// Runs what `request` wants until it ends.
///
/// `started` is called when the command has been started.
///
/// # Errors
/// It cannot be run: the failure is ours, and nothing of it is left.
pub fn run(request: &Request, started: impl FnOnce()) -> Result<Record, RunError> {
    let timeline = Arc::<Timeline>::default();
    prepare_limits(request)?;
    let store = Store::open_default()?;
    let image = store.resolve(&request.image, &request.resolve)?;
    // Until here a signal ends us at once; nobody would look at those that are taken.
    let signals = Signals::take()?;
    timeline.mark("vmm: image");
    let launch = command::launch(&request.image, &image.config, request.wishes.clone())?;
    let launch = command::with_channels(launch, &request.channels);
    let entry = Registry::open()?.create(request.name.clone())?;
    let state = State::of(request, &image, &launch);
    entry.describe(&state)?;
    let behind = Behind {
        request,
        image: &image,
        store: &store,
        launch,
        entry: &entry,
        doors: None,
        cgroup: &state.cgroup,
        timeline: &timeline,
    };
    let has_started = Cell::new(false);
    let record = run_behind(behind, signals, || {
        has_started.set(true);
        started();
    });
    let cleared = match &record {
        Ok(record) if request.detached => entry.keep(&record.outcome),
        // Nobody waits for it any more: its log has the reason.
        Err(error) if request.detached && has_started.get() => {
            Streams::tell(entry.directory(), &crate::chain(error));
            entry.keep(&Outcome::of(outcome::OURS))
        }
        _ => entry.remove(),
    };
    // Why it failed says more than what has stayed.
    let record = record?;
    cleared?;
    Ok(record)
}

/// A machine has limits of its own; the others need the host's control groups.
fn prepare_limits(request: &Request) -> Result<(), RunError> {
    match request.wall {
        Wall::Vm => Ok(()),
        wall => Cgroup::prepare(&request.limits).map_err(|error| RunError::wall(wall, error)),
    }
}

fn run_behind(
    behind: Behind<'_>,
    signals: Signals,
    started: impl FnOnce(),
) -> Result<Record, RunError> {
    let Behind {
        request,
        image,
        timeline,
        ..
    } = behind;
    let listener = Listener::bind(behind.entry.directory())
        .map_err(|error| RunError::io("cannot listen for other commands", error))?;
    let terminal = raw_terminal(request)?;
    let mut channels = Channels::open(&request.channels, behind.entry)?;
    let mut instance = start(Behind {
        doors: channels.doors(),
        ..behind
    })?;
    channels.serve()?;
    timeline.mark("vmm: wall");
    started();
    let timed_out = supervise::until_end(
        &mut *instance,
        (behind.entry, &listener),
        signals,
        request.times,
    )?;
    let behind_wall = (instance.kernel(), instance.showing());
    let outcome = Outcome {
        timed_out,
        ..instance.finish()?
    };
    // What the command has said last still arrives.
    drop(channels);
    drop(terminal);
    timeline.mark("command: until it ended");
    Ok(Record::of(request, image, outcome, behind_wall, timeline))
}

/// Every key is the command's while this lives, if it has a terminal.
fn raw_terminal(request: &Request) -> Result<Option<RawMode>, RunError> {
    match request.wishes.tty {
        Some(_) => RawMode::enter(io::stdin())
            .map_err(|error| RunError::io("cannot set the terminal up", error)),
        None => Ok(None),
    }
}

fn start(behind: Behind<'_>) -> Result<Box<dyn Instance>, RunError> {
    let streams = match behind.request.detached {
        true => Streams::of_files(behind.entry.directory()),
        false => Streams::of_this_process(),
    };
    let streams =
        streams.map_err(|error| RunError::io("cannot pass the standard streams on", error))?;
    match behind.request.wall {
        Wall::Process => process::start(behind, streams),
        Wall::Container => container::start(behind, streams),
        Wall::Vm => vm::start(behind, streams),
    }
}
