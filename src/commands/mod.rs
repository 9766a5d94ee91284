//! Each verb of the command line, a file each: from what was meant to an exit status.

mod bench;
mod boot;
mod commit;
mod compare;
mod completions;
mod detach;
mod diff;
mod dry_run;
mod exec;
mod image;
mod instances;
mod keep;
mod kept;
mod kernel;
mod logs;
mod run;
mod statistics;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::doctor;
use crate::run::outcome;

/// What a command can end with instead of an exit status: told once, by `main`.
pub type Failure = Box<dyn std::error::Error>;

/// Runs what `cli` asks for.
///
/// # Errors
/// It cannot be done; the chain of causes says why.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        None => boot::run(cli.boot),
        Some(Command::Run(options)) => Ok(run::run(*options)),
        Some(Command::Instance(command)) => instances::run(command),
        Some(Command::Compare(options)) => compare::run(options),
        Some(Command::Bench(options)) => bench::run(*options),
        Some(Command::Doctor { json }) => Ok(ExitCode::from(doctor::run(json)?)),
        Some(Command::Image(command)) => image::run(command),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Diff { name, json }) => diff::run(&name, json),
        Some(Command::Commit { name, tag, replace }) => commit::run(&name, &tag, replace),
        Some(Command::Keep { command }) => keep::run(command),
        Some(Command::Kernel(command)) => kernel::run(command),
    }
}

/// The exit status of a command behind a wall. A failure of ours is told here, and has a status
/// that is not the command's (docs/contract.md).
fn ours(result: Result<u8, Failure>) -> u8 {
    result.unwrap_or_else(|error| {
        crate::output::say(format_args!("vmm: {}", crate::chain(error.as_ref())));
        outcome::OURS
    })
}
