//! What each wall costs: the same work behind each, in interleaved rounds (docs/benchmarking.md).
//!
//! - [`workload`]: what can be measured, and why a wall would change it
//! - [`target`]: a place where workloads run: a wall, another VMM, or a mock
//! - [`rounds`]: in which order, and for how long
//! - [`sample`]: what one run has given; [`record`]: all of it, on disk at once
//! - [`environment`]: where it was measured
//! - [`density`]: how much memory instances have, side by side
//! - [`statistics`]: samples become medians, and ratios with their intervals
//! - [`summary`]: what can be said of it all, for reports; [`diff`]: of two records
//! - [`explain`]: what accounts for a cost, counted in a pass of its own
//! - [`tools`]: the field's own, where an image has them; [`vmms`]: other VMMs beside ours
//!
//! Only [`behind`] knows walls; order, statistics and reports are tested with a mock.

pub mod behind;
pub mod density;
pub mod diff;
pub mod environment;
pub mod explain;
pub mod record;
pub mod rounds;
pub mod sample;
pub mod statistics;
pub mod summary;
pub mod target;
pub mod tools;
pub mod vmms;
pub mod workload;
