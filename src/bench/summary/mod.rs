//! What can be said of a record: rows of figures, and ratios with what they are worth. It is made
//! of nothing but the record, which another time and another machine give the same.

mod rows;
mod runs;
#[cfg(test)]
mod tests;
mod warnings;

use super::record::{Begin, Density, End, Entry, Explanation, Missing, Record, TargetNote};
use super::statistics::{Ratio, Spread};
use super::workload::Unit;
use rows::Columns;
use runs::Runs;
use warnings::Seen;

/// All that a report shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was measured, and where.
    pub begin: Begin,
    /// The targets that have columns, in their order; the first is what ratios are taken to.
    pub targets: Vec<String>,
    /// Those that have none, and why.
    pub missing: Vec<Missing>,
    /// A row for each measure of each workload, in the order of the record.
    pub rows: Vec<Row>,
    /// What accounts for the costs.
    pub explanations: Vec<Explanation>,
    /// Memory against the number of instances.
    pub densities: Vec<Density>,
    /// What a reader has to know: what was seen, what that does to the result, what helps.
    pub warnings: Vec<String>,
    /// How it ended, if it did.
    pub end: Option<End>,
}

impl Summary {
    /// Of all that is in `record`.
    pub fn of(record: &Record) -> Self {
        let parts = Parts::of(record);
        let columns = columns(record, &parts.missing);
        let runs = Runs::of(record);
        let workloads = record.begin.workloads.iter();
        let rows: Vec<Row> = workloads
            .flat_map(|workload| columns.rows(&runs, workload))
            .collect();
        let seen = Seen {
            record,
            runs: &runs,
            columns: &columns,
            rows: &rows,
            end: parts.end.as_ref(),
        };
        Self {
            warnings: seen.warnings(),
            begin: record.begin.clone(),
            targets: columns
                .targets
                .iter()
                .map(|target| target.name.clone())
                .collect(),
            missing: parts.missing,
            rows,
            explanations: parts.explanations,
            densities: parts.densities,
            end: parts.end,
        }
    }
}

/// The targets of `record` that can be had.
fn columns<'a>(record: &'a Record, missing: &[Missing]) -> Columns<'a> {
    let targets = &record.begin.targets;
    let is_there =
        |target: &&TargetNote| missing.iter().all(|missing| missing.target != target.name);
    Columns {
        targets: targets.iter().filter(is_there).collect(),
        baseline: targets.first().filter(is_there).map(|_| 0),
    }
}

/// The entries that are shown as they are.
#[derive(Default)]
struct Parts {
    missing: Vec<Missing>,
    explanations: Vec<Explanation>,
    densities: Vec<Density>,
    end: Option<End>,
}

impl Parts {
    fn of(record: &Record) -> Self {
        let mut parts = Self::default();
        for entry in &record.entries {
            match entry {
                Entry::Begin(_) | Entry::Sample(_) | Entry::Note(_) => {}
                Entry::Missing(missing) => parts.missing.push(missing.clone()),
                Entry::Explanation(explanation) => parts.explanations.push(explanation.clone()),
                Entry::Density(density) => parts.densities.push(density.clone()),
                Entry::End(end) => parts.end = Some(end.clone()),
            }
        }
        parts
    }
}

/// One measure of one workload, behind every wall.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// The measure: `time`, `p99`, `start` …
    pub measure: String,
    /// What its figures are in.
    pub unit: Unit,
    /// By how much two targets differ that are the same, as a factor of at least 1: the ratio of
    /// the control, at the far end of its interval. `None` without a control.
    pub noise: Option<f64>,
    /// A cell for each target, in the order of [`Summary::targets`].
    pub cells: Vec<Cell>,
}

/// One measure of one workload behind one wall.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The figures, of counted rounds, in the order of rounds.
    pub values: Vec<f64>,
    /// Their distribution; `None` where no run has succeeded.
    pub spread: Option<Spread>,
    /// Runs that failed, and why the first of them did.
    pub failures: Option<(u32, String)>,
    /// Processor time of the host for a run, median in nanoseconds; of the first measure only.
    pub cpu_ns: Option<f64>,
    /// The ratio to the first target, over paired rounds; `None` for that one itself.
    pub ratio: Option<Ratio>,
}
