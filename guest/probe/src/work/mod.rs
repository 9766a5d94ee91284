//! The workloads: each does one thing as often as it is told, and times nothing else.
//!
//! - [`Failure`]: why one cannot be done
//! - [`watch`]: how long it took, and what it used
//! - [`Place`]: where it may make files
//! - [`syscall`]: the kernel asked for something small

mod failure;
mod place;
mod syscall;
mod watch;

use wire::{Answer, Measured, Order};

use failure::Failure;
pub use place::Place;

/// A workload.
pub struct Work {
    /// What it is called in an order.
    pub name: &'static str,
    /// How often it may be ordered at once: some seconds, and memory that most machines have.
    most: u64,
    run: Run,
}

/// How a workload is done so many times.
type Run = fn(&mut Place, u64) -> Result<Measured, Failure>;

/// All of them.
pub const ALL: &[Work] = &[
    work("getpid", 100_000_000, syscall::getpid),
    work("read-1", 100_000_000, syscall::read_1),
    work("futex-wake", 100_000_000, syscall::futex_wake),
    work("open-close", 10_000_000, syscall::open_close),
];

const fn work(name: &'static str, most: u64, run: Run) -> Work {
    Work { name, most, run }
}

/// Does what is ordered, and says what came of it.
pub fn answer(order: &Order, place: &mut Place) -> Answer {
    match follow(order, place) {
        Ok(measured) => Answer::Measured(Box::new(measured)),
        Err(failure) => Answer::Failed(failure.sentence()),
    }
}

fn follow(order: &Order, place: &mut Place) -> Result<Measured, Failure> {
    let work = ALL.iter().find(|work| work.name == order.workload);
    let work = work.ok_or_else(|| Failure::Unknown(order.workload.clone()))?;
    if !(1..=work.most).contains(&order.operations) {
        return Err(Failure::Operations {
            workload: work.name,
            most: work.most,
            ordered: order.operations,
        });
    }
    (work.run)(place, order.operations)
}
