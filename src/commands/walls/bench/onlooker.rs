//! Whoever looks on while rounds are run.

use std::io::{self, Stderr};

use crate::bench::behind::Interrupt;
use crate::bench::record::Record;
use crate::bench::rounds::{Progress, Step, Watcher};
use crate::report::progress::{Live, Now};

/// Tells how far it is, and when it is to end.
pub struct Onlooker<'a, W: io::Write> {
    live: Live<W>,
    interrupt: &'a Interrupt,
}

impl<'a> Onlooker<'a, Stderr> {
    /// One that tells on standard error, and ends it when `interrupt` has come.
    pub fn new(interrupt: &'a Interrupt) -> Self {
        Self {
            live: Live::on_stderr(),
            interrupt,
        }
    }
}

impl<W: io::Write> Watcher for Onlooker<'_, W> {
    fn wants_end(&mut self) -> bool {
        self.interrupt.came().is_some()
    }

    fn see(&mut self, progress: &Progress<'_>, _record: &Record) {
        let (doing, round) = match progress.step {
            Step::Prepare { target } => (format!("preparing {target}"), None),
            Step::Run {
                workload,
                target,
                round,
            } => (format!("{workload} behind {target}"), round),
        };
        self.live.at(&Now {
            doing: &doing,
            round,
            done: progress.done,
            total: progress.total,
            remaining: progress.remaining,
        });
    }
}
