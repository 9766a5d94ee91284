//! Each verb for images and walls, a file each.

mod bench;
mod commit;
mod compare;
mod detach;
mod diff;
mod exec;
mod image;
mod instances;
mod keep;
mod kept;
mod kernel;
mod logs;
mod run;

use std::process::ExitCode;

use super::Failure;
use crate::cli::walls::WallCommand;
use crate::run::outcome;

/// Runs `command`.
///
/// # Errors
/// It cannot be done; the chain of causes says why.
pub fn run(command: WallCommand) -> Result<ExitCode, Failure> {
    match command {
        WallCommand::Run(options) => Ok(run::run(options)),
        WallCommand::Instance(command) => instances::run(command),
        WallCommand::Compare(options) => compare::run(options),
        WallCommand::Bench(options) => bench::run(options),
        WallCommand::Image(command) => image::run(command),
        WallCommand::Diff { name, json } => diff::run(&name, json),
        WallCommand::Commit { name, tag, replace } => commit::run(&name, &tag, replace),
        WallCommand::Keep { command } => keep::run(command),
        WallCommand::Kernel(command) => kernel::run(command),
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
