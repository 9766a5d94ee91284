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
use super::summary::{Summary, Verdict};
use counted::Counted;

/// What was counted of `workload` behind `target`, and the sentence that follows from it.
pub fn explanation(
    (workload, target): (&str, &str),
    counted: &Counted,
    sentence: String,
) -> Explanation {
    let calls = counted.each.calls.iter();
    let calls = calls.map(|(name, count)| (format!("call {name}"), *count));
    let kvm = counted.each.kvm.iter();
    let kvm = kvm.map(|(name, count)| (format!("kvm {name}"), *count));
    Explanation {
        workload: workload.to_owned(),
        target: target.to_owned(),
        counts: kvm.chain(calls).collect(),
        host_calls: u32::try_from(counted.unlike_calls).ok(),
        sentence,
    }
}

/// How many nanoseconds one operation of `workload` costs more behind `target` than behind the
/// first one; `None` where no difference was measured.
pub fn tax(summary: &Summary, workload: &str, target: &str) -> Option<f64> {
    let row = summary.rows.iter().find(|row| row.workload == workload)?;
    let place = summary.targets.iter().position(|name| name == target)?;
    let cell = row.cells.get(place)?;
    let is_dearer = cell.ratio?.verdict == Verdict::Dearer;
    let median = |place: usize| Some(row.cells.get(place)?.spread?.median);
    is_dearer.then(|| Some(median(place)? - median(0)?))?
}
