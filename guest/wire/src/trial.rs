//! A measurement that a probe is asked for, and what it measured: a line of JSON each.

use serde::{Deserialize, Serialize};

/// A measurement to make now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is done, by its name in the probe's own list.
    pub workload: String,
    /// How often; a workload that works on bytes takes as many blocks.
    pub operations: u64,
}

/// What a probe says to an [`Order`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Answer {
    /// It was done.
    Measured(Box<Measured>),
    /// It could not be done, and why.
    Failed(String),
}

/// What was measured, by the clocks and counters behind the wall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// How often it was done.
    pub operations: u64,
    /// How long that took in nanoseconds of the monotonic clock, without what was prepared.
    pub elapsed_ns: u64,
    /// How many bytes it moved, where that is what it is about.
    pub bytes: u64,
    /// How long single operations took in nanoseconds, where each is timed; in their order.
    pub latencies_ns: Vec<u64>,
    /// What the probe and its children used meanwhile.
    pub used: Used,
}

/// What `getrusage` counts of a process and the children that it has waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Processor time in user space, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds.
    pub system_us: u64,
    /// Page faults that needed no input.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
    /// Context switches because it had to wait.
    pub voluntary_switches: u64,
    /// Context switches because others wanted the processor.
    pub involuntary_switches: u64,
}
