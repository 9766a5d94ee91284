//! What accounts for a cost, counted in a pass of its own that is never timed.
//!
//! - [`ptrace`], [`calls`]: the system calls of the host that a workload reaches
//! - [`counted`]: what was counted, for one operation
//! - [`sentence`]: which mechanism that makes accountable

pub mod calls;
pub mod counted;
pub mod ptrace;
pub mod sentence;

use super::record::Explanation;
use super::statistics::Verdict;
use super::summary::Summary;
use super::workload::Unit;
use counted::Counted;

/// What was counted of `workload` behind `target`, and the sentence that follows from it.
pub fn explanation(
    (workload, target): (&str, &str),
    counted: &Counted,
    sentence: String,
) -> Explanation {
    let calls = counted.each.calls.iter();
    let calls = calls.map(|(name, count)| (format!("call {name}"), *count));
    let kvm = counted.each.kvm.iter().flatten();
    let kvm = kvm.map(|(name, count)| (format!("kvm {name}"), *count));
    let events = counted.each.events.iter();
    let events = events.map(|(name, count)| ((*name).to_owned(), *count));
    Explanation {
        workload: workload.to_owned(),
        target: target.to_owned(),
        counts: kvm.chain(calls).chain(events).collect(),
        host_calls: u32::try_from(counted.unlike_calls).ok(),
        sentence,
    }
}

/// How many nanoseconds one operation of `workload` costs more behind `target` than behind the
/// first one; `None` where no difference was measured, or where what is measured is bytes.
pub fn tax(summary: &Summary, workload: &str, target: &str) -> Option<f64> {
    let mut rows = summary.rows.iter();
    let row = rows.find(|row| row.workload == workload && row.unit == Unit::Nanoseconds)?;
    let place = summary.targets.iter().position(|name| name == target)?;
    let cell = row.cells.get(place)?;
    let is_dearer = cell.ratio?.verdict == Verdict::Dearer;
    let median = |place: usize| Some(row.cells.get(place)?.spread?.median);
    is_dearer.then(|| Some(median(place)? - median(0)?))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::{self, Record};
    use crate::bench::statistics::{Ratio, Spread};
    use crate::bench::summary::{Cell, Row};

    /// A wall that costs 3 instead of 1, in `unit`.
    fn dearer(unit: Unit) -> Summary {
        let cell = |median: f64| Cell {
            spread: Some(Spread {
                median,
                ..Spread::default()
            }),
            ratio: Some(Ratio {
                value: median,
                interval: Some((median, median)),
                verdict: Verdict::Dearer,
            }),
            ..Cell::default()
        };
        let row = Row {
            workload: "w".to_owned(),
            measure: "time".to_owned(),
            unit,
            noise: None,
            cells: vec![cell(1.0), cell(3.0)],
        };
        let record = Record {
            begin: record::tests::begin(),
            entries: Vec::new(),
            flaw: None,
        };
        Summary {
            targets: vec!["process".to_owned(), "vm".to_owned()],
            rows: vec![row],
            ..Summary::of(&record)
        }
    }

    #[test]
    fn time_for_a_byte_is_no_tax_of_an_operation() {
        assert_eq!(tax(&dearer(Unit::Nanoseconds), "w", "vm"), Some(2.0));
        assert_eq!(tax(&dearer(Unit::NanosecondsPerByte), "w", "vm"), None);
    }
}
