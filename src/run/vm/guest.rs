//! The machine with its guest, at work: a thread runs it, another talks to its init.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use wire::{Launch, WindowSize};

use super::relay::{self, End, Orders, Remote};
use super::spec::{self, Failure, Spec};
use super::volumes::Volumes;
use crate::cause::cause;
use crate::hypervisor::kick_signal;
use crate::machine::{Handle, Machine, Plan, Stop};
use crate::root::Keep;
use crate::run::outcome::Outcome;
use crate::run::running::{Instance, Session, Showing, Streams};
use crate::run::{RunError, Wall};
use crate::signals;
use crate::timeline::Timeline;

/// How long a guest may take to write what it keeps and to power off, on the slowest host.
const POWER_OFF_TIME: Duration = Duration::from_secs(60);

/// How long a command may take to end that SIGKILL is sent to.
const KILL_TIME: Duration = Duration::from_secs(5);

/// A guest with its command.
pub struct Guest {
    main: Remote,
    machine: Option<Running>,
    orders: Orders,
    kernel: Arc<OnceLock<String>>,
    is_killed: Arc<AtomicBool>,
    // These are dropped last: the machine writes them until it is gone.
    volumes: Volumes,
    keep: Option<Keep>,
}

/// What ends with the machine.
struct Running {
    handle: Handle,
    /// Gets why it ended.
    ended: Receiver<Stop>,
}

/// A command ended for a reason that is not its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GuestFailure(String);

impl Guest {
    /// Builds the machine of `spec` and runs it; `open` orders its command, which starts as
    /// soon as the guest is up.
    ///
    /// # Errors
    /// It cannot be built; nothing of it is left.
    pub fn start(
        mut spec: Spec,
        timeline: &Arc<Timeline>,
        open: impl FnOnce(&Orders) -> io::Result<Remote>,
    ) -> Result<Self, Failure> {
        signals::block(&[kick_signal()]);
        let (ours, theirs) = spec::port_pair()?;
        let connections = std::mem::take(&mut spec.connections);
        let (config, initrd, volumes) = spec.machine(theirs)?;
        let plan = Plan::of(&config)?;
        let machine = Machine::build(&config, &plan, timeline);
        let machine = machine.map_err(|error| volumes.explain(error.into()))?;
        // The machine has its own copies of all of them.
        drop((config, initrd));
        let kernel = Arc::<OnceLock<String>>::default();
        let (name, marks) = (kernel.clone(), timeline.clone());
        let orders = relay::start(
            ours,
            Box::new(move |ready| {
                marks.mark("guest: ready for its command");
                let _ = name.set(ready.kernel);
            }),
            connections,
        )?;
        let main = open(&orders)?;
        let handle = machine.handle();
        let (sender, ended) = channel();
        let thread = thread::Builder::new().name("machine".to_owned());
        // Nobody may be there to hear it any more.
        thread.spawn(move || sender.send(machine.run().stop))?;
        Ok(Self {
            main,
            machine: Some(Running { handle, ended }),
            is_killed: Arc::default(),
            orders,
            kernel,
            volumes,
            keep: None,
        })
    }

    /// Holds `keep` until the machine is gone.
    pub fn hold(&mut self, keep: Option<Keep>) {
        self.keep = keep;
    }

    /// Ends the machine if its command does not end by itself: a guest that is not up, or does
    /// not answer, cannot do what it is told.
    fn end_later(&self, handle: Handle) -> io::Result<()> {
        let patience = match self.kernel.get() {
            Some(_) => KILL_TIME,
            None => Duration::ZERO,
        };
        let (line, is_killed) = (self.main.line.clone(), self.is_killed.clone());
        let thread = thread::Builder::new().name("killer".to_owned());
        thread.spawn(move || {
            if line.wait_for(patience).is_none() {
                is_killed.store(true, Ordering::Relaxed);
                handle.stop();
            }
        })?;
        Ok(())
    }
}

impl Running {
    /// Waits until the guest has powered off, or no longer; returns why the machine ended.
    fn wait(self) -> Stop {
        let powered_off = self.ended.recv_timeout(POWER_OFF_TIME);
        powered_off.unwrap_or_else(|_| self.end())
    }

    /// Ends the machine; returns why it ended, perhaps before this.
    fn end(self) -> Stop {
        self.handle.stop();
        let panicked = |_| Stop::Host("the machine's thread panicked".to_owned());
        self.ended.recv().unwrap_or_else(panicked)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(machine) = self.machine.take() {
            machine.end();
        }
    }
}

impl Session for Guest {
    fn ended(&self) -> BorrowedFd<'_> {
        self.main.ended()
    }

    fn signal(&mut self, signal: i32) -> Result<(), RunError> {
        self.main.tell(signal);
        match &self.machine {
            Some(machine) if signal == libc::SIGKILL => self
                .end_later(machine.handle.clone())
                .map_err(|error| RunError::io("cannot end the machine", error)),
            _ => Ok(()),
        }
    }

    fn resize(&mut self, size: WindowSize) -> Result<(), RunError> {
        self.main.resize(size);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Outcome, RunError> {
        let end = self.main.line.wait();
        let wait = match &end {
            Ok(_) => Running::wait,
            // It is up to nothing good, or to nothing at all.
            Err(_) => Running::end,
        };
        let stop = self.machine.take().map(wait);
        match self.is_killed.load(Ordering::Relaxed) {
            true => Ok(Outcome::of(KILLED)),
            false => outcome(end, stop),
        }
    }
}

impl Instance for Guest {
    fn pause(&mut self, paused: bool) -> Result<(), RunError> {
        match (&self.machine, paused) {
            (Some(machine), true) => machine.handle.pause(),
            (Some(machine), false) => machine.handle.resume(),
            (None, _) => {}
        }
        Ok(())
    }

    fn exec(&mut self, launch: &Launch, streams: Streams) -> Result<Box<dyn Session>, RunError> {
        let remote = self.orders.open(launch, streams);
        let remote = remote.map_err(|error| RunError::io("cannot talk to the guest", error))?;
        Ok(Box::new(remote))
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let counted = self.machine.iter().flat_map(|m| m.handle.counters());
        counted.map(|one| (one.name, one.value)).collect()
    }

    fn showing(&self) -> Showing {
        self.volumes.showing()
    }

    fn kernel(&self) -> String {
        self.kernel.get().cloned().unwrap_or_default()
    }
}

impl Session for Remote {
    fn ended(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    fn signal(&mut self, signal: i32) -> Result<(), RunError> {
        self.tell(signal);
        Ok(())
    }

    fn resize(&mut self, size: WindowSize) -> Result<(), RunError> {
        Remote::resize(self, size);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Outcome, RunError> {
        outcome(self.line.wait(), None)
    }
}

/// How a command ended, and its machine with it, if it was the machine's command.
fn outcome(end: End, stop: Option<Stop>) -> Result<Outcome, RunError> {
    let failed = |text| Err(RunError::wall(Wall::Vm, GuestFailure(text)));
    match (end, stop) {
        (Ok(exited), None | Some(Stop::PowerOff | Stop::Reboot)) => Ok(Outcome {
            status: exited.status,
            oom: exited.oom,
            timed_out: false,
        }),
        // What it had written may be lost: a status alone would hide that.
        (Ok(_), Some(Stop::Asked)) => failed("the guest did not power off in time".to_owned()),
        (Ok(_), Some(stop)) => failed(format!("after the command had ended, {}", cause(&stop))),
        (Err(reason), None | Some(Stop::PowerOff | Stop::Reboot | Stop::Asked)) => failed(reason),
        (Err(_), Some(stop)) => failed(cause(&stop)),
    }
}

/// The status of a command that SIGKILL ended.
const KILLED: u8 = 128 + 9;
