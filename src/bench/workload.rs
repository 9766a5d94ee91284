//! What can be measured: a name, what it isolates, and why a wall would change it.
//!
//! - [`catalogue`]: all of it

mod catalogue;

use serde::Serialize;

pub use catalogue::{BOOT, BUILT_IN, COMMAND, DISK};

/// A piece of work that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Its name, on the command line and in records.
    pub name: &'static str,
    /// What it isolates, in a few words.
    pub isolates: &'static str,
    /// Why a wall would change it, in a clause.
    pub why: &'static str,
    /// How it runs.
    pub kind: Kind,
    /// What one operation costs.
    pub unit: Unit,
    /// The least suite that it belongs to.
    pub suite: Suite,
}

/// How a workload runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A wall is put up for each sample, around a probe that tells when it begins and ends.
    Start,
    /// A wall is put up for each sample, around the user's own command.
    Command,
    /// A wall is put up for each sample, around a tool of the image.
    Tool,
    /// A VMM boots a guest for each sample; walls have none of these.
    Guest,
    /// A probe that waits behind each wall does it as often as it is told to.
    Session {
        /// How often for a sample of the suite `quick`, on a host whose KVM is native.
        operations: u64,
        /// Whether it needs another instance, at the other end of a channel.
        peer: bool,
    },
}

impl Workload {
    /// Whether a probe that stands behind its wall does it.
    pub fn is_session(&self) -> bool {
        matches!(self.kind, Kind::Session { .. })
    }

    /// Whether it needs another instance, at the other end of a channel.
    pub fn needs_peer(&self) -> bool {
        matches!(self.kind, Kind::Session { peer: true, .. })
    }
}

/// What a measure is in. Less is always cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds for an operation.
    Nanoseconds,
    /// Nanoseconds for a byte; a reader sees bytes for a second.
    NanosecondsPerByte,
    /// Bytes of memory.
    Bytes,
    /// A number of things: threads, exits …
    Count,
}

/// A choice of workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Suite {
    /// What most people ask for, in some minutes.
    Quick,
    /// Everything.
    Full,
}

#[cfg(test)]
mod tests;
