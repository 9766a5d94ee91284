//! The virtual computer: planned, built in visible steps, run until it stops.
//!
//! - [`plan`]: addresses, interrupts and command line, before anything exists
//! - [`build`]: the steps of a boot
//! - [`chassis`], [`attach`], [`console`]: the machine without a program: every device in its place, and its host's end
//! - [`error`]: why there is none
//! - [`event_loop`]: devices, signals and deadlines
//! - [`vcpu_threads`], [`exit_handler`]: running the guest and serving its exits
//! - [`handle`], [`gate`]: what another thread can do to it: stop, pause, resume
//! - [`signs`], [`panic_message`], [`stop`]: what the guest shows, and why it ends
//! - [`ledger`], [`counters`]: what it cost

pub mod attach;
pub mod build;
pub mod chassis;
pub mod console;
pub mod counters;
pub mod error;
pub mod event_loop;
pub mod exit_handler;
pub mod gate;
pub mod handle;
pub mod ledger;
pub mod panic_message;
pub mod plan;
pub mod signs;
pub mod stop;
pub mod vcpu_threads;

use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use error::BuildError;
pub use handle::Handle;
pub use panic_message::PanicMessage;
pub use plan::Plan;
pub use stop::Stop;

use crate::hypervisor::{Statistic, Vcpu, Vm};
use crate::timeline::Timeline;
use attach::BrokenFlag;
use counters::Counters;
use event_loop::EventLoop;
use vcpu_threads::{Shared, VcpuThreads};

/// A machine whose next instruction is the kernel's first.
pub struct Machine {
    /// Nobody asks it any more, but it holds the memory that the guest runs in.
    _vm: Vm,
    vcpus: Vec<Vcpu>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    events: EventLoop,
    broken: Vec<BrokenFlag>,
    timeline: Arc<Timeline>,
}

/// How a machine ended, and what it cost.
pub struct Ended {
    /// Why.
    pub stop: Stop,
    /// Exits by device and register, if they were counted.
    pub exits: Option<Vec<ledger::Row>>,
    /// KVM's own counters, where the host has them.
    pub statistics: Vec<Statistic>,
}

impl Machine {
    /// A hold on it for other threads, while one runs it.
    pub fn handle(&self) -> Handle {
        Handle {
            stop: self.shared.stop.clone(),
            gate: self.shared.gate.clone(),
            counters: Arc::downgrade(&self.counters),
        }
    }

    /// Runs the guest until there is a reason to stop.
    pub fn run(self) -> Ended {
        let threads = match VcpuThreads::start(self.vcpus, self.shared.clone()) {
            Ok(threads) => threads,
            Err(error) => return Ended::before_start(&error),
        };
        let stop = self.events.run();
        self.timeline.mark("guest: until it ended");
        threads.stop();
        let exits = self.shared.ledger.as_ref().map(|ledger| {
            let name = |cause| exit_handler::name(cause, &self.shared.buses);
            ledger.rows(name)
        });
        let statistics = exits.as_ref().map(|_| self.counters.read());
        Ended {
            stop: blame_broken(stop, &self.broken),
            exits,
            statistics: statistics.unwrap_or_default(),
        }
    }
}

impl Ended {
    fn before_start(error: &std::io::Error) -> Self {
        Self {
            stop: Stop::Host(format!("cannot start a vCPU's thread: {error}")),
            exits: None,
            statistics: Vec::new(),
        }
    }
}

/// An end that looks like the guest's wish is none if a device of its was broken by then.
fn blame_broken(stop: Stop, devices: &[BrokenFlag]) -> Stop {
    let mut broken = devices
        .iter()
        .filter(|(_, broken)| broken.load(Ordering::Relaxed));
    match (&stop, broken.next()) {
        (Stop::PowerOff | Stop::Reboot, Some((name, _))) => Stop::BrokenDevice(name.clone()),
        _ => stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_power_off_with_a_broken_disk_is_told_as_that() {
        let disk = |broken| ("disk0".to_owned(), Arc::new(AtomicBool::new(broken)));
        assert_eq!(blame_broken(Stop::PowerOff, &[disk(false)]), Stop::PowerOff);
        let blamed = blame_broken(Stop::PowerOff, &[disk(false), disk(true)]);
        assert_eq!(blamed, Stop::BrokenDevice("disk0".to_owned()));
        assert_eq!(blame_broken(Stop::Escape, &[disk(true)]), Stop::Escape);
    }
}
