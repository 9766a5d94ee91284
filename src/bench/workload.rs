//! What can be measured: a name, what it isolates, and why a wall would change it.
//!
//! - [`catalogue`]: all of it

mod catalogue;

use serde::Serialize;

pub use catalogue::{BUILT_IN, COMMAND};

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
    /// A probe that waits behind each wall does it as often as it is told to.
    Session {
        /// How often for a sample of the suite `quick`, on a host whose KVM is native.
        operations: u64,
    },
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
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// What most people ask for, in some minutes
    Quick,
    /// Everything
    Full,
}

/// There is no such workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownWorkload {
    /// There is one that is called nearly so.
    #[error("no workload is called {0:?}: did you mean {1}?")]
    DidYouMean(String, &'static str),
    /// There is none that is.
    #[error("no workload is called {0:?}: `vmm bench --list` names them all")]
    SeeList(String),
}

/// The built-in workload of this name.
///
/// # Errors
/// There is none; the error tells of one that is called nearly so.
pub fn find(name: &str) -> Result<&'static Workload, UnknownWorkload> {
    match BUILT_IN.iter().find(|workload| workload.name == name) {
        Some(workload) => Ok(workload),
        None => Err(match nearest(name) {
            Some(near) => UnknownWorkload::DidYouMean(name.to_owned(), near),
            None => UnknownWorkload::SeeList(name.to_owned()),
        }),
    }
}

/// From which likeness on a name is worth a hint, as clap has it.
const LIKENESS: f64 = 0.7;

fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |workload: &'static Workload| {
        let likeness = strsim::jaro(name, workload.name);
        (likeness, workload.name)
    };
    let near = BUILT_IN.iter().map(likeness);
    let near = near.filter(|(likeness, _)| *likeness > LIKENESS);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
