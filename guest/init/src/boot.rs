//! PID 1 of a virtual machine: makes a root of its disks, serves commands, powers off.
//!
//! - [`early`]: the kernel's own file systems, and its modules
//! - [`disks`]: which disk is which, and what is on it
//! - [`root`]: the root of the commands, and its volumes
//! - [`cgroup`]: their limits
//! - [`network`]: their loopback
//! - [`port`]: the way to the host

mod cgroup;
mod disks;
mod early;
mod network;
mod port;
mod root;

use std::fs;

use rustix::system::{RebootCommand, reboot, sethostname, uname};
use wire::{Frame, Kind, Part, Ready, Setup, Stream};

use crate::serve::{self, Commands};
use crate::sys::{self, Signals};
use crate::{Failure, chain};

pub use cgroup::Cgroup;

/// What the host has put beside us.
const SETUP: &str = "/setup.json";

/// A guest that commands can be started in.
struct Guest {
    keep: Option<root::Keep>,
    commands: Commands,
}

/// Runs the guest, from its first program to its last.
pub fn run() -> ! {
    if let Err(error) = live() {
        // Of the console nobody knows whether it is there; the kernel's log is.
        let _ = fs::write("/dev/kmsg", format!("<3>init: {}\n", chain(error.as_ref())));
    }
    // What is not on a disk by now is meant to go.
    let _ = reboot(RebootCommand::PowerOff);
    // Without a way to power off, the kernel's own end of PID 1: a panic.
    sys::exit_now(crate::FAILURE)
}

fn live() -> Result<(), Failure> {
    early::mount()?;
    early::load_modules()?;
    let guest = set_up();
    let mut port = port::open()?;
    let guest = match guest {
        Ok(guest) => guest,
        Err(error) => {
            let text = chain(error.as_ref());
            port::say(&mut port, &whole(Kind::Failed, text.as_bytes()))?;
            return Err(error);
        }
    };
    let kernel = uname().release().to_string_lossy().into_owned();
    let ready = serde_json::to_vec(&Ready { kernel })?;
    // Until the host is there, this waits; afterwards nothing does.
    port::say(&mut port, &whole(Kind::Ready, &ready))?;
    rustix::io::ioctl_fionbio(&port, true)?;
    let served = serve::run(port, guest.commands);
    end(guest.keep)?;
    served
}

fn set_up() -> Result<Guest, Failure> {
    let setup = fs::read(SETUP).map_err(|error| format!("cannot read {SETUP}: {error}"))?;
    let setup: Setup = serde_json::from_slice(&setup)
        .map_err(|error| format!("cannot understand {SETUP}: {error}"))?;
    let disks = disks::find()?;
    let keep = root::make(&setup, &disks)?;
    if let Some(name) = &setup.hostname {
        sethostname(name.as_bytes())?;
    }
    network::raise_loopback();
    Ok(Guest {
        keep,
        commands: Commands {
            signals: Signals::take_all()?,
            cgroup: Cgroup::make(setup.limits)?,
            channels: setup.channels,
        },
    })
}

/// Leaves the disk that is kept as if it had been unmounted.
fn end(keep: Option<root::Keep>) -> Result<(), Failure> {
    sys::kill_all();
    while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok() {}
    // Directories of the host, with what was written by way of a mapping.
    rustix::fs::sync();
    match keep {
        Some(keep) => Ok(keep.close()?),
        None => Ok(()),
    }
}

/// Something about the guest as a whole: it is told of the first session.
fn whole(kind: Kind, payload: &[u8]) -> Frame<'_> {
    Frame::new(Stream::new(0, Part::Whole), kind, payload)
}
