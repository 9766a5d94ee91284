//! Each verb of the command line, a file each: from what was meant to an exit status.

mod boot;
mod completions;
mod dry_run;
mod statistics;
#[cfg(feature = "walls")]
mod walls;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::doctor;

/// What a command can end with instead of an exit status: told once, by `main`.
pub type Failure = Box<dyn std::error::Error>;

/// Runs what `cli` asks for.
///
/// # Errors
/// It cannot be done; the chain of causes says why.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        None => boot::run(cli.boot),
        #[cfg(feature = "walls")]
        Some(Command::Walls(command)) => walls::run(*command),
        Some(Command::Doctor { json }) => Ok(ExitCode::from(doctor::run(json)?)),
        Some(Command::Completions { shell }) => completions::run(shell),
    }
}
