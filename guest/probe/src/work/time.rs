//! Clocks, and being woken by one.

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Instant;

use rustix::thread::{
    ClockId, clock_nanosleep_absolute, current_timer_slack, set_current_timer_slack,
};
use rustix::time::{Timespec, clock_gettime};
use wire::Measured;

use super::failure::Failure;
use super::latencies::Latencies;
use super::place::Place;
use super::watch::Watch;

/// The monotonic clock, read as programs read it.
pub fn clock(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let watch = Watch::start();
    for _ in 0..operations {
        black_box(Instant::now());
    }
    Ok(watch.stop(operations))
}

/// How long a sleep is to be.
const SLEEP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000,
};

/// Sleeps of 50 µs; the latencies are by how much each was too long.
pub fn timer(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let _punctual = Punctual::new()?;
    let mut latencies = Latencies::of(operations);
    let watch = Watch::start();
    for index in 0..operations {
        let until = now() + SLEEP;
        sleep(until)?;
        let late = now() - until;
        let late = late.tv_sec * 1_000_000_000 + late.tv_nsec;
        latencies.add(index, u64::try_from(late).unwrap_or_default());
    }
    Ok(Measured {
        latencies_ns: latencies.kept(),
        ..watch.stop(operations)
    })
}

fn now() -> Timespec {
    clock_gettime(ClockId::Monotonic)
}

fn sleep(until: Timespec) -> Result<(), Failure> {
    let slept = rustix::io::retry_on_intr(|| clock_nanosleep_absolute(ClockId::Monotonic, &until));
    slept.map_err(Failure::to("sleep"))
}

/// The kernel may wake this thread later than it asked for, to wake others with it: for as long
/// as this lives, by a nanosecond at most.
struct Punctual {
    before: u64,
}

impl Punctual {
    fn new() -> Result<Self, Failure> {
        let doing = "have timers end when they should";
        let before = current_timer_slack().map_err(Failure::to(doing))?;
        set_current_timer_slack(Some(NonZeroU64::MIN)).map_err(Failure::to(doing))?;
        Ok(Self { before })
    }
}

impl Drop for Punctual {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = set_current_timer_slack(NonZeroU64::new(self.before));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn a_sleep_is_never_too_short() {
        let slept = measured("timer", 10);
        assert!(slept.elapsed_ns >= 10 * 50_000, "{slept:?}");
        assert_eq!(slept.latencies_ns.len(), 10);
        measured("clock", 10);
    }
}
