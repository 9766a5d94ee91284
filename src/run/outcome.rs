//! How a command ended, and the status that says so (docs/contract.md).

use serde::{Deserialize, Serialize};

/// Ended for want of memory.
pub const OUT_OF_MEMORY: u8 = 123;
/// `--timeout` has passed.
pub const TIMED_OUT: u8 = 124;
/// We failed, not the command.
pub const OURS: u8 = 125;

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its exit status, or 128 and the signal that ended it.
    pub status: u8,
    /// Whether one of its processes was killed because there was no memory.
    pub oom: bool,
    /// Whether its time had passed.
    pub timed_out: bool,
}

/// The status of a process that SIGKILL ended.
const KILLED: u8 = 128 + 9;

impl Outcome {
    /// A command that ended by itself with `status`.
    pub fn of(status: u8) -> Self {
        Self {
            status,
            ..Default::default()
        }
    }

    /// The exit status that `vmm run` ends with.
    ///
    /// That memory ran out counts only where it ended the command itself: one that lost a
    /// child and went on has a status of its own to tell.
    pub fn exit_status(self) -> u8 {
        match self {
            Self {
                timed_out: true, ..
            } => TIMED_OUT,
            Self {
                oom: true,
                status: KILLED,
                ..
            } => OUT_OF_MEMORY,
            Self { status, .. } => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_s_own_status_is_told() {
        assert_eq!(Outcome::of(42).exit_status(), 42);
    }

    #[test]
    fn memory_counts_where_it_ended_the_command() {
        let outcome = |status| Outcome {
            oom: true,
            ..Outcome::of(status)
        };
        assert_eq!(outcome(KILLED).exit_status(), OUT_OF_MEMORY);
        assert_eq!(outcome(0).exit_status(), 0);
    }

    #[test]
    fn time_counts_before_the_signal_that_ended_it() {
        let outcome = Outcome {
            timed_out: true,
            ..Outcome::of(KILLED)
        };
        assert_eq!(outcome.exit_status(), TIMED_OUT);
    }
}
