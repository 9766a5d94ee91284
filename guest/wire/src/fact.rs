//! What a probe has found where it was started.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One thing that a process sees or can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is about, in a few words.
    pub name: String,
    /// What was found.
    pub value: Value,
    /// Equal at two places where both have one and the same thing, whatever it looks like:
    /// two kernels of one release are two, and a process has another number each time.
    pub identity: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// A word or a number.
    Text(String),
    /// Names without an order.
    Set(BTreeSet<String>),
    /// Nothing, and why.
    Unknown(String),
}

/// What a probe is told to look for, all of it the host's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canaries {
    /// What stands in each of the files.
    pub secret: String,
    /// Files of the host.
    pub files: Vec<HostFile>,
    /// A process of the host.
    pub process: HostProcess,
}

/// A file, and what to call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFile {
    /// Where it is, in a few words.
    pub name: String,
    /// Its path on the host.
    pub path: String,
}

/// A process, as no other is called as long as a kernel runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostProcess {
    /// Its number.
    pub pid: u32,
    /// When it was started, in the kernel's own words: proc(5), `starttime` of stat.
    pub started: String,
}

impl HostProcess {
    /// The process `pid` by the text of its `/proc/PID/stat`.
    pub fn parse(pid: u32, stat: &str) -> Option<Self> {
        // Its name stands in parentheses, and may have some of its own.
        let (_, fields) = stat.rsplit_once(')')?;
        let started = fields.split_whitespace().nth(19)?.to_owned();
        Some(Self { pid, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_when_it_started_whatever_its_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991 4096 12";
        let process = HostProcess::parse(7, stat).unwrap();
        assert_eq!((process.pid, process.started.as_str()), (7, "991"));
        assert_eq!(HostProcess::parse(7, "7 (a"), None);
    }
}
