//! The words that all reports share: what a cell says, in which order rows come, what is explained
//! below. It knows no layout.

use std::collections::BTreeSet;

use crate::bench::record::{Begin, Density, Explanation, Fact};
use crate::bench::statistics::{Ratio, Verdict};
use crate::bench::summary::{Cell, Row, Summary};
use crate::bench::workload::Unit;

/// What every reader of ratios has to know.
pub(super) const LEGEND: &str = "A factor (×) is the cost beside the first column: time or memory, so \
    more is worse, of a throughput too. In brackets: where it lies in 95 of 100 repetitions. No \
    difference: none was measured, since the interval includes 1 or lies inside the noise. Noise: by \
    how much two targets differ that are the same.";

/// How a ratio is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// It costs more.
    Dearer,
    /// It costs less.
    Cheaper,
    /// It says nothing about the wall.
    Mute,
    /// Nothing was measured.
    Failed,
}

/// A ratio in words, or why there is none; empty for what the others are compared with.
pub(super) fn verdict(cell: &Cell) -> (String, Tone) {
    match (&cell.ratio, &cell.failures) {
        _ if cell.spread.is_none() => nothing(cell),
        (Some(ratio), _) => of_ratio(ratio),
        (None, _) => (String::new(), Tone::Mute),
    }
}

/// Why a cell has no figure.
fn nothing(cell: &Cell) -> (String, Tone) {
    match cell.failures {
        Some(_) => ("failed".to_owned(), Tone::Failed),
        None => ("not measured".to_owned(), Tone::Mute),
    }
}

fn of_ratio(ratio: &Ratio) -> (String, Tone) {
    let tone = match ratio.verdict {
        Verdict::Dearer => Tone::Dearer,
        Verdict::Cheaper => Tone::Cheaper,
        Verdict::NoDifference => return ("no difference".to_owned(), Tone::Mute),
        Verdict::TooFew => return ("too few rounds".to_owned(), Tone::Mute),
    };
    let interval = ratio.interval.map(interval);
    let interval = interval.map_or_else(String::new, |interval| format!(" ({interval})"));
    (format!("×{}{interval}", factor(ratio.value)), tone)
}

/// The ends of an interval.
pub(super) fn interval((low, high): (f64, f64)) -> String {
    format!("{}–{}", factor(low), factor(high))
}

/// A factor with three digits.
pub(super) fn factor(value: f64) -> String {
    let decimals = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.0995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// By how much equal targets differ.
pub(super) fn noise(row: &Row) -> String {
    match row.noise {
        None => "unknown".to_owned(),
        Some(noise) if noise < 2.0 => format!("±{:.1} %", (noise - 1.0) * 100.0),
        Some(noise) => format!("up to ×{}", factor(noise)),
    }
}

/// The median with its unit; empty where there is none.
pub(super) fn median(row: &Row, cell: &Cell) -> String {
    let median = cell.spread.map(|spread| row.unit.show(spread.median));
    median.unwrap_or_default()
}

/// The median of the distances from the median, as a part of it: of a rate it would be none.
pub(super) fn deviation(cell: &Cell) -> String {
    let part = cell.spread.map(|spread| spread.mad / spread.median * 100.0);
    part.filter(|part| part.is_finite())
        .map(|part| format!("{part:.1} %"))
        .unwrap_or_default()
}

/// Processor time of the host.
pub(super) fn processor(cell: &Cell) -> String {
    let shown = cell.cpu_ns.map(|time| Unit::Nanoseconds.show(time));
    shown.unwrap_or_default()
}

/// How many figures there are.
pub(super) fn count(cell: &Cell) -> String {
    let count = cell.spread.map(|spread| spread.count.to_string());
    count.unwrap_or_default()
}

/// What a row is called: the workload, and the measure where it is not simply its time.
pub(super) fn label(row: &Row) -> String {
    match row.measure.as_str() {
        "time" => row.workload.clone(),
        measure => format!("{}: {measure}", row.workload),
    }
}

/// Rows that belong together: workloads beside each other whose names begin with the same word,
/// and those beside each other that have no such neighbour.
pub(super) fn families(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    let are_kin = |one: &Row, other: &Row| {
        let [one, other] = [one, other].map(|row| row.workload.split('-').next());
        one == other
    };
    let alone = rows.chunk_by(are_kin).filter_map(|kin| {
        let workload = kin.first()?.workload.as_str();
        let is_alone = kin.iter().all(|row| row.workload == workload);
        is_alone.then_some(workload)
    });
    let alone: BTreeSet<&str> = alone.collect();
    let is_alone = move |row: &Row| alone.contains(row.workload.as_str());
    rows.chunk_by(move |one, other| are_kin(one, other) || (is_alone(one) && is_alone(other)))
}

/// Which percentile the figure is, if it is one: `p50`, `p99` …
fn percentile(row: &Row) -> Option<f64> {
    row.measure.strip_prefix('p')?.parse().ok()
}

/// Whether a row tells more of a workload than what it is about: the percentiles of one that has
/// another measure before them.
pub(super) fn is_detail(summary: &Summary, row: &Row) -> bool {
    let mut rows = summary.rows.iter();
    let first = rows.find(|other| other.workload == row.workload);
    percentile(row).is_some() && first.is_some_and(|first| first.measure != row.measure)
}

/// Whether it is the detail that matters most: what the slowest of a hundred cost.
pub(super) fn is_tail(row: &Row) -> bool {
    percentile(row) == Some(99.0)
}

/// What can be said in a few words of where it was measured: what matters, and is short.
pub(super) fn telling(begin: &Begin) -> impl Iterator<Item = &Fact> {
    const SHORT: usize = 40;
    let facts = begin.environment.iter();
    facts.filter(|fact| fact.matters && fact.value.len() <= SHORT && fact.value != "unknown")
}

/// Whether `target` is another one over again.
pub(super) fn is_control(summary: &Summary, target: &str) -> bool {
    let mut notes = summary.begin.targets.iter();
    notes.any(|note| note.name == target && note.control_of.is_some())
}

/// Each target without a column, and why.
pub(super) fn missing(summary: &Summary) -> Vec<String> {
    let missing = summary.missing.iter();
    missing
        .map(|missing| format!("{}: not to be had here: {}", missing.target, missing.reason))
        .collect()
}

/// What accounts for the costs, a line for each.
pub(super) fn explanations(summary: &Summary) -> Vec<String> {
    let all = summary.explanations.iter();
    let line = |one: &Explanation| {
        let (workload, target, sentence) = (&one.workload, &one.target, &one.sentence);
        let reached = one.host_calls.map_or_else(String::new, |calls| {
            format!("; exposure, not security: {calls} distinct system calls of the host")
        });
        format!("{workload} behind {target}: {sentence}{reached}")
    };
    all.map(line).collect()
}

/// What one instance of each target takes of memory, what many do, and what each of those adds.
pub(super) fn densities(summary: &Summary) -> Vec<String> {
    let targets: BTreeSet<&str> = summary.densities.iter().map(|d| &*d.target).collect();
    let in_order = summary
        .targets
        .iter()
        .filter(|name| targets.contains(name.as_str()));
    in_order
        .filter_map(|target| density(summary, target))
        .collect()
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn density(summary: &Summary, target: &str) -> Option<String> {
    let of_target = || summary.densities.iter().filter(|d| d.target == target);
    let few = of_target().min_by_key(|density| density.instances)?;
    let many = of_target().max_by_key(|density| density.instances)?;
    let taken = |density: &Density| {
        let bytes = Unit::Bytes.show(density.bytes as f64);
        format!("{bytes} for {}", density.instances)
    };
    let more = f64::from(many.instances - few.instances);
    let added = match more > 0.0 {
        true => {
            let each = (many.bytes as f64 - few.bytes as f64).max(0.0) / more;
            format!(
                ", {}: {} for each more",
                taken(many),
                Unit::Bytes.show(each)
            )
        }
        false => String::new(),
    };
    Some(format!("instances behind {target}: {}{added}", taken(few)))
}

/// How it came to its end.
pub(super) fn ending(summary: &Summary) -> String {
    match &summary.end {
        None => "it has not come to its end: this is what there is".to_owned(),
        Some(end) => format!("{}, after {} s", end.reason, end.seconds),
    }
}

/// `facts` in a line.
pub(super) fn facts<'a>(facts: impl Iterator<Item = &'a Fact>) -> String {
    let facts = facts.map(|fact| format!("{} {}", fact.name, fact.value));
    facts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::statistics::Spread;

    fn cell(value: f64, interval: Option<(f64, f64)>, verdict: Verdict) -> Cell {
        Cell {
            spread: Some(Spread::default()),
            ratio: Some(Ratio {
                value,
                interval,
                verdict,
            }),
            ..Cell::default()
        }
    }

    #[test]
    fn a_ratio_has_three_digits_and_its_interval() {
        let dearer = cell(12.34, Some((9.876, 123.4)), Verdict::Dearer);
        let wanted = ("×12.3 (9.88–123)".to_owned(), Tone::Dearer);
        assert_eq!(verdict(&dearer), wanted);
        assert_eq!(factor(0.0341), "0.034");
    }

    #[test]
    fn no_difference_is_never_a_figure() {
        let same = cell(0.97, Some((0.95, 1.01)), Verdict::NoDifference);
        assert_eq!(verdict(&same), ("no difference".to_owned(), Tone::Mute));
        let few = cell(3.0, None, Verdict::TooFew);
        assert_eq!(verdict(&few), ("too few rounds".to_owned(), Tone::Mute));
    }

    #[test]
    fn what_failed_is_no_zero() {
        let failed = Cell {
            failures: Some((3, "it hung".into())),
            ..Cell::default()
        };
        assert_eq!(verdict(&failed), ("failed".to_owned(), Tone::Failed));
        assert_eq!(verdict(&Cell::default()).0, "not measured");
    }

    fn row(workload: &str, measure: &str) -> Row {
        Row {
            workload: workload.into(),
            measure: measure.into(),
            unit: Unit::Nanoseconds,
            noise: None,
            cells: Vec::new(),
        }
    }

    #[test]
    fn memory_is_told_of_one_and_of_many() {
        let told = densities(&crate::report::example::summary());
        let vm = "instances behind vm: 44.0 MiB for 1, 1.19 GiB for 32: 38.0 MiB for each more";
        assert!(told.iter().any(|line| line == vm), "{told:#?}");
        assert!(told[0].contains("behind process"), "{told:#?}");
    }

    #[test]
    fn what_is_reached_is_called_exposure() {
        let told = explanations(&crate::report::example::summary());
        let words = "exposure, not security: ";
        assert!(told.iter().any(|line| line.contains(words)), "{told:#?}");
    }

    #[test]
    fn percentiles_are_details_of_what_has_a_measure_before_them() {
        let summary = Summary {
            rows: [
                ("a", "time"),
                ("a", "p50"),
                ("a", "page"),
                ("b", "p50"),
                ("b", "p99"),
            ]
            .map(|(workload, measure)| row(workload, measure))
            .into(),
            ..crate::report::example::summary()
        };
        let rows = summary.rows.iter();
        let details: Vec<bool> = rows.map(|row| is_detail(&summary, row)).collect();
        assert_eq!(details, [false, true, false, false, true]);
    }

    #[test]
    fn neighbours_without_kin_stand_together() {
        let names = [
            "start",
            "start",
            "futex-wake",
            "pipe",
            "futex-switch",
            "cpu-a",
            "cpu-b",
            "ipi",
        ];
        let rows = names.map(|name| row(name, "time"));
        let lengths: Vec<usize> = families(&rows).map(<[Row]>::len).collect();
        assert_eq!(lengths, [5, 2, 1]);
    }
}
