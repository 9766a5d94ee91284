//! What may be limited, and what is written for it.

use serde::Serialize;

use super::tree::{Group, Tree};

/// Of a second, in microseconds: how often the scheduler gives a group its share.
const PERIOD: u64 = 100_000;

/// How much a group may use; what is not set is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory: Option<u64>,
    /// Processors; 0.5 is half of the time of one.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A limit that cannot be kept here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitsError {
    /// The kernel has no such controller, or it is not mounted.
    #[error(
        "{limit} needs the control group controller {controller:?}, which this host has not mounted, or not handed on to this user"
    )]
    Missing {
        /// What was asked for.
        limit: &'static str,
        /// What it needs.
        controller: &'static str,
    },
    /// It is not ours to use.
    #[error(
        "{limit} needs the control group controller {controller:?}, which this user may not write: run as root, or without it, or, where control groups are of version 2, by `systemd-run --user --scope -p Delegate=yes vmm run …`"
    )]
    NotWritable {
        /// What was asked for.
        limit: &'static str,
        /// What it needs.
        controller: &'static str,
    },
    /// A number that means nothing.
    #[error("{limit} cannot be kept: it is {wrong}")]
    OutOfRange {
        /// What was asked for.
        limit: &'static str,
        /// What is wrong with it.
        wrong: &'static str,
    },
}

impl LimitsError {
    /// Why `limit` cannot be had, as `tree` does not let us use `controller`.
    pub(super) fn without(limit: &'static str, controller: &'static str, tree: &Tree) -> Self {
        match tree.has(controller) {
            true => Self::NotWritable { limit, controller },
            false => Self::Missing { limit, controller },
        }
    }
}

impl Limits {
    /// Whether anything is limited.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// The share of the processors as the kernel wants it: microseconds in each [`PERIOD`].
    pub fn cpu_quota(&self) -> Option<(i64, u64)> {
        #[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates")]
        let quota = |cpus: f64| ((cpus * PERIOD as f64) as i64, PERIOD);
        self.cpus.map(quota)
    }

    pub(super) fn check(&self, tree: &Tree) -> Result<(), LimitsError> {
        self.check_numbers()?;
        let asked = [
            ("--memory", "memory", self.memory.is_some()),
            ("--cpus", "cpu", self.cpus.is_some()),
            ("--pids", "pids", self.pids.is_some()),
        ];
        for (limit, controller, _) in asked.into_iter().filter(|(_, _, is_asked)| *is_asked) {
            if !tree.can(controller) {
                return Err(LimitsError::without(limit, controller, tree));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), LimitsError> {
        // The kernel refuses a quota of less than a millisecond.
        let cpus = self.cpus.is_none_or(|cpus| (0.01..=4096.0).contains(&cpus));
        let wrong = [
            (
                "--memory",
                "less than 1 MiB",
                self.memory.is_none_or(|m| m >= 1 << 20),
            ),
            ("--cpus", "not between 0.01 and 4096", cpus),
            (
                "--pids",
                "0, and not even the command could start",
                self.pids != Some(0),
            ),
        ];
        match wrong.into_iter().find(|(_, _, is_right)| !is_right) {
            Some((limit, wrong, _)) => Err(LimitsError::OutOfRange { limit, wrong }),
            None => Ok(()),
        }
    }

    /// What is written to which file of `group`, in order.
    pub(super) fn settings(&self, group: &Group) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if let Some(bytes) = self.memory.filter(|_| group.can("memory")) {
            settings.extend(memory(group, bytes));
        }
        if let Some((quota, period)) = self.cpu_quota().filter(|_| group.can("cpu")) {
            settings.extend(match group.version {
                1 => vec![
                    ("cpu.cfs_period_us", period.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ],
                _ => vec![("cpu.max", format!("{quota} {period}"))],
            });
        }
        if let Some(pids) = self.pids.filter(|_| group.can("pids")) {
            settings.push(("pids.max", pids.to_string()));
        }
        settings
    }
}

/// Swap is memory too, where the kernel counts it.
fn memory(group: &Group, bytes: u64) -> Vec<(&'static str, String)> {
    let (limit, swap, of_swap) = match group.version {
        1 => (
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            bytes,
        ),
        _ => ("memory.max", "memory.swap.max", 0),
    };
    let mut settings = vec![(limit, bytes.to_string())];
    if group.offers(swap) {
        settings.push((swap, of_swap.to_string()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_processor_is_half_of_a_period() {
        let limits = Limits {
            cpus: Some(0.5),
            ..Limits::default()
        };
        assert_eq!(limits.cpu_quota(), Some((50_000, 100_000)));
    }

    #[test]
    fn a_number_that_means_nothing_is_refused() {
        for cpus in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let limits = Limits {
                cpus: Some(cpus),
                ..Limits::default()
            };
            assert!(limits.check_numbers().is_err(), "{cpus}");
        }
        let none = Limits {
            pids: Some(0),
            ..Limits::default()
        };
        assert!(none.check_numbers().is_err());
    }
}
