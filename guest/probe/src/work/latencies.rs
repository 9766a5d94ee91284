//! How long single operations took: each is timed, and some are kept.

use std::time::Instant;

use wire::Measured;

use super::failure::Failure;
use super::watch::{Watch, nanoseconds};

/// The most that are kept, whatever is ordered.
const MOST: u64 = 4096;

/// Figures of operations, evenly chosen.
pub struct Latencies {
    every: u64,
    kept: Vec<u64>,
}

impl Latencies {
    /// Room for those of so many operations.
    pub fn of(operations: u64) -> Self {
        Self {
            every: operations.div_ceil(MOST).max(1),
            kept: Vec::with_capacity(usize::try_from(operations.min(MOST)).unwrap_or_default()),
        }
    }

    /// Operation number `index` took so many nanoseconds.
    pub fn add(&mut self, index: u64, nanoseconds: u64) {
        if index.is_multiple_of(self.every) {
            self.kept.push(nanoseconds);
        }
    }

    /// Those that were kept, in their order.
    pub fn kept(self) -> Vec<u64> {
        self.kept
    }
}

/// Does `operation` for each number below `operations`, and times each.
pub fn timed(
    operations: u64,
    mut operation: impl FnMut(u64) -> Result<(), Failure>,
) -> Result<Measured, Failure> {
    let mut latencies = Latencies::of(operations);
    let watch = Watch::start();
    let mut began = Instant::now();
    for index in 0..operations {
        operation(index)?;
        let ended = Instant::now();
        latencies.add(index, nanoseconds(ended - began));
        began = ended;
    }
    Ok(Measured {
        latencies_ns: latencies.kept(),
        ..watch.stop(operations)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_kept_than_fit_and_they_are_spread_evenly() {
        for operations in [1, MOST, MOST + 1, 10 * MOST + 7] {
            let mut latencies = Latencies::of(operations);
            (0..operations).for_each(|index| latencies.add(index, index));
            let kept = latencies.kept();
            assert!(kept.len() as u64 <= MOST && kept.len() as u64 * 2 > operations.min(MOST));
            assert!(operations - kept.last().unwrap() <= operations.div_ceil(MOST));
        }
    }
}
