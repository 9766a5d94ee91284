//! One command on the streams that are here: started, signalled, waited for.
//!
//! It is PID 1 of a container, whose kernel ends whatever is left when we do. Behind the
//! process wall it is a subreaper, so that orphans are reaped there as well.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, getpid};
use wire::Launch;

use crate::launch::{self, Streams};
use crate::pty::{self, Relay};
use crate::sys::Signals;
use crate::{Failure, reap};

/// Runs the command that `source` describes; returns its exit status.
pub fn run(source: &str) -> Result<u8, Failure> {
    let text = read(source).map_err(|error| format!("cannot read the launch {source}: {error}"))?;
    let launch: Launch = serde_json::from_slice(&text)
        .map_err(|error| format!("cannot understand the launch {source}: {error}"))?;
    let mut signals = Signals::take_all()?;
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let (streams, mut relay) = streams(&launch)?;
    match launch::spawn(&launch, streams, None) {
        Ok(command) => wait_for(command, &mut signals, relay.as_mut()),
        Err(error) => {
            eprintln!("init: {}", crate::chain(&error));
            Ok(error.status())
        }
    }
}

/// Those that are here, or a terminal inside.
fn streams(launch: &Launch) -> Result<(Streams, Option<Relay>), Failure> {
    let Some(size) = launch.tty else {
        return Ok((Streams::Inherited, None));
    };
    let (ours, theirs) =
        pty::open(size).map_err(|error| format!("cannot make a terminal: {error}"))?;
    Ok((Streams::Terminal(theirs), Some(Relay::new(ours))))
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

/// Forwards signals, relays and reaps until `command` has ended.
fn wait_for(
    command: Pid,
    signals: &mut Signals,
    mut relay: Option<&mut Relay>,
) -> Result<u8, Failure> {
    let input = io::stdin();
    loop {
        while let Some(arrived) = signals.next() {
            match (arrived.signal, &relay) {
                (libc::SIGCHLD, _) => {}
                (libc::SIGWINCH, Some(relay)) => relay.follow_size(),
                // What a terminal sends to its whole foreground is not meant for us: who
                // started us sees it, and asks for what is to be forwarded.
                (signal, _) if !arrived.from_kernel => crate::sys::kill(command, signal),
                _ => {}
            }
        }
        // After the signals: of a child that ends from here on another one will come.
        while let Some((pid, status)) = reap::next() {
            if pid == command {
                relay.iter_mut().for_each(|relay| relay.pass_output());
                return Ok(status);
            }
        }
        let has_input = wait(signals, relay.as_deref(), &input)?;
        relay.iter_mut().for_each(|relay| relay.serve(has_input));
    }
}

/// Waits for anything; whether it is input.
fn wait(signals: &Signals, relay: Option<&Relay>, input: &io::Stdin) -> io::Result<bool> {
    let mut events = vec![PollFd::new(signals, PollFlags::IN)];
    events.extend(relay.into_iter().flat_map(|relay| relay.events(input)));
    match poll(&mut events, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let has_come = |event: &PollFd<'_>| !event.revents().is_empty();
    let input = input.as_fd().as_raw_fd();
    Ok(events
        .iter()
        .any(|event| event.as_fd().as_raw_fd() == input && has_come(event)))
}
