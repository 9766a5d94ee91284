//! A wall put up for one measurement: around a probe that marks its beginning and its end, or
//! around the user's own command.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use super::launcher::Launcher;
use super::reading::{nanoseconds, phases};
use super::run::{Deadline, Ending, Event, Failure, Run};
use super::{Shared, usage};
use crate::bench::sample::{Measure, Phase, Reading};
use crate::bench::workload::Unit;
use crate::run::outcome;

/// What the probe writes first, and last.
const MARKS: &[u8] = b"12";

/// The part of the record of a `vmm run` that says what took how long.
#[derive(Deserialize)]
struct Timed {
    begun_ns: u64,
    timeline: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    name: String,
    start_us: u64,
    duration_us: u64,
}

/// Puts the wall up around a probe that does nothing but say when it begins and ends.
///
/// # Errors
/// It does not stand, or the probe says something else.
pub fn start(launcher: &Launcher) -> Result<Reading, Failure> {
    let shared = launcher.shared();
    let record = shared.workplace.record();
    let ended = Single::start(launcher.mark(&record), Stdio::piped(), shared)?.finish(shared)?;
    if ended.status != 0 {
        return Err(Failure::Ended(ended.reason));
    }
    let [first, last] = ended.marks[..] else {
        let problem = "the probe did not mark its beginning and its end";
        return Err(Failure::Garbled(problem.to_owned()));
    };
    let since = |name, from: u64, to: u64| {
        Measure::new(name, Unit::Nanoseconds, to.saturating_sub(from) as f64)
    };
    Ok(Reading {
        measures: vec![
            since("start", ended.begin, first),
            since("whole", ended.begin, ended.end),
            since("tear-down", last, ended.end),
        ],
        ..ended.reading(
            &record,
            &[
                ("init: to the first instruction", first),
                ("command: its work", last),
            ],
        )
    })
}

/// Puts the wall up around the user's own command.
///
/// # Errors
/// It fails, or takes too long.
pub fn command(launcher: &Launcher) -> Result<Reading, Failure> {
    let shared = launcher.shared();
    let record = shared.workplace.record();
    let ended = Single::start(launcher.command(&record), Stdio::null(), shared)?.finish(shared)?;
    let is_ours = ended.status == i32::from(outcome::OURS);
    if is_ours || ended.status != 0 && !shared.conditions.ignores_failure {
        return Err(Failure::Ended(ended.reason));
    }
    let time = ended.end.saturating_sub(ended.begin) as f64;
    Ok(Reading {
        measures: vec![Measure::new("time", Unit::Nanoseconds, time)],
        ..ended.reading(&record, &[])
    })
}

/// A run that is measured.
struct Single {
    run: Run,
    begin: u64,
    used: u64,
}

/// How it went; times are of the host's monotonic clock.
struct Ended {
    begin: u64,
    /// When each of [`MARKS`] came.
    marks: Vec<u64>,
    end: u64,
    cpu_ns: u64,
    status: i32,
    reason: String,
}

impl Single {
    fn start(mut command: Command, output: Stdio, shared: &Shared) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(output);
        let used = usage::of_ended();
        let begin = now();
        Ok(Self {
            run: Run::start(command, &shared.conditions.cpu_list, Ending::Asked)?,
            begin,
            used,
        })
    }

    fn finish(mut self, shared: &Shared) -> Result<Ended, Failure> {
        let deadline = Deadline::after(shared.conditions.timeout);
        let (mut said, mut marks) = (Vec::new(), Vec::new());
        while self.run.next(&mut said, deadline, &shared.interrupt)? == Event::Output {
            marks.resize(said.len().min(MARKS.len()), now());
            if !MARKS.starts_with(&said) {
                let problem = "something else than the probe is behind the wall";
                return Err(Failure::Garbled(problem.to_owned()));
            }
        }
        let end = now();
        let status = self.run.status()?;
        Ok(Ended {
            begin: self.begin,
            marks,
            end,
            cpu_ns: usage::of_ended().saturating_sub(self.used),
            reason: self.run.reason(status),
            status,
        })
    }
}

impl Ended {
    /// All but what was measured; `events` are ends of phases that only we have seen.
    fn reading(&self, record: &Path, events: &[(&str, u64)]) -> Reading {
        Reading {
            host_ns: self.end.saturating_sub(self.begin),
            cpu_ns: Some(self.cpu_ns),
            phases: self.phases(record, events),
            ..Reading::default()
        }
    }

    /// What took how long, as `vmm run` has told it in `record`; without a record, as we have
    /// seen it.
    fn phases(&self, record: &Path, events: &[(&str, u64)]) -> Vec<Phase> {
        let mut ends: Vec<_> = events
            .iter()
            .map(|(name, time)| ((*name).to_owned(), *time))
            .collect();
        ends.extend(read(record).map(Timed::ends).unwrap_or_default());
        ends.push(("vmm: tear-down".to_owned(), self.end));
        phases(self.begin, &ends)
    }
}

impl Timed {
    /// Each span by its name and its end; before the first, `vmm` itself was started.
    fn ends(self) -> Vec<(String, u64)> {
        let begun = ("vmm: process".to_owned(), self.begun_ns);
        let end = |span: Span| {
            let since = Duration::from_micros(span.start_us.saturating_add(span.duration_us));
            (span.name, self.begun_ns.saturating_add(nanoseconds(since)))
        };
        std::iter::once(begun)
            .chain(self.timeline.into_iter().map(end))
            .collect()
    }
}

fn read(record: &Path) -> Option<Timed> {
    serde_json::from_slice(&fs::read(record).ok()?).ok()
}

/// The host's monotonic clock.
fn now() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic));
    nanoseconds(now.unwrap_or_default())
}
