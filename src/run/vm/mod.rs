//! The vm wall: the image's files in a machine of their own, with a kernel of their own.
//!
//! - [`spec`]: what the user wants becomes a machine and what its guest makes of itself
//! - [`modules`]: what the guest's kernel needs beside it
//! - [`initrd`]: what it boots into: our init
//! - [`volumes`], [`virtiofsd`]: directories of the host in it
//! - [`relay`]: the host's half of the protocol with that init
//! - [`guest`]: the machine with its guest, at work

pub mod guest;
pub mod initrd;
pub mod modules;
pub mod relay;
pub mod spec;
pub mod virtiofsd;
pub mod volumes;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::running::{Instance, Streams};
use super::{Behind, RunError, Wall};
use guest::Guest;
use spec::Spec;

/// Starts the command of `behind` on `streams`.
///
/// # Errors
/// The machine cannot be built.
pub fn start(behind: Behind<'_>, streams: Streams) -> Result<Box<dyn Instance>, RunError> {
    allow_all_files();
    let failed = |error| RunError::Wall(Wall::Vm, error);
    let (spec, keep) = Spec::of(&behind).map_err(failed)?;
    let guest = Guest::start(spec, behind.timeline, |orders| {
        orders.open(&behind.launch, streams)
    });
    let mut guest = guest.map_err(failed)?;
    guest.hold(keep);
    Ok(Box::new(guest))
}

/// Each connection that a guest may make to a channel takes some files of this process, which starts
/// nothing that could mind how many it may have.
fn allow_all_files() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // With fewer, some connections wait.
    let _ = setrlimit(Resource::Nofile, all);
}
