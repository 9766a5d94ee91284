//! PID 1, the same behind every wall.
//!
//! - `init launch FILE`: starts the command that FILE (a path, or the number of an inherited
//!   file descriptor) describes, with the streams that are here already: behind the process
//!   and the container wall
//! - as the first program of a virtual machine's initial RAM disk: makes a root of the
//!   machine's disks, and starts the commands that come over a port
//!
//! In layer order:
//!
//! - [`sys`]: what the C library has and rustix has not
//! - [`user`]: who a command runs as
//! - [`launch`], [`child`]: a command becomes a process
//! - [`reap`]: how processes ended
//! - [`foreground`]: one command on the streams that are here

mod child;
mod foreground;
mod launch;
mod reap;
mod sys;
mod user;

use std::process::ExitCode;

/// Our own failure, not the command's (docs/contract.md).
const FAILURE: u8 = 125;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let status = match words.as_slice() {
        [_, "launch", source] => foreground::run(source),
        _ => Err("usage: init launch FILE".into()),
    };
    ExitCode::from(status.unwrap_or_else(|error| {
        eprintln!("init: {}", chain(error.as_ref()));
        FAILURE
    }))
}

/// What ends `init` instead of a command's status.
type Failure = Box<dyn std::error::Error>;

/// `error` and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
