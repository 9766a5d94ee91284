//! PID 1, the same behind every wall.
//!
//! - `init launch FILE`: starts the command that FILE (the number of an inherited file
//!   descriptor, or a path) describes, with the streams that are here already: behind the
//!   process and the container wall
//! - as the first program of a virtual machine's initial RAM disk: makes a root of the
//!   machine's disks, and starts the commands that come over a port
//!
//! In layer order:
//!
//! - [`sys`]: what the C library has and rustix has not
//! - [`user`]: who a command runs as
//! - [`launch`], [`child`]: a command becomes a process
//! - [`reap`]: how processes ended
//! - [`pty`]: a terminal of the command's own
//! - [`foreground`]: one command on the streams that are here
//! - [`stream`], [`session`]: a command whose streams go over a port
//! - [`connection`]: a program at a channel to another instance
//! - [`serve`]: all such commands
//! - [`boot`]: the life of a virtual machine

mod boot;
mod child;
mod connection;
mod foreground;
mod launch;
mod pty;
mod reap;
mod serve;
mod session;
mod stream;
mod sys;
mod user;

use std::process::ExitCode;

/// Our own failure, not the command's (docs/contract.md).
const FAILURE: u8 = 125;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let status = match words.as_slice() {
        [_, "launch", options @ .., source] => {
            enter(options).and_then(|()| foreground::run(source))
        }
        [_] if rustix::process::getpid().is_init() => boot::run(),
        _ => Err(USAGE.into()),
    };
    ExitCode::from(status.unwrap_or_else(|error| {
        eprintln!("init: {}", chain(error.as_ref()));
        FAILURE
    }))
}

const USAGE: &str =
    "usage: init launch [--parent PID] [--join CGROUP.PROCS]… [--root DIRECTORY] FILE";

/// Goes where the command is to be: what a container's engine has done already, and the
/// process wall leaves to us.
fn enter(options: &[&str]) -> Result<(), Failure> {
    match options {
        [] => Ok(()),
        ["--parent", parent, rest @ ..] => {
            end_with(parent)?;
            enter(rest)
        }
        ["--join", procs, rest @ ..] => {
            std::fs::write(procs, "0").map_err(|error| format!("cannot join {procs}: {error}"))?;
            enter(rest)
        }
        ["--root", root, rest @ ..] => {
            std::os::unix::fs::chroot(root)
                .and_then(|()| std::env::set_current_dir("/"))
                .map_err(|error| format!("cannot make {root} the root: {error}"))?;
            enter(rest)
        }
        _ => Err(USAGE.into()),
    }
}

/// Ends this process when `parent` ends, even if that is killed.
fn end_with(parent: &str) -> Result<(), Failure> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // One that has ended before this sends no signal any more.
    match getppid() {
        Some(now) if now.as_raw_nonzero().to_string() == parent => Ok(()),
        _ => Err("vmm has ended".into()),
    }
}

/// What ends `init` instead of a command's status.
type Failure = Box<dyn std::error::Error>;

/// `error` and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
