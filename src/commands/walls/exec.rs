//! `vmm exec`: another command behind the wall of an instance.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use wire::Launch;

use super::Failure;
use crate::cli::walls::instances::Exec;
use crate::run::instance::Found;
use crate::run::instance::control::{Connection, Reply, Request};
use crate::run::{Registry, command};
use crate::signals::{PASSED_ON, SignalFd};
use crate::terminal::{self, raw::RawMode};

/// Runs what `options` describe.
pub(super) fn run(options: Exec) -> ExitCode {
    super::ours(try_run(options)).into()
}

fn try_run(options: Exec) -> Result<u8, Failure> {
    let found = Registry::open()?.find(&options.name)?;
    if !found.is_running {
        return Err(format!("instance {} has ended", options.name).into());
    }
    let launch = launch(&found, options);
    let signals = SignalFd::new(&[&PASSED_ON[..], &[libc::SIGWINCH]].concat())?;
    let terminal = match launch.tty {
        Some(_) => RawMode::enter(io::stdin())?,
        None => None,
    };
    let connection = Connection::open(&found.directory)?;
    let (input, output, errors) = (io::stdin(), io::stdout(), io::stderr());
    let streams = [input.as_fd(), output.as_fd(), errors.as_fd()];
    connection.send(&Request::Exec(launch), &streams)?;
    let status = wait(&connection, signals);
    drop(terminal);
    status
}

/// What the instance's command has, except where the options say otherwise.
fn launch(found: &Found, options: Exec) -> Launch {
    let first = found.state.launch.clone();
    let wishes = super::run::wishes(options.command, options.launch);
    Launch {
        argv: wishes.command,
        env: command::with_variables(first.env, &wishes.env),
        workdir: wishes.workdir.or(first.workdir),
        user: wishes.user.or(first.user),
        tty: wishes.tty,
    }
}

/// Passes signals on until the command has ended; its status.
fn wait(connection: &Connection, signals: SignalFd) -> Result<u8, Failure> {
    loop {
        let mut polled = [
            PollFd::new(connection, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !polled[0].revents().is_empty() {
            return match connection.receive()? {
                Some((Reply::Ended(outcome), _)) => Ok(outcome.exit_status()),
                Some((Reply::Failed(problem), _)) => Err(problem.into()),
                Some((Reply::Done | Reply::Counters(_), _)) => continue,
                None => Err("the instance has ended".into()),
            };
        }
        while let Some(signal) = signals.take() {
            let request = match signal {
                libc::SIGWINCH => Request::Resize(terminal::window_size()),
                signal => Request::Signal(signal),
            };
            connection.send(&request, &[])?;
        }
    }
}
