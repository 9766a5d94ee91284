//! What a record may hold, whoever wrote it. It has no file.

use std::collections::BTreeSet;

use super::{Begin, Entry};
use crate::bench::sample::{Measure, Outcome, Sample, is_figure};

/// The most targets.
const MAX_TARGETS: usize = 32;
/// The most workloads.
const MAX_WORKLOADS: usize = 256;
/// The most measures of all workloads together.
const MAX_MEASURES: usize = 1024;

/// Knows what a record is about.
pub(super) struct Checker {
    targets: BTreeSet<String>,
    workloads: BTreeSet<String>,
    /// Workload and measure.
    measures: BTreeSet<(String, String)>,
}

impl Checker {
    /// Of a record that begins with `begin`.
    pub(super) fn of(begin: &Begin) -> Result<Self, String> {
        let targets = begin.targets.iter().map(|target| target.name.clone());
        Ok(Self {
            targets: distinct(targets, MAX_TARGETS, "targets")?,
            workloads: distinct(begin.workloads.iter().cloned(), MAX_WORKLOADS, "workloads")?,
            measures: BTreeSet::new(),
        })
    }

    /// Says what is wrong with `entry`, if anything is.
    pub(super) fn check(&mut self, entry: &Entry) -> Result<(), String> {
        match entry {
            Entry::Begin(_) => Err("a second beginning".to_owned()),
            Entry::Sample(sample) => self.check_sample(sample),
            Entry::Missing(missing) => self.target(&missing.target),
            Entry::Density(density) => self.target(&density.target),
            Entry::Explanation(explanation) => {
                self.workload(&explanation.workload)?;
                self.target(&explanation.target)?;
                match explanation
                    .counts
                    .iter()
                    .all(|(_, count)| is_figure(*count))
                {
                    true => Ok(()),
                    false => Err("a count that is no figure".to_owned()),
                }
            }
            Entry::Note(_) | Entry::End(_) => Ok(()),
        }
    }

    fn check_sample(&mut self, sample: &Sample) -> Result<(), String> {
        self.workload(&sample.workload)?;
        self.target(&sample.target)?;
        let Outcome::Measured(reading) = &sample.outcome else {
            return Ok(());
        };
        reading.check()?;
        let key = |measure: &Measure| (sample.workload.clone(), measure.name.clone());
        let new: BTreeSet<_> = reading.measures.iter().map(key).collect();
        let new = new.difference(&self.measures).cloned().collect::<Vec<_>>();
        match self.measures.len() + new.len() <= MAX_MEASURES {
            true => {
                self.measures.extend(new);
                Ok(())
            }
            false => Err(format!("more than {MAX_MEASURES} measures")),
        }
    }

    fn target(&self, name: &str) -> Result<(), String> {
        match self.targets.contains(name) {
            true => Ok(()),
            false => Err(format!("it has no target {name:?}")),
        }
    }

    fn workload(&self, name: &str) -> Result<(), String> {
        match self.workloads.contains(name) {
            true => Ok(()),
            false => Err(format!("it has no workload {name:?}")),
        }
    }
}

fn distinct(
    names: impl Iterator<Item = String>,
    most: usize,
    what: &str,
) -> Result<BTreeSet<String>, String> {
    let mut distinct = BTreeSet::new();
    for name in names {
        if let Some(twice) = distinct.replace(name) {
            return Err(format!("of its {what} two are called {twice:?}"));
        }
        if distinct.len() > most {
            return Err(format!("it has more than {most} {what}"));
        }
    }
    match distinct.is_empty() {
        true => Err(format!("it has no {what}")),
        false => Ok(distinct),
    }
}
