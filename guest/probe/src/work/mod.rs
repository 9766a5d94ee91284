//! The workloads: each does one thing as often as it is told, and times nothing else.
//!
//! - [`failure`]: why one cannot be done
//! - [`watch`], [`latencies`]: how long it took, as a whole and one by one, and what it used
//! - [`affinity`], [`room`], [`mapping`], [`child`], [`random`]: what they are made of
//! - [`place`]: where they may make files; [`apart`]: in a process of their own
//! - [`syscall`]: the kernel asked for something small
//! - [`switch`], [`process`]: turns on one CPU; processes and threads that do nothing
//! - [`fault`], [`stream`], [`chase`]: pages, bandwidth and latency of memory
//! - [`cpu`]: arithmetic alone
//! - [`time`], [`ipi`]: clocks, and CPUs that interrupt each other
//! - [`metadata`], [`buffered`], [`direct`]: files, what is cached of them, and disks
//! - [`loopback`]: a network without a wire; [`channel`]: bytes to another instance

mod affinity;
mod apart;
mod buffered;
pub mod channel;
mod chase;
mod child;
mod cpu;
mod direct;
mod failure;
mod fault;
mod ipi;
mod latencies;
mod loopback;
mod mapping;
mod metadata;
mod place;
mod process;
mod random;
mod room;
mod stream;
mod switch;
mod syscall;
mod time;
mod watch;

use wire::{Answer, Measured, Order};

use apart::apart;
use failure::Failure;
pub use place::Place;

/// A workload.
pub struct Work {
    /// What it is called in an order.
    pub name: &'static str,
    /// How often it may be ordered at once: some seconds' worth on an ordinary machine.
    most: u64,
    run: Run,
    /// Whether it takes so much memory that it may be killed for it.
    large: bool,
}

/// How a workload is done so many times.
type Run = fn(&mut Place, u64) -> Result<Measured, Failure>;

/// All of them.
pub const ALL: &[Work] = &[
    work("getpid", 100_000_000, syscall::getpid),
    work("read-1", 100_000_000, syscall::read_1),
    work("futex-wake", 100_000_000, syscall::futex_wake),
    work("open-close", 10_000_000, syscall::open_close),
    work("pipe-switch", 10_000_000, switch::pipe),
    work("futex-switch", 10_000_000, switch::futex),
    work("fork-wait", 100_000, process::fork_wait),
    work("exec-wait", 100_000, process::exec_wait),
    work("thread", 1_000_000, process::thread),
    large("fault-4k", 10_000_000, fault::small),
    large("fault-thp", 10_000_000, fault::huge),
    work("mmap-munmap", 10_000_000, fault::map_unmap),
    large("stream-copy", 100_000, stream::copy),
    large("stream-scale", 100_000, stream::scale),
    large("stream-add", 100_000, stream::add),
    large("stream-triad", 100_000, stream::triad),
    work("latency-4k", 10_000_000_000, chase::of::<{ 4 << 10 }>),
    work("latency-32k", 10_000_000_000, chase::of::<{ 32 << 10 }>),
    work("latency-256k", 1_000_000_000, chase::of::<{ 256 << 10 }>),
    work("latency-2m", 1_000_000_000, chase::of::<{ 2 << 20 }>),
    work("latency-16m", 1_000_000_000, chase::of::<{ 16 << 20 }>),
    large("latency-128m", 100_000_000, chase::of::<{ 128 << 20 }>),
    large("latency-1g", 100_000_000, chase::of::<{ 1 << 30 }>),
    work("cpu-integer", 10_000_000, cpu::integer),
    work("cpu-float", 10_000_000, cpu::float),
    work("timer", 100_000, time::timer),
    work("clock", 1_000_000_000, time::clock),
    work("ipi", 10_000_000, ipi::interrupt),
    work("file-metadata", 100_000, metadata::files),
    work("file-write-buffered", 10_000_000, buffered::write),
    work("file-read-buffered", 10_000_000, buffered::read),
    work(
        "file-write-buffered-random",
        10_000_000,
        buffered::write_anywhere,
    ),
    work(
        "file-read-buffered-random",
        10_000_000,
        buffered::read_anywhere,
    ),
    work("file-fsync", 16_384, buffered::sync),
    work("file-read-direct-4k", 1_000_000, direct::read_small),
    work("file-write-direct-4k", 1_000_000, direct::write_small),
    work("file-read-direct-1m", 10_000, direct::read_large),
    work("file-write-direct-1m", 10_000, direct::write_large),
    work("loopback-rtt", 1_000_000, loopback::round_trip),
    work("loopback-throughput", 1_000_000, loopback::throughput),
    work("channel-rtt", 1_000_000, channel::round_trip),
    work("channel-throughput", 1_000_000, channel::throughput),
];

const fn work(name: &'static str, most: u64, run: Run) -> Work {
    Work {
        name,
        most,
        run,
        large: false,
    }
}

const fn large(name: &'static str, most: u64, run: Run) -> Work {
    Work {
        large: true,
        ..work(name, most, run)
    }
}

/// Does what is ordered, and says what came of it.
pub fn answer(order: &Order, place: &mut Place) -> Answer {
    match find(order) {
        Ok(work) if work.large => {
            apart(|| done((work.run)(place, order.operations))).unwrap_or_else(failed)
        }
        Ok(work) => done((work.run)(place, order.operations)),
        Err(failure) => failed(failure),
    }
}

fn done(outcome: Result<Measured, Failure>) -> Answer {
    match outcome {
        // A guest's clock may have no finer steps than its timer.
        Ok(Measured { elapsed_ns: 0, .. }) => {
            failed(Failure::Wrong("the clock did not move meanwhile"))
        }
        Ok(measured) => Answer::Measured(Box::new(measured)),
        Err(failure) => failed(failure),
    }
}

fn failed(failure: Failure) -> Answer {
    Answer::Failed(failure.sentence())
}

/// The workload of an order that can be followed.
fn find(order: &Order) -> Result<&'static Work, Failure> {
    let work = ALL.iter().find(|work| work.name == order.workload);
    let work = work.ok_or_else(|| Failure::Unknown(order.workload.clone()))?;
    match (1..=work.most).contains(&order.operations) {
        true => Ok(work),
        false => Err(Failure::Operations {
            workload: work.name,
            most: work.most,
            ordered: order.operations,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a workload that this host can do.
    pub fn measured(workload: &str, operations: u64) -> Measured {
        let order = Order {
            workload: workload.to_owned(),
            operations,
        };
        let answer = answer(&order, &mut Place::below("/var/tmp".as_ref()));
        let Answer::Measured(measured) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(measured.operations, operations);
        *measured
    }

    #[test]
    fn what_took_no_time_at_all_was_not_measured() {
        let answer = done(Ok(Measured::default()));
        assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    }

    #[test]
    fn no_two_have_one_name() {
        let mut names: Vec<&str> = ALL.iter().map(|work| work.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
