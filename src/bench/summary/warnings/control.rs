//! The same twice, and differing.

use super::{Seen, firsts, list};
use crate::bench::statistics::Verdict;
use crate::bench::statistics::interval::CONFIDENCE;

impl Seen<'_> {
    /// That the baseline's control differs from it in more workloads than chance explains.
    pub(super) fn control(&self) -> Option<String> {
        let columns = self.columns;
        let place = (0..columns.targets.len()).find(|place| columns.is_control(*place))?;
        let judged = firsts(self.rows).filter_map(|row| match row.cells[place].ratio?.verdict {
            Verdict::TooFew => None,
            Verdict::NoDifference => Some((row, false)),
            Verdict::Dearer | Verdict::Cheaper => Some((row, true)),
        });
        let (differing, same): (Vec<_>, Vec<_>) = judged.partition(|(_, differs)| *differs);
        let count = differing.len() + same.len();
        let differing: Vec<String> = differing
            .into_iter()
            .map(|(row, _)| format!("`{}`", row.workload))
            .collect();
        let is_chance = at_least(differing.len(), count) > 1.0 - CONFIDENCE + f64::EPSILON;
        (!is_chance).then(|| {
            format!(
                "{} differs from what it is over again in {} of {count} workloads ({}), where \
                 chance makes one in twenty: something else than walls makes differences here, and \
                 others of that size may be of its making. A quieter machine and more --rounds help.",
                columns.targets[place].name,
                differing.len(),
                list(&differing),
            )
        })
    }
}

/// The chance that of `count` intervals `least` or more miss what they should hold.
fn at_least(least: usize, count: usize) -> f64 {
    let odds = (1.0 - CONFIDENCE) / CONFIDENCE;
    let mut chance = CONFIDENCE.powf(count as f64);
    let mut fewer = 0.0;
    for misses in 0..least {
        fewer += chance;
        chance *= odds * (count - misses) as f64 / (misses + 1) as f64;
    }
    1.0 - fewer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_as_likely_as_throws_of_a_die_with_twenty_sides() {
        let near = |chance: f64, wanted: f64| (chance - wanted).abs() < 1e-9;
        assert!(near(at_least(0, 5), 1.0));
        assert!(near(at_least(1, 1), 0.05));
        assert!(near(at_least(1, 20), 1.0 - 0.95_f64.powi(20)));
        assert!(near(at_least(2, 2), 0.0025));
    }
}
