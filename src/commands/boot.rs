//! `vmm --kernel …`: builds the machine, runs it, and tells how it ended.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Failure, dry_run, statistics};
use crate::cause::cause;
use crate::cli::Boot;
use crate::config::{ConsoleTarget, MachineConfig, OnReboot, SerialTarget};
use crate::hypervisor::kick_signal;
use crate::machine::{Ended, Machine, Plan, Stop};
use crate::output::say;
use crate::signals;
use crate::terminal::raw::RawMode;
use crate::timeline::Timeline;

/// A file for a report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
struct ReportError {
    path: String,
    source: std::io::Error,
}

/// Boots what `options` describe until it ends for good.
pub(super) fn run(options: Boot) -> Result<ExitCode, Failure> {
    let timeline = Arc::<Timeline>::default();
    let config = MachineConfig::from_settings(options.settings)?;
    let plan = Plan::of(&config)?;
    if options.dry_run {
        return dry_run::run(&config, &plan, options.json);
    }
    let timeline_file = config.timeline.as_deref().map(create).transpose()?;
    signals::block(&[kick_signal()]);
    timeline.mark("vmm: arguments");
    let terminal = raw_terminal(&config)?;
    let ended = boot_until_end(&config, &plan, &timeline);
    drop(terminal);
    let ended = ended?;
    if let Some((file, path)) = timeline_file {
        timeline
            .write(file)
            .map_err(|source| report_error(path, source))?;
    }
    statistics::print(&ended, options.json);
    Ok(tell(&ended.stop))
}

fn boot_until_end(
    config: &MachineConfig,
    plan: &Plan,
    timeline: &Arc<Timeline>,
) -> Result<Ended, Failure> {
    loop {
        let ended = Machine::build(config, plan, timeline)?.run();
        if (&ended.stop, config.on_reboot) != (&Stop::Reboot, OnReboot::Restart) {
            return Ok(ended);
        }
    }
}

/// Every key goes to the guest while this lives, if a console of it is the terminal.
fn raw_terminal(config: &MachineConfig) -> Result<Option<RawMode>, Failure> {
    let has_terminal =
        config.console == ConsoleTarget::Stdio || config.serial == SerialTarget::Stdio;
    if !has_terminal {
        return Ok(None);
    }
    Ok(RawMode::enter(std::io::stdin())?)
}

fn create(path: &Path) -> Result<(File, &Path), ReportError> {
    let file = File::create(path).map_err(|source| report_error(path, source))?;
    Ok((file, path))
}

fn report_error(path: &Path, source: std::io::Error) -> ReportError {
    let path = path.display().to_string();
    ReportError { path, source }
}

/// Says why the machine ended, unless it was the guest's or the user's wish.
fn tell(stop: &Stop) -> ExitCode {
    match stop {
        Stop::PowerOff | Stop::Reboot | Stop::Escape | Stop::Asked => {}
        failure => say(format_args!("vmm: {}", cause(failure))),
    }
    ExitCode::from(stop.exit_status())
}
