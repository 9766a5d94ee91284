//! `vmm run --detach`: the run goes on in a process of its own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::process::{WaitOptions, setsid, waitpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::Failure;
use crate::output::print;
use crate::run::{Request, outcome};

/// Starts what `request` wants in the background, and prints its name once it runs.
pub(super) fn run(request: &Request) -> Result<u8, Failure> {
    let (mut started, tell) = io::pipe()?;
    // SAFETY: this process has one thread, so the child may do all that the parent may.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error().into()),
        0 => {
            drop(started);
            std::process::exit(i32::from(run_alone(request, tell.into())));
        }
        child => rustix::process::Pid::from_raw(child),
    };
    drop(tell);
    let mut told = [0];
    if started.read(&mut told)? == 1 {
        print(format_args!("{}\n", request.name))?;
        return Ok(0);
    }
    // It has said why; its status says it as well.
    let status = waitpid(child, WaitOptions::empty())?;
    let status = status.and_then(|(_, status)| status.exit_status());
    Ok(status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(outcome::OURS))
}

/// The run, in a session of its own, which no terminal can hang up.
fn run_alone(request: &Request, tell: OwnedFd) -> u8 {
    let run = || -> Result<u8, Failure> {
        setsid()?;
        let started = || {
            // Who waits for the end of our output must not wait for the command.
            if leave_streams().is_ok() {
                let _ = File::from(tell).write_all(&[1]);
            }
        };
        Ok(crate::run::run(request, started)?.exit_status)
    };
    super::ours(run())
}

fn leave_streams() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nowhere)?;
    dup2_stdout(&nowhere)?;
    Ok(dup2_stderr(&nowhere)?)
}
