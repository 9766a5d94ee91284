//! Trends, slow starts and what lies far outside.

use super::{Seen, counted, list, place};
use crate::bench::statistics::trend;
use crate::bench::summary::Cell;

/// Of fewer figures than this, how many lie far outside says nothing.
const ENOUGH: usize = 10;
/// More than this part of the figures far outside are many.
const MANY: f64 = 0.1;
/// A trend of less than this part is not worth a word.
const SMALL: f64 = 0.05;
/// A first round of more than so many medians was none of the steady state.
const SLOW: f64 = 1.5;

impl Seen<'_> {
    /// That figures rise or fall from round to round.
    pub(super) fn drift(&self) -> Option<String> {
        let drifting = self.tell(|cell| {
            let change = trend::of(&cell.values)? - 1.0;
            (change.abs() > SMALL).then(|| format!("{:+.0} %", change * 100.0))
        });
        (!drifting.is_empty()).then(|| {
            format!(
                "Figures changed from round to round: {} from the first third to the last. Their \
                 medians are of no steady state; ratios bear it as far as all targets changed \
                 alike. A longer warm-up, a fixed clock frequency and a cool machine help.",
                list(&drifting)
            )
        })
    }

    /// That the first round that counts was a warm-up yet.
    pub(super) fn slow_start(&self) -> Option<String> {
        let slow = self.tell(|cell| {
            let spread = cell.spread.filter(|spread| spread.count >= ENOUGH)?;
            let first = *cell.values.first()?;
            let is_slow = first == spread.most && first > SLOW * spread.median;
            is_slow.then(|| format!("{:.1} times the median", first / spread.median))
        });
        (!slow.is_empty()).then(|| {
            format!(
                "The first round was the slowest: {}. One warm-up was not enough there; medians \
                 bear that, p99 and the most do not. A larger workload helps.",
                list(&slow)
            )
        })
    }

    /// That many figures are far from the rest.
    pub(super) fn outliers(&self) -> Option<String> {
        let many = self.tell(|cell| {
            let spread = cell.spread.filter(|spread| spread.count >= ENOUGH)?;
            let is_many = spread.outliers as f64 > MANY * spread.count as f64;
            is_many.then(|| format!("{} of {}", spread.outliers, counted(spread.count, "run")))
        });
        (!many.is_empty()).then(|| {
            format!(
                "Many figures lie far from the rest: {}. They are kept; medians and intervals \
                 bear them, p95 and p99 do not. A quiet machine and more --rounds help.",
                list(&many)
            )
        })
    }

    /// What `tells` tells of cells, and where.
    fn tell(&self, tells: impl Fn(&Cell) -> Option<String>) -> Vec<String> {
        let told = self.cells().filter_map(|(workload, target, cell)| {
            Some(format!("{} {}", place(workload, target), tells(cell)?))
        });
        told.collect()
    }
}
