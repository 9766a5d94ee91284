//! Everything that a bench has found, one JSON value in each line, on disk as soon as it is known.

mod check;
mod journal;
mod read;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use journal::{Journal, JournalError};
pub use read::ReadError;

use super::sample::Sample;
use super::target::Target;
use super::workload::Unit;

/// The version of the format; it grows when an older reader would misread a record.
pub const VERSION: u32 = 1;
/// What every record says of itself.
pub const FORMAT: &str = "vmm-bench";

/// A line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// What is measured, and where; the first line.
    Begin(Box<Begin>),
    /// A target that cannot be had.
    Missing(Missing),
    /// One run.
    Sample(Sample),
    /// What accounts for what a workload costs behind a wall; of a pass of its own.
    Explanation(Explanation),
    /// Instances of one image, side by side.
    Density(Density),
    /// What is not there that a reader would look for, and why, in a sentence.
    Note(String),
    /// It came to its end; what is not there then is not coming.
    End(End),
}

/// What is measured, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// When, in seconds of the Unix epoch.
    pub started: u64,
    /// The words of the command line, ours first.
    pub command: Vec<String>,
    /// What all targets get alike: name and value, as it is read (CPUs, memory, storage …).
    pub conditions: Vec<Fact>,
    /// Where.
    pub environment: Vec<Fact>,
    /// What has to be said above every table: ring 0 emulated, nested …
    pub caveats: Vec<String>,
    /// The targets, in the order of tables; the first is what ratios are taken to.
    pub targets: Vec<TargetNote>,
    /// The names of the workloads, in the order of tables.
    pub workloads: Vec<String>,
    /// What the order of the runs was drawn from.
    pub seed: u64,
}

/// Nothing, nowhere yet: in this version of the format.
impl Default for Begin {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            started: 0,
            command: Vec::new(),
            conditions: Vec::new(),
            environment: Vec::new(),
            caveats: Vec::new(),
            targets: Vec::new(),
            workloads: Vec::new(),
            seed: 0,
        }
    }
}

impl Begin {
    /// A record that begins now, by what this program was told: of nothing yet.
    pub fn now(seed: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: since.unwrap_or_default().as_secs(),
            command: std::env::args().collect(),
            seed,
            ..Self::default()
        }
    }
}

/// A fact about where or how it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What was found.
    pub value: String,
    /// Whether records that differ in it cannot be compared.
    pub matters: bool,
}

impl Fact {
    /// One in which records that can be compared do not differ.
    pub fn that_matters(name: &str, value: String) -> Self {
        Self {
            name: name.to_owned(),
            value,
            matters: true,
        }
    }

    /// One that is good to know.
    pub fn aside(name: &str, value: String) -> Self {
        Self {
            matters: false,
            ..Self::that_matters(name, value)
        }
    }
}

/// A target as records know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetNote {
    /// Its name.
    pub name: String,
    /// The target that it is over again.
    pub control_of: Option<String>,
}

impl TargetNote {
    /// What is known of `target`.
    pub fn of(target: &dyn Target) -> Self {
        Self {
            name: target.name().to_owned(),
            control_of: target.control_of().map(str::to_owned),
        }
    }
}

/// A target that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Its name.
    pub target: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// What accounts for a cost: counts for one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The workload.
    pub workload: String,
    /// The target.
    pub target: String,
    /// What was counted, for one operation: exits by cause, system calls, faults …
    pub counts: Vec<(String, f64)>,
    /// How many unlike system calls of the host the workload reached: exposure, not security.
    pub host_calls: Option<u32>,
    /// Which mechanism accounts for the cost, in a sentence with its figures.
    pub sentence: String,
}

/// How much memory some instances of one image have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// The target.
    pub target: String,
    /// How many instances there were.
    pub instances: u32,
    /// All memory that they have together, in bytes: each page counted once.
    pub bytes: u64,
    /// What that is made of: name and bytes.
    pub parts: Vec<(String, u64)>,
}

/// How a bench ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why: all rounds done, out of time, stopped by a signal.
    pub reason: String,
    /// How long it took in seconds.
    pub seconds: u64,
    /// What else went on meanwhile: load, and pressure of processor, memory and input/output.
    /// Those that matter were high enough to disturb what was measured.
    pub during: Vec<Fact>,
}

/// A record as far as it is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its beginning.
    pub begin: Begin,
    /// The rest, in the order in which it came.
    pub entries: Vec<Entry>,
    /// What is not whole about it, in a sentence.
    pub flaw: Option<String>,
}

impl Record {
    /// Its runs, in the order in which they came.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Sample(sample) => Some(sample),
            _ => None,
        })
    }
}

impl Unit {
    /// What `value` is in this unit, as it is read: `1.24 µs`, `3.1 GiB/s`, `2.7 MiB`.
    pub fn show(self, value: f64) -> String {
        let (value, units): (f64, &[(f64, &str)]) = match self {
            Self::Nanoseconds => (value, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]),
            Self::NanosecondsPerByte => (1e9 / value.max(f64::MIN_POSITIVE), &BYTES_PER_SECOND),
            Self::Bytes => (value, &BYTES),
            Self::Count => (value, &COUNTS),
        };
        let (size, name) = units
            .iter()
            .rev()
            // What would be rounded to a thousand of them is one of the next.
            .find(|(size, _)| value >= size * 0.9995)
            .unwrap_or(&units[0]);
        let scaled = value / size;
        let decimals = match scaled {
            scaled if self == Self::Count && scaled == value && value.fract() == 0.0 => 0,
            scaled if scaled >= 99.95 => 0,
            scaled if scaled >= 9.995 => 1,
            _ => 2,
        };
        format!("{scaled:.decimals$} {name}").trim_end().to_owned()
    }
}

/// In thousands where it is long.
const COUNTS: [(f64, &str); 3] = [(1.0, ""), (1e3, "k"), (1e6, "M")];
const BYTES: [(f64, &str); 4] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1048576.0, "MiB"),
    (1073741824.0, "GiB"),
];
const BYTES_PER_SECOND: [(f64, &str); 4] = [
    (1.0, "B/s"),
    (1024.0, "KiB/s"),
    (1048576.0, "MiB/s"),
    (1073741824.0, "GiB/s"),
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::sample::{Measure, Outcome, Reading};
    use crate::bench::target::mock;

    /// A record of the workload `getpid` behind `process`, its control `process again`, and `vm`.
    pub(crate) fn begin() -> Begin {
        let target = |name: &str, control_of: Option<&str>| TargetNote {
            name: name.to_owned(),
            control_of: control_of.map(str::to_owned),
        };
        Begin {
            targets: vec![
                target("process", None),
                target("process again", Some("process")),
                target("vm", None),
            ],
            workloads: vec!["getpid".to_owned()],
            ..Begin::default()
        }
    }

    /// `value` nanoseconds for `getpid` behind `process`.
    pub(crate) fn sample(round: u32, value: f64) -> Entry {
        sample_of("process", Some(round), value)
    }

    /// `value` nanoseconds for `getpid` behind `target`.
    pub(crate) fn sample_of(target: &str, round: Option<u32>, value: f64) -> Entry {
        Entry::Sample(Sample {
            workload: "getpid".to_owned(),
            target: target.to_owned(),
            round,
            started_us: 0,
            outcome: Outcome::Measured(Reading {
                measures: vec![Measure::new("time", Unit::Nanoseconds, value)],
                ..Reading::default()
            }),
        })
    }

    #[test]
    fn a_control_is_noted_as_that() {
        let log = mock::Log::default();
        let again = mock::Mock::new("process again", &log).control_of("process");
        assert_eq!(TargetNote::of(&again), begin().targets[1]);
    }

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(Unit::Nanoseconds.show(0.4), "0.40 ns");
        assert_eq!(Unit::Nanoseconds.show(1_244.0), "1.24 µs");
        assert_eq!(Unit::Nanoseconds.show(312_000_000.0), "312 ms");
        assert_eq!(Unit::Nanoseconds.show(999.96), "1.00 µs");
        assert_eq!(Unit::Count.show(3.0), "3");
        assert_eq!(Unit::Count.show(1_286.0), "1.29 k");
        assert_eq!(Unit::Bytes.show(2_831_155.0), "2.70 MiB");
        assert_eq!(Unit::NanosecondsPerByte.show(0.5), "1.86 GiB/s");
    }
}
