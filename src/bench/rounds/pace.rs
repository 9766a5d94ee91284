//! How far a bench is, and how long it will still take.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Plan;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// What comes next.
    pub step: Step<'a>,
    /// How many runs are done.
    pub done: usize,
    /// How many there are, warm-ups too; 0 while targets are prepared.
    pub total: usize,
    /// How long it will still take; not known before each workload has run behind each target.
    pub remaining: Option<Duration>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A target is prepared.
    Prepare {
        /// Its name.
        target: &'a str,
    },
    /// A workload is run.
    Run {
        /// Its name.
        workload: &'a str,
        /// The target's name.
        target: &'a str,
        /// The round; warm-ups have none.
        round: Option<u32>,
    },
}

/// Remembers how long each workload took behind each target when it ran last.
pub(super) struct Pace {
    began: Instant,
    budget: Option<Duration>,
    /// How many rounds there are, the warm-up too.
    rounds: usize,
    /// How many runs a round has.
    pairs: usize,
    begun_rounds: usize,
    done: usize,
    lasted: BTreeMap<usize, Duration>,
    /// What this round has taken so far.
    in_round: Duration,
}

impl Pace {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            began: Instant::now(),
            budget: plan.budget,
            rounds: plan.rounds as usize + 1,
            pairs: 0,
            begun_rounds: 0,
            done: 0,
            lasted: BTreeMap::new(),
            in_round: Duration::ZERO,
        }
    }

    /// Each round will have `pairs` runs.
    pub(super) fn expect(&mut self, pairs: usize) {
        self.pairs = pairs;
    }

    pub(super) fn begin_round(&mut self) {
        self.begun_rounds += 1;
        self.in_round = Duration::ZERO;
    }

    pub(super) fn ran(&mut self, pair: usize, lasted: Duration) {
        self.done += 1;
        self.lasted.insert(pair, lasted);
        self.in_round += lasted;
    }

    /// It is not run any more.
    pub(super) fn skip(&mut self, pair: usize) {
        self.done += 1;
        self.lasted.insert(pair, Duration::ZERO);
    }

    /// Whether another round, as long as the last, would end after the time that there is.
    pub(super) fn round_would_be_late(&self) -> bool {
        self.budget
            .is_some_and(|budget| self.began.elapsed() + self.round() > budget)
    }

    pub(super) fn progress<'a>(&self, step: Step<'a>) -> Progress<'a> {
        Progress {
            step,
            done: self.done,
            total: self.pairs * self.rounds,
            remaining: self.remaining(),
        }
    }

    /// The rest of this round and the ones after it, but no longer than there is time.
    fn remaining(&self) -> Option<Duration> {
        if self.lasted.is_empty() || self.lasted.len() < self.pairs {
            return None;
        }
        let rounds = u32::try_from(self.rounds - self.begun_rounds).ok()?;
        let rest = self.round().saturating_sub(self.in_round);
        let all = self.round().saturating_mul(rounds).saturating_add(rest);
        let left = self
            .budget
            .map(|budget| budget.saturating_sub(self.began.elapsed()));
        Some(left.map_or(all, |left| left.min(all)))
    }

    /// A whole round.
    fn round(&self) -> Duration {
        self.lasted.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(budget: Option<Duration>) -> Pace {
        let mut pace = Pace::new(&Plan {
            workloads: Vec::new(),
            rounds: 10,
            budget,
            scale: 1.0,
            seed: 0,
        });
        pace.expect(2);
        pace.begin_round();
        pace
    }

    fn remaining(pace: &Pace) -> Option<Duration> {
        let progress = pace.progress(Step::Prepare { target: "a" });
        progress.remaining
    }

    #[test]
    fn what_remains_is_known_when_everything_has_run_once() {
        let mut pace = pace(None);
        pace.ran(0, SECOND);
        assert_eq!(remaining(&pace), None);
        pace.ran(1, 3 * SECOND);
        assert_eq!(remaining(&pace), Some(40 * SECOND));
    }

    #[test]
    fn what_remains_follows_from_how_long_each_run_took_last() {
        let mut pace = pace(None);
        pace.ran(0, 9 * SECOND);
        pace.ran(1, 3 * SECOND);
        pace.begin_round();
        pace.ran(0, SECOND);
        assert_eq!(remaining(&pace), Some((3 + 9 * 4) * SECOND));
    }

    #[test]
    fn no_more_remains_than_there_is_time() {
        let mut pace = pace(Some(20 * SECOND));
        pace.ran(0, SECOND);
        pace.ran(1, 3 * SECOND);
        assert!(remaining(&pace).unwrap() <= 20 * SECOND);
    }

    #[test]
    fn a_round_is_late_if_it_would_end_after_the_time_that_there_is() {
        let mut pace = pace(Some(5 * SECOND));
        pace.ran(0, SECOND);
        assert!(!pace.round_would_be_late());
        pace.ran(1, 6 * SECOND);
        assert!(pace.round_would_be_late());
    }
}
