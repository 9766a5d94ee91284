//! The rows of a summary: what each measure of each workload is behind each wall.

use super::runs::{Pair, Runs};
use super::{Cell, Row};
use crate::bench::record::TargetNote;
use crate::bench::statistics::{Ratio, Sorted, ratio::Estimate};
use crate::bench::workload::Unit;

/// What a workload would have measured that has failed everywhere: it has a row, too.
const NOTHING: (&str, Unit) = ("time", Unit::Nanoseconds);

/// The columns of all rows.
pub(super) struct Columns<'a> {
    /// In their order.
    pub(super) targets: Vec<&'a TargetNote>,
    /// The place of what ratios are taken to, if that can be had.
    pub(super) baseline: Option<usize>,
}

impl Columns<'_> {
    /// The rows of `workload`: one for each measure, or none if it was not run.
    pub(super) fn rows(&self, runs: &Runs<'_>, workload: &str) -> Vec<Row> {
        let pair = |target: &&TargetNote| runs.pair(workload, &target.name);
        let pairs: Vec<Option<&Pair<'_>>> = self.targets.iter().map(pair).collect();
        if pairs.iter().all(Option::is_none) {
            return Vec::new();
        }
        let mut measures = runs.measures(workload);
        if measures.is_empty() {
            measures.push(NOTHING);
        }
        let row = |(name, unit): (&str, Unit)| Row {
            workload: workload.to_owned(),
            ..self.row(&pairs, name, unit)
        };
        let mut rows: Vec<Row> = measures.into_iter().map(row).collect();
        for (cell, pair) in rows[0].cells.iter_mut().zip(&pairs) {
            cell.cpu_ns = pair.and_then(Pair::cpu);
        }
        rows
    }

    fn row(&self, pairs: &[Option<&Pair<'_>>], measure: &str, unit: Unit) -> Row {
        let series = |pair: &Option<&Pair<'_>>| pair.map(|pair| pair.series(measure, unit));
        let series = pairs.iter().map(|pair| series(pair).unwrap_or_default());
        let series = AllSeries(series.collect());
        let noise = self.noise(&series);
        let cell = |(place, pair): (usize, &Option<&Pair<'_>>)| {
            let failures = pair.and_then(|pair| pair.failures);
            Cell {
                ratio: self.ratio(&series, place, noise),
                failures: failures.map(|(count, first)| (count, first.to_owned())),
                ..series.cell(place)
            }
        };
        Row {
            workload: String::new(),
            measure: measure.to_owned(),
            unit,
            noise,
            cells: pairs.iter().enumerate().map(cell).collect(),
        }
    }

    /// How far apart the same twice is: the most of all controls.
    fn noise(&self, series: &AllSeries) -> Option<f64> {
        let noise = |(place, target): (usize, &&TargetNote)| {
            let original = target.control_of.as_ref()?;
            let original = self
                .targets
                .iter()
                .position(|other| other.name == *original)?;
            series.estimate(place, original)?.noise()
        };
        let targets = self.targets.iter().enumerate();
        targets.filter_map(noise).reduce(f64::max)
    }

    fn ratio(&self, series: &AllSeries, place: usize, noise: Option<f64>) -> Option<Ratio> {
        let baseline = self.baseline.filter(|baseline| *baseline != place)?;
        let estimate = series.estimate(place, baseline)?;
        // The baseline's own control made the noise, and so could never exceed it.
        Some(estimate.judged(noise.filter(|_| !self.is_control(place))))
    }

    /// Whether the target at `place` is the baseline over again.
    pub(super) fn is_control(&self, place: usize) -> bool {
        let baseline = self.baseline.map(|baseline| &self.targets[baseline].name);
        baseline.is_some() && self.targets[place].control_of.as_ref() == baseline
    }
}

/// The figures of a measure behind each target, with their rounds, in the order of these.
struct AllSeries(Vec<Vec<(u32, f64)>>);

impl AllSeries {
    /// How many times the target `to` the target `of` is, over the rounds that both have.
    fn estimate(&self, of: usize, to: usize) -> Option<Estimate> {
        let to = &self.0[to];
        let pair = |(round, of): &(u32, f64)| {
            let place = to.binary_search_by_key(round, |(round, _)| *round);
            Some((*of, to[place.ok()?].1))
        };
        Estimate::paired(self.0[of].iter().filter_map(pair))
    }

    fn cell(&self, place: usize) -> Cell {
        let values: Vec<f64> = self.0[place].iter().map(|(_, value)| *value).collect();
        Cell {
            spread: Sorted::of(values.clone()).map(|sorted| sorted.spread()),
            values,
            ..Cell::default()
        }
    }
}
