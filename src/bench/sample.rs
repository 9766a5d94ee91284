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
    /// The figure: 0, or 10^-12 to 10^21; less is cheaper.
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

    fn check(&self) -> Result<(), String> {
        match is_figure(self.value) {
            true => Ok(()),
            false => Err(format!(
                "{:?} is {}, which is no figure",
                self.name, self.value
            )),
        }
    }
}

/// Whether `value` is one that can be measured: nothing, or what an axis has room for. Three
/// thousand years are 10^20 nanoseconds.
pub(super) fn is_figure(value: f64) -> bool {
    value == 0.0 || (1e-12..=1e21).contains(&value)
}

/// The most measures, and phases, of a reading.
const MOST: usize = 64;
/// The longest name of one, in bytes.
const LONGEST: usize = 64;

impl Reading {
    /// Says what is wrong with it, if anything is: whoever measured may be hostile.
    ///
    /// # Errors
    /// It has no measure, too many, or one that is no figure.
    pub fn check(&self) -> Result<(), String> {
        let names = self.measures.iter().map(|measure| &measure.name);
        let mut names = names.chain(self.phases.iter().map(|phase| &phase.name));
        match () {
            () if self.measures.is_empty() => Err("it measured nothing".to_owned()),
            () if self.measures.len().max(self.phases.len()) > MOST => {
                Err(format!("it has more than {MOST} measures or phases"))
            }
            () if names.any(|name| name.len() > LONGEST) => {
                Err(format!("a name is longer than {LONGEST} bytes"))
            }
            () => self.measures.iter().try_for_each(Measure::check),
        }
    }
}
