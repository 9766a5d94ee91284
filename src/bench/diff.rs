//! Two records side by side: what has changed from one to the other, where they can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::record::{Begin, Fact, Record};
use super::statistics::ratio::Estimate;
use super::statistics::{Ratio, Spread, Verdict};
use super::summary::{Cell, Row, Summary};
use super::workload::Unit;

/// What has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Facts that matter and differ; none unless it was forced.
    pub unlike: Vec<Unlike>,
    /// Each measure of each workload behind each target that both have, in the order of the first.
    pub changes: Vec<Change>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// A fact that matters and differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// What it is about.
    pub name: String,
    /// What the first record has there.
    pub before: Option<String>,
    /// What the second has.
    pub after: Option<String>,
}

/// A figure, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The workload.
    pub workload: String,
    /// The measure.
    pub measure: String,
    /// What its figures are in.
    pub unit: Unit,
    /// The target.
    pub target: String,
    /// In the first record.
    pub before: Spread,
    /// In the second.
    pub after: Spread,
    /// How many times the first the second is: of medians, since their rounds are no pairs.
    pub ratio: Ratio,
}

/// Why two records are not compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// They were measured in unlike places, or ways.
    #[error("the records differ in what makes figures: {}; --force compares them all the same", list(.0))]
    Unlike(Vec<Unlike>),
    /// They are about other things.
    #[error("the records have no workload behind the same target in common")]
    Nothing,
}

impl Diff {
    /// From `before` to `after`.
    ///
    /// # Errors
    /// A fact that matters differs, and it is not `forced`; or they have nothing in common.
    pub fn of(before: &Record, after: &Record, forced: bool) -> Result<Self, DiffError> {
        let unlike = unlike(&before.begin, &after.begin);
        if !forced && !unlike.is_empty() {
            return Err(DiffError::Unlike(unlike));
        }
        let [before, after] = [before, after].map(Summary::of);
        let changes = changes(&before, &after);
        match changes.is_empty() {
            true => Err(DiffError::Nothing),
            false => Ok(Self {
                notes: notes(&before, &after, &changes),
                unlike,
                changes,
            }),
        }
    }
}

/// The facts that matter to either, and differ.
fn unlike(before: &Begin, after: &Begin) -> Vec<Unlike> {
    let [before, after] = [before, after].map(facts);
    let all = before.values().chain(after.values());
    let matter = all.filter(|fact| fact.matters);
    let names: BTreeSet<&str> = matter.map(|fact| fact.name.as_str()).collect();
    let value =
        |facts: &BTreeMap<&str, &Fact>, name| facts.get(name).map(|fact| fact.value.clone());
    let all = names.into_iter().map(|name| Unlike {
        name: name.to_owned(),
        before: value(&before, name),
        after: value(&after, name),
    });
    all.filter(|fact| fact.before != fact.after).collect()
}

fn facts(begin: &Begin) -> BTreeMap<&str, &Fact> {
    let all = begin.conditions.iter().chain(&begin.environment);
    all.map(|fact| (fact.name.as_str(), fact)).collect()
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] =
            [&self.before, &self.after].map(|value| value.as_deref().unwrap_or("none"));
        write!(f, "{} ({before} and {after})", self.name)
    }
}

fn list(unlike: &[Unlike]) -> String {
    let all: Vec<String> = unlike.iter().map(Unlike::to_string).collect();
    all.join(", ")
}

/// A measure of a workload behind a target.
struct Figure<'a> {
    row: &'a Row,
    target: &'a str,
    cell: &'a Cell,
}

fn figures(summary: &Summary) -> impl Iterator<Item = Figure<'_>> {
    summary.rows.iter().flat_map(|row| {
        let cells = summary.targets.iter().zip(&row.cells);
        cells.map(move |(target, cell)| Figure { row, target, cell })
    })
}

fn changes(before: &Summary, after: &Summary) -> Vec<Change> {
    let after: BTreeMap<_, _> = figures(after)
        .map(|figure| (figure.key(), figure))
        .collect();
    figures(before)
        .filter_map(|figure| figure.change(after.get(&figure.key())?))
        .collect()
}

impl<'a> Figure<'a> {
    fn key(&self) -> (&'a str, &'a str, Unit, &'a str) {
        (
            &self.row.workload,
            &self.row.measure,
            self.row.unit,
            self.target,
        )
    }

    /// What it has become; `None` if one of them has no figure.
    fn change(&self, after: &Self) -> Option<Change> {
        let noise = [self.row.noise, after.row.noise].into_iter().flatten();
        let estimate = Estimate::unpaired(&after.cell.values, &self.cell.values)?;
        Some(Change {
            workload: self.row.workload.clone(),
            measure: self.row.measure.clone(),
            unit: self.row.unit,
            target: self.target.to_owned(),
            before: self.cell.spread?,
            after: after.cell.spread?,
            ratio: estimate.judged(noise.reduce(f64::max)),
        })
    }
}

fn notes(before: &Summary, after: &Summary, changes: &[Change]) -> Vec<String> {
    let own = [("first", before), ("second", after)]
        .into_iter()
        .flat_map(own_warnings);
    let only =
        [("first", before), ("second", after)].map(|(name, summary)| only(name, summary, changes));
    let baseline = before
        .targets
        .first()
        .and_then(|baseline| machine(baseline, changes));
    baseline
        .into_iter()
        .chain(only.into_iter().flatten())
        .chain(own)
        .collect()
}

/// The warnings of a record, which a comparison has as well.
fn own_warnings((name, summary): (&'static str, &Summary)) -> impl Iterator<Item = String> {
    let warnings = summary.warnings.iter();
    warnings.map(move |warning| format!("Of the {name} record: {warning}"))
}

/// That what one of them has measured has nothing beside it.
fn only(name: &str, summary: &Summary, changes: &[Change]) -> Option<String> {
    let compared: BTreeSet<(&str, &str)> = changes
        .iter()
        .map(|change| (change.workload.as_str(), change.target.as_str()))
        .collect();
    let measured = figures(summary).filter(|figure| figure.cell.spread.is_some());
    let places: BTreeSet<(&str, &str)> = measured
        .map(|figure| (figure.row.workload.as_str(), figure.target))
        .collect();
    let only = places.difference(&compared);
    let only: Vec<String> = only
        .map(|(workload, target)| format!("`{workload}` behind {target}"))
        .collect();
    (!only.is_empty()).then(|| format!("Only the {name} record has {}.", only.join(", ")))
}

/// That the baseline itself has changed, which has no wall.
fn machine(baseline: &str, changes: &[Change]) -> Option<String> {
    let of_baseline = || changes.iter().filter(|change| change.target == baseline);
    let differs =
        |change: &&Change| matches!(change.ratio.verdict, Verdict::Dearer | Verdict::Cheaper);
    let changed = of_baseline().filter(differs).count();
    (changed > 0).then(|| {
        format!(
            "{changed} of {} figures of {baseline} changed, where no wall is: the machine changed \
             as well, and others by as much for that alone. The ratios to {baseline} in each \
             record bear that.",
            of_baseline().count()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::Entry;
    use crate::bench::record::tests::{begin, sample_of};
    use crate::bench::statistics::noise::Noise;

    const THREE: [&str; 3] = ["process", "process again", "vm"];

    /// A record of 30 rounds behind [`THREE`], whose costs are `costs`, with a noise of 2 %.
    fn record(seed: u64, costs: [f64; 3]) -> Record {
        let mut noise = Noise::seeded(seed);
        let rounds = (1..=30).flat_map(|round| {
            let runs = THREE.into_iter().zip(costs).map(|(target, cost)| {
                sample_of(target, Some(round), cost * (1.0 + noise.normal(0.02)))
            });
            runs.collect::<Vec<_>>()
        });
        Record {
            entries: rounds.collect(),
            begin: begin(),
            flaw: None,
        }
    }

    fn fact(name: &str, value: &str, matters: bool) -> Fact {
        Fact {
            name: name.to_owned(),
            value: value.to_owned(),
            matters,
        }
    }

    fn verdict(diff: &Diff, target: &str) -> Verdict {
        let mut changes = diff.changes.iter();
        changes
            .find(|change| change.target == target)
            .unwrap()
            .ratio
            .verdict
    }

    #[test]
    fn what_has_changed_is_found_and_what_has_not_is_no_difference() {
        let before = record(1, [100.0, 100.0, 200.0]);
        let after = record(2, [100.0, 100.0, 240.0]);
        let diff = Diff::of(&before, &after, false).unwrap();
        assert_eq!(verdict(&diff, "process"), Verdict::NoDifference);
        assert_eq!(verdict(&diff, "vm"), Verdict::Dearer);
        let vm = diff
            .changes
            .iter()
            .find(|change| change.target == "vm")
            .unwrap();
        assert!((vm.ratio.value - 1.2).abs() < 0.03, "{:?}", vm.ratio);
        assert_eq!((vm.before.count, vm.after.count), (30, 30));
        let back = Diff::of(&after, &before, false).unwrap();
        assert_eq!(verdict(&back, "vm"), Verdict::Cheaper);
    }

    #[test]
    fn two_records_of_the_same_have_no_difference_in_95_of_a_hundred_cases() {
        let same = (0..400).filter(|seed| {
            let [before, after] = [2 * seed, 2 * seed + 1].map(|seed| record(seed, [100.0; 3]));
            let diff = Diff::of(&before, &after, false).unwrap();
            verdict(&diff, "vm") == Verdict::NoDifference
        });
        assert!(same.count() >= 380);
    }

    #[test]
    fn records_that_differ_in_what_matters_are_refused_and_it_is_named() {
        let [mut before, mut after] = [1, 2].map(|seed| record(seed, [100.0; 3]));
        let environment = |kernel, load| {
            let alike = fact("processor", "the same", true);
            vec![
                fact("kernel", kernel, true),
                fact("load", load, false),
                alike,
            ]
        };
        before.begin.environment = environment("6.1", "0.1");
        after.begin.environment = environment("6.12", "0.9");
        after.begin.conditions = vec![fact("memory", "1 GiB", true)];
        let error = Diff::of(&before, &after, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the records differ in what makes figures: kernel (6.1 and 6.12), \
             memory (none and 1 GiB); --force compares them all the same"
        );
        let forced = Diff::of(&before, &after, true).unwrap();
        assert_eq!(forced.unlike.len(), 2);
    }

    #[test]
    fn records_without_anything_in_common_are_refused() {
        let before = record(1, [100.0; 3]);
        let mut after = record(2, [100.0; 3]);
        after.entries.clear();
        let error = Diff::of(&before, &after, false).unwrap_err();
        assert!(matches!(error, DiffError::Nothing));
    }

    #[test]
    fn what_only_one_of_them_has_is_said() {
        let mut before = record(1, [100.0; 3]);
        before.entries.retain(|entry| match entry {
            Entry::Sample(sample) => sample.target != "vm",
            _ => true,
        });
        let notes = Diff::of(&before, &record(2, [100.0; 3]), false)
            .unwrap()
            .notes;
        let wanted = "Only the second record has `getpid` behind vm.";
        assert!(notes.iter().any(|note| note == wanted), "{notes:#?}");
    }

    #[test]
    fn a_machine_that_has_changed_is_said_to_have() {
        let before = record(1, [100.0, 100.0, 200.0]);
        let after = record(2, [130.0, 130.0, 260.0]);
        let notes = Diff::of(&before, &after, false).unwrap().notes;
        assert!(
            notes[0].starts_with("1 of 1 figures of process changed"),
            "{notes:#?}"
        );
    }

    #[test]
    fn the_warnings_of_each_are_those_of_both() {
        let notes = Diff::of(&record(1, [1.0; 3]), &record(2, [1.0; 3]), false)
            .unwrap()
            .notes;
        let begins = [
            "Of the first record: The record has no end",
            "Of the second record: The",
        ];
        for begin in begins {
            assert!(
                notes.iter().any(|note| note.starts_with(begin)),
                "{notes:#?}"
            );
        }
    }
}
