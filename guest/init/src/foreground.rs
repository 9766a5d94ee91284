//! One command on the streams that are here: started, signalled, waited for.
//!
//! It is PID 1 of a container, whose kernel ends whatever is left when we do. Behind the
//! process wall it is a subreaper, so that orphans are reaped there as well.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::FromRawFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, getpid};
use wire::Launch;

use crate::launch::{self, Streams};
use crate::sys::Signals;
use crate::{Failure, reap};

/// Runs the command that `source` describes; returns its exit status.
pub fn run(source: &str) -> Result<u8, Failure> {
    let text = read(source).map_err(|error| format!("cannot read the launch {source}: {error}"))?;
    let launch: Launch = serde_json::from_slice(&text)
        .map_err(|error| format!("cannot understand the launch {source}: {error}"))?;
    let mut signals = Signals::take_all()?;
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let terminal = launch.tty.is_some();
    match launch::spawn(&launch, Streams::Inherited { terminal }, None) {
        Ok(command) => wait_for(command, &mut signals),
        Err(error) => {
            eprintln!("init: {}", crate::chain(&error));
            Ok(error.status())
        }
    }
}

/// The file at a path, or one that we have inherited.
fn read(source: &str) -> io::Result<Vec<u8>> {
    let Ok(number) = source.parse() else {
        return fs::read(source);
    };
    // SAFETY: whoever starts us with a number hands this descriptor over, to be closed by us.
    let mut file = unsafe { File::from_raw_fd(number) };
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Forwards signals and reaps until `command` has ended.
fn wait_for(command: Pid, signals: &mut Signals) -> Result<u8, Failure> {
    loop {
        while let Some((pid, status)) = reap::next() {
            if pid == command {
                return Ok(status);
            }
        }
        while let Some(arrived) = signals.next() {
            // What a terminal sends to its whole foreground is not meant for us: who started
            // us sees it, and asks for what is to be forwarded.
            if arrived.signal != libc::SIGCHLD && !arrived.from_kernel {
                crate::sys::kill(command, arrived.signal);
            }
        }
        let mut events = [PollFd::new(signals, PollFlags::IN)];
        match poll(&mut events, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
