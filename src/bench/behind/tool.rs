//! A wall put up around a tool of the image, whose output has the figures.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::launcher::Launcher;
use super::reading::{nanoseconds, shown};
use super::run::{Deadline, Ending, Event, Failure, Run};
use super::{Shared, usage};
use crate::bench::sample::Reading;
use crate::bench::tools::Tool;
use crate::run::outcome;

/// The most that one may print, in bytes.
const LONGEST: usize = 1 << 20;

/// Runs `tool`.
///
/// # Errors
/// The image has none, or it fails, takes too long, or prints no figure.
pub fn run(launcher: &Launcher, tool: &Tool) -> Result<Reading, Failure> {
    let used = usage::of_ended();
    let ended = Ended::of(launcher.tool(tool.words), launcher.shared())?;
    if ended.status != 0 {
        return Err(Failure::Ended(ended.reason));
    }
    let measures = (tool.measures)(&ended.printed);
    if measures.is_empty() {
        let last = ended.printed.lines().last().unwrap_or("nothing");
        let problem = format!("{} prints no figure, but {}", tool.program, shown(last));
        return Err(Failure::Garbled(problem));
    }
    Ok(Reading {
        measures,
        host_ns: nanoseconds(ended.time),
        cpu_ns: Some(usage::of_ended().saturating_sub(used)),
        ..Reading::default()
    })
}

/// Whether the image has `tool`.
///
/// # Errors
/// The wall does not stand.
pub fn is_there(launcher: &Launcher, tool: &Tool) -> Result<bool, Failure> {
    let command = launcher.tool(&[tool.program, "--version"]);
    let ended = Ended::of(command, launcher.shared())?;
    match ended.status == i32::from(outcome::OURS) {
        true => Err(Failure::Ended(ended.reason)),
        false => Ok(ended.status == 0),
    }
}

/// How it went.
struct Ended {
    printed: String,
    time: Duration,
    status: i32,
    reason: String,
}

impl Ended {
    fn of(mut command: Command, shared: &Shared) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let deadline = Deadline::after(shared.conditions.timeout);
        let mut run = Run::start(command, &shared.conditions.cpu_list, Ending::Asked)?;
        let mut printed = Vec::new();
        while run.next(&mut printed, deadline, &shared.interrupt)? == Event::Output {
            if printed.len() > LONGEST {
                return Err(Failure::Garbled("what it prints has no end".to_owned()));
            }
        }
        let status = run.status()?;
        Ok(Self {
            printed: String::from_utf8_lossy(&printed).into_owned(),
            time: deadline.passed(),
            status,
            reason: run.reason(status),
        })
    }
}
