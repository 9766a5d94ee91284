//! The runs of a record, by workload and target.

use std::collections::BTreeMap;

use crate::bench::record::Record;
use crate::bench::rounds::GIVES_UP;
use crate::bench::sample::{Outcome, Reading, Sample};
use crate::bench::statistics::Sorted;
use crate::bench::workload::Unit;

/// All of them.
pub(super) struct Runs<'a>(BTreeMap<&'a str, BTreeMap<&'a str, Pair<'a>>>);

/// The runs of a workload behind a target.
#[derive(Default)]
pub(super) struct Pair<'a> {
    /// What was measured in each round that counts.
    pub(super) readings: BTreeMap<u32, &'a Reading>,
    /// How many there were, warm-ups too.
    pub(super) count: u32,
    /// How many of them failed, and why the first did.
    pub(super) failures: Option<(u32, &'a str)>,
    /// How many of the last failed, one after the other.
    failures_in_a_row: u32,
}

impl<'a> Runs<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let mut runs = Self(BTreeMap::new());
        for sample in record.samples() {
            let of_workload = runs.0.entry(sample.workload.as_str()).or_default();
            let pair = of_workload.entry(sample.target.as_str()).or_default();
            pair.take(sample);
        }
        runs
    }

    /// Those of `workload` behind `target`.
    pub(super) fn pair(&self, workload: &str, target: &str) -> Option<&Pair<'a>> {
        self.0.get(workload)?.get(target)
    }

    /// All, with their workload and target.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str, &Pair<'a>)> {
        self.0.iter().flat_map(|(workload, targets)| {
            let pairs = targets.iter();
            pairs.map(|(target, pair)| (*workload, *target, pair))
        })
    }

    /// What is measured by `workload`, in the order in which readings tell it.
    pub(super) fn measures(&self, workload: &str) -> Vec<(&'a str, Unit)> {
        let mut found = Vec::new();
        let pairs = self.0.get(workload).into_iter().flat_map(BTreeMap::values);
        for measure in pairs.flat_map(Pair::measures) {
            if !found.contains(&measure) {
                found.push(measure);
            }
        }
        found
    }
}

impl<'a> Pair<'a> {
    fn take(&mut self, sample: &'a Sample) {
        self.count += 1;
        match (&sample.outcome, sample.round) {
            (Outcome::Failed(reason), _) => {
                self.failures.get_or_insert((0, reason)).0 += 1;
                self.failures_in_a_row += 1;
            }
            (Outcome::Measured(reading), round) => {
                self.failures_in_a_row = 0;
                if let Some(round) = round {
                    self.readings.entry(round).or_insert(reading);
                }
            }
        }
    }

    /// Whether it was not run any more.
    pub(super) fn was_given_up(&self) -> bool {
        self.failures_in_a_row >= GIVES_UP
    }

    /// The figures of a measure, with their rounds, in the order of these.
    pub(super) fn series(&self, name: &str, unit: Unit) -> Vec<(u32, f64)> {
        let figure = |reading: &Reading| {
            let mut measures = reading.measures.iter();
            let found = measures.find(|measure| measure.name == name && measure.unit == unit);
            found.map(|measure| measure.value)
        };
        let rounds = self.readings.iter();
        rounds
            .filter_map(|(round, reading)| Some((*round, figure(reading)?)))
            .collect()
    }

    /// Processor time of the host for a run: the median in nanoseconds.
    pub(super) fn cpu(&self) -> Option<f64> {
        let known = self.readings.values().filter_map(|reading| reading.cpu_ns);
        Sorted::of(known.map(|ns| ns as f64).collect()).map(|sorted| sorted.median())
    }

    fn measures(&self) -> impl Iterator<Item = (&'a str, Unit)> {
        let measures = self.readings.values().flat_map(|reading| &reading.measures);
        measures.map(|measure| (measure.name.as_str(), measure.unit))
    }
}
