//! The one loop that serves devices, signals and deadlines until there is a reason to stop.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use event_manager::{EventManager, EventOps, EventSet, Events, MutEventSubscriber, SubscriberOps};
use vmm_sys_util::timerfd::TimerFd;

use super::BuildError;
use super::attach::{PowerButton, Source};
use super::signs::Signs;
use super::stop::{Stop, StopCell};
use crate::signals::SignalFd;
use crate::terminal::raw;

/// Signals that a machine takes: those that ask it to end, and CONTINUED.
pub const TAKEN_SIGNALS: [i32; 5] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    CONTINUED,
];
/// The process goes on after it was stopped: the shell has had the terminal meanwhile.
const CONTINUED: i32 = libc::SIGCONT;

/// Everything that is served while the machine runs.
pub struct EventLoop {
    manager: EventManager<Source>,
    stop: Arc<StopCell>,
}

impl EventLoop {
    /// A loop that ends with the first reason in `stop`.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(stop: Arc<StopCell>) -> Result<Self, BuildError> {
        let manager = EventManager::new_with_capacity(32).map_err(BuildError::EventLoop)?;
        Ok(Self { manager, stop })
    }

    /// Adds a source of events for the loop's whole life.
    pub fn add(&mut self, source: Source) {
        self.manager.add_subscriber(source);
    }

    /// Serves events until there is a reason to stop, and returns it.
    pub fn run(mut self) -> Stop {
        loop {
            if let Some(reason) = self.stop.reason() {
                return reason;
            }
            if let Err(error) = self.manager.run() {
                return Stop::Host(format!("cannot wait for events: {error}"));
            }
        }
    }
}

/// How long the guest may take for what it is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From start to its first working device.
    pub boot: Option<Duration>,
    /// From a pressed power button to power-off.
    pub grace: Duration,
}

/// Ends the machine for reasons that come from outside of the guest.
pub struct Supervisor {
    signs: Signs,
    button: PowerButton,
    grace: Duration,
    signals: SignalFd,
    boot_timer: TimerFd,
    grace_timer: TimerFd,
    ending: Option<i32>,
}

impl Supervisor {
    /// Ends the machine by `signals`, and by the deadlines.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(
        signs: &Signs,
        button: PowerButton,
        signals: SignalFd,
        deadlines: Deadlines,
    ) -> Result<Self, BuildError> {
        let timer = || TimerFd::new().map_err(|error| BuildError::Host(error.into()));
        let mut boot_timer = timer()?;
        if let Some(time) = deadlines.boot {
            set(&mut boot_timer, time);
        }
        Ok(Self {
            signs: signs.clone(),
            button,
            grace: deadlines.grace,
            signals,
            boot_timer,
            grace_timer: timer()?,
            ending: None,
        })
    }

    fn serve_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            match signal {
                CONTINUED => resume_terminal(),
                _ => self.end(signal),
            }
        }
    }

    /// The first signal presses the power button; a second one ends the machine at once.
    fn end(&mut self, signal: i32) {
        if self.ending.is_some() || self.grace.is_zero() {
            self.signs.stop.stop(Stop::Killed(signal));
            return;
        }
        self.ending = Some(signal);
        self.button.press();
        set(&mut self.grace_timer, self.grace);
    }

    fn serve_boot_timer(&mut self) {
        let _ = self.boot_timer.wait();
        if !self.signs.booted.get() {
            self.signs.stop.stop(Stop::BootTimeout);
        }
    }

    fn serve_grace_timer(&mut self) {
        let _ = self.grace_timer.wait();
        if let Some(signal) = self.ending {
            self.signs.stop.stop(Stop::Killed(signal));
        }
    }
}

impl MutEventSubscriber for Supervisor {
    fn init(&mut self, ops: &mut EventOps) {
        for fd in [
            self.signs.stop.event().as_raw_fd(),
            self.signals.as_raw_fd(),
            self.boot_timer.as_raw_fd(),
            self.grace_timer.as_raw_fd(),
        ] {
            if let Err(error) = ops.add(Events::new_raw(fd, EventSet::IN)) {
                let problem = format!("cannot watch for the end of the machine: {error}");
                self.signs.stop.stop(Stop::Host(problem));
            }
        }
    }

    fn process(&mut self, events: Events, _ops: &mut EventOps) {
        match events.fd() {
            fd if fd == self.signals.as_raw_fd() => self.serve_signals(),
            fd if fd == self.boot_timer.as_raw_fd() => self.serve_boot_timer(),
            fd if fd == self.grace_timer.as_raw_fd() => self.serve_grace_timer(),
            // The loop itself looks at the reason to stop.
            _ => {}
        }
    }
}

fn resume_terminal() {
    if let Err(error) = raw::resume() {
        log::error!("cannot set the terminal up again: {error}");
    }
}

fn set(timer: &mut TimerFd, time: Duration) {
    if let Err(error) = timer.reset(time, None) {
        log::error!("cannot set a deadline: {error}");
    }
}
