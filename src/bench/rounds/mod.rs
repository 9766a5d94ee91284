//! In which order, and for how long: rounds over all targets, interleaved.
//!
//! ```text
//! prepare     every target; one that cannot be had is missing, and the others stand
//! warm-up     a round that counts for nothing
//! rounds      each workload on all targets, in an order drawn anew; each sample to the record
//! clean up    every target, however it ended
//! ```
//!
//! It knows no wall, no clock but the host's, and nothing of what figures mean.

mod pace;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use pace::{Progress, Step};

use super::record::{End, Entry, Journal, JournalError, Missing, Record};
use super::sample::{Outcome, Reading, Sample};
use super::target::Target;
use super::workload::Workload;
use pace::Pace;

/// A workload that failed so often in a row behind a target is not run there again.
pub const GIVES_UP: u32 = 3;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workloads, in their order.
    pub workloads: Vec<Workload>,
    /// How many rounds count.
    pub rounds: u32,
    /// How long it all may take, preparation too. One round is done in any case, and none is
    /// begun that would not end in time.
    pub budget: Option<Duration>,
    /// What every workload's count of operations is multiplied by.
    pub scale: f64,
    /// What the orders are drawn from: the same seed draws the same.
    pub seed: u64,
}

impl Plan {
    /// The names of the workloads, in their order.
    pub fn names(&self) -> Vec<String> {
        let names = self.workloads.iter().map(|workload| workload.name);
        names.map(str::to_owned).collect()
    }
}

/// Looks on, between runs, while nothing is measured.
pub trait Watcher {
    /// Whether it is to end now, with what there is.
    fn wants_end(&mut self) -> bool {
        false
    }

    /// What comes next, and what has been found so far.
    fn see(&mut self, _progress: &Progress<'_>, _record: &Record) {}
}

/// Nobody.
impl Watcher for () {}

/// Does what is planned and says how it ended; that is for the caller to append to the journal,
/// with what went on meanwhile.
pub fn run(
    plan: &Plan,
    targets: &mut [Box<dyn Target>],
    journal: &mut Journal,
    watcher: &mut dyn Watcher,
) -> End {
    let mut bench = Bench {
        plan,
        touched: 0,
        ready: Vec::new(),
        failures: vec![0; plan.workloads.len() * targets.len()],
        pace: Pace::new(plan),
        random: fastrand::Rng::with_seed(plan.seed),
        targets,
        journal,
        watcher,
    };
    let ending = bench.all().err().unwrap_or(Ending::Done);
    let seconds = bench.journal.elapsed().as_secs();
    End {
        reason: ending.sentence(plan),
        seconds,
        during: Vec::new(),
    }
}

/// Why it came to its end.
enum Ending {
    Done,
    OutOfTime { rounds: u32 },
    Stopped,
    NoTarget,
    NothingRuns,
    Journal(JournalError),
}

impl Ending {
    fn sentence(&self, plan: &Plan) -> String {
        match self {
            Self::Done => format!("all {} rounds are done", plan.rounds),
            Self::OutOfTime { rounds } => format!(
                "the time is over after {rounds} of {} rounds: --time-budget gives more",
                plan.rounds
            ),
            Self::Stopped => "it was stopped".to_owned(),
            Self::NoTarget => "there is no target".to_owned(),
            Self::NothingRuns => "every workload failed behind every target".to_owned(),
            Self::Journal(error) => crate::chain(error),
        }
    }
}

/// A bench while it runs. Dropping it cleans up.
struct Bench<'a> {
    plan: &'a Plan,
    targets: &'a mut [Box<dyn Target>],
    /// How many of the targets were asked to prepare.
    touched: usize,
    /// The places of those that are prepared.
    ready: Vec<usize>,
    /// How often each workload has failed in a row, behind each target.
    failures: Vec<u32>,
    pace: Pace,
    random: fastrand::Rng,
    journal: &'a mut Journal,
    watcher: &'a mut dyn Watcher,
}

impl Bench<'_> {
    fn all(&mut self) -> Result<(), Ending> {
        self.prepare()?;
        self.round(None)?;
        for round in 1..=self.plan.rounds {
            if round > 1 && self.pace.round_would_be_late() {
                return Err(Ending::OutOfTime { rounds: round - 1 });
            }
            self.round(Some(round))?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<(), Ending> {
        for place in 0..self.targets.len() {
            self.look(place, None, None)?;
            self.touched = place + 1;
            match self.targets[place].prepare() {
                Ok(()) => self.ready.push(place),
                Err(_) if self.watcher.wants_end() => return Err(Ending::Stopped),
                Err(reason) => {
                    let target = self.targets[place].name().to_owned();
                    self.append(Entry::Missing(Missing { target, reason }))?;
                }
            }
        }
        self.pace
            .expect(self.ready.len() * self.plan.workloads.len());
        match self.ready.is_empty() {
            true => Err(Ending::NoTarget),
            false => Ok(()),
        }
    }

    fn round(&mut self, round: Option<u32>) -> Result<(), Ending> {
        if self.has_given_all_up() {
            return Err(Ending::NothingRuns);
        }
        self.pace.begin_round();
        for workload in 0..self.plan.workloads.len() {
            let mut order = self.ready.clone();
            self.random.shuffle(&mut order);
            for place in order {
                self.run_one(workload, place, round)?;
            }
        }
        Ok(())
    }

    /// One run of a workload behind one target, if that has not failed too often.
    fn run_one(&mut self, workload: usize, place: usize, round: Option<u32>) -> Result<(), Ending> {
        let pair = self.pair(workload, place);
        if self.failures[pair] >= GIVES_UP {
            self.pace.skip(pair);
            return Ok(());
        }
        self.look(place, Some(workload), round)?;
        let started = self.journal.elapsed();
        let begin = Instant::now();
        let target = &mut self.targets[place];
        let result = target.run(&self.plan.workloads[workload], self.plan.scale);
        self.pace.ran(pair, begin.elapsed());
        // What ends the bench has cut it off: it has not failed.
        if result.is_err() && self.watcher.wants_end() {
            return Err(Ending::Stopped);
        }
        let sample = Sample {
            workload: self.plan.workloads[workload].name.to_owned(),
            target: target.name().to_owned(),
            round,
            started_us: u64::try_from(started.as_micros()).unwrap_or(u64::MAX),
            outcome: self.outcome(pair, result),
        };
        self.append(Entry::Sample(sample))
    }

    /// What came of a run: what a target says it measured is believed only if it can be.
    fn outcome(&mut self, pair: usize, result: Result<Reading, String>) -> Outcome {
        let reading = result.and_then(|reading| reading.check().map(|()| reading));
        self.failures[pair] = match &reading {
            Ok(_) => 0,
            Err(_) => self.failures[pair] + 1,
        };
        match reading {
            Ok(reading) => Outcome::Measured(reading),
            Err(reason) => Outcome::Failed(reason),
        }
    }

    /// Lets the watcher look at what comes next.
    fn look(
        &mut self,
        place: usize,
        workload: Option<usize>,
        round: Option<u32>,
    ) -> Result<(), Ending> {
        if self.watcher.wants_end() {
            return Err(Ending::Stopped);
        }
        let target = self.targets[place].name();
        let step = match workload {
            None => Step::Prepare { target },
            Some(workload) => Step::Run {
                workload: self.plan.workloads[workload].name,
                target,
                round,
            },
        };
        self.watcher
            .see(&self.pace.progress(step), self.journal.record());
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> Result<(), Ending> {
        self.journal.append(entry).map_err(Ending::Journal)
    }

    fn has_given_all_up(&self) -> bool {
        let workloads = 0..self.plan.workloads.len();
        let mut pairs =
            workloads.flat_map(|workload| self.ready.iter().map(move |place| (workload, *place)));
        pairs.all(|(workload, place)| self.failures[self.pair(workload, place)] >= GIVES_UP)
    }

    fn pair(&self, workload: usize, place: usize) -> usize {
        workload * self.targets.len() + place
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        for target in &mut self.targets[..self.touched] {
            target.cleanup();
        }
    }
}
