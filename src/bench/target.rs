//! A place where workloads run.

#[cfg(test)]
pub(crate) mod mock;

use super::sample::Reading;
use super::workload::Workload;

/// A wall, another VMM, or a mock.
///
/// It is prepared once before the first round and cleaned up once after the last, also when it
/// could not be prepared. Between them runs come in any order, one at a time over all targets;
/// between two runs it does nothing that another target could feel.
pub trait Target {
    /// What it is called in every table; unique among the targets of a bench.
    fn name(&self) -> &str;

    /// Whether it is another one over again, which tells how much chance alone makes of it.
    fn control_of(&self) -> Option<&str> {
        None
    }

    /// Makes ready whatever is not to be measured.
    ///
    /// # Errors
    /// This target cannot be had, and why; the others stand.
    fn prepare(&mut self) -> Result<(), String>;

    /// Does `workload` once and says what it took. `scale` multiplies its count of operations.
    ///
    /// # Errors
    /// It failed, or took longer than it may. The target is ready for the next run all the same.
    fn run(&mut self, workload: &Workload, scale: f64) -> Result<Reading, String>;

    /// Leaves nothing behind.
    fn cleanup(&mut self);
}
