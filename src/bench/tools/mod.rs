//! The field's own tools, where the image has them: what is executed, and what it prints becomes
//! figures. It starts nothing.
//!
//! - [`fio`], [`sysbench`], [`iperf3`]: one each
//!
//! Whatever is printed comes from behind a wall: what is no figure is none.

mod fio;
mod iperf3;
mod sysbench;

use super::sample::Measure;
use super::workload::Unit;

/// A tool that does one thing for about a second.
pub struct Tool {
    /// The workload that it is.
    pub workload: &'static str,
    /// Its program in the image, by name.
    pub program: &'static str,
    /// What is executed, and its arguments.
    pub words: &'static [&'static str],
    /// Its figures, in what it has printed; none where that makes no sense.
    pub measures: fn(&str) -> Vec<Measure>,
}

/// All of them.
const ALL: [Tool; 4] = [fio::TOOL, sysbench::CPU, sysbench::MEMORY, iperf3::TOOL];

/// The one that is `workload`.
pub fn find(workload: &str) -> Option<&'static Tool> {
    const TOOLS: &[Tool] = &ALL;
    TOOLS.iter().find(|tool| tool.workload == workload)
}

/// What one takes where there are so many in a second.
fn for_each_of(rate: f64, unit: Unit) -> Option<Measure> {
    let is_rate = rate.is_finite() && rate > 0.0;
    is_rate.then(|| Measure::new("time", unit, 1e9 / rate))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bench::workload::{BUILT_IN, Kind};

    #[test]
    fn the_catalogue_has_each_of_them() {
        let built_in = BUILT_IN.iter().filter(|one| one.kind == Kind::Tool);
        let names: BTreeSet<_> = built_in.map(|one| one.name).collect();
        assert_eq!(names, ALL.map(|tool| tool.workload).into());
        assert!(names.iter().all(|name| find(name).is_some()));
    }

    #[test]
    fn what_makes_no_sense_is_no_figure() {
        for tool in ALL {
            for printed in [
                "",
                "{}",
                "null",
                "[[",
                "events per second: -1",
                "x\u{0}(nan MiB/sec)",
            ] {
                assert_eq!((tool.measures)(printed), [], "{}: {printed}", tool.workload);
            }
        }
    }
}
