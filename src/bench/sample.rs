//! What one run of a workload behind one wall has given.

use serde::{Deserialize, Serialize};
use wire::Used;

use super::workload::Unit;

/// One run: what it gave, or why it gave nothing. A failed run is an error and never a zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The workload's name.
    pub workload: String,
    /// The target's name.
    pub target: String,
    /// The round; warm-ups have none.
    pub round: Option<u32>,
    /// When it began, in microseconds since the record did.
    pub started_us: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What was measured.
    Measured(Reading),
    /// Why nothing was.
    Failed(String),
}

/// What was measured in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What it is about, the first one before all: name, unit and figure.
    pub measures: Vec<Measure>,
    /// The whole request by the host's monotonic clock, in nanoseconds.
    pub host_ns: u64,
    /// The work by the clock behind the wall, in nanoseconds, where that is known.
    pub inside_ns: Option<u64>,
    /// How much processor time the host spent on it, wall and all, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// What the workload itself used, as it was counted behind the wall.
    pub used: Option<Used>,
    /// Consecutive stretches from the request on, where the wall was put up for it.
    pub phases: Vec<Phase>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is the figure of: `time`, `p99`, `start`, `tear-down` …
    pub name: String,
    /// What it is in.
    pub unit: Unit,
    /// The figure: finite and not negative; less is cheaper.
    pub value: f64,
}

/// A named stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// Its length in nanoseconds of the host's monotonic clock.
    pub ns: u64,
}

impl Measure {
    /// The figure `value` of `name`.
    pub fn new(name: &str, unit: Unit, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            value,
        }
    }
}
