//! The merged tree on the host, with real mounts.
//!
//! A mount namespace wants a process with one thread, which a test of the usual harness is not:
//! each of these is run in a process of its own, started again from this program.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod changes;
mod commands;
mod failures;
mod holder;
mod host;
mod inside;
mod keeps;
mod layers;
mod record;
mod rootless;

use std::env;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// Names the promise to keep in this process.
const ALONE: &str = "VMM_TEST_ALONE";

/// What is promised: its name, and the function that sees whether it is kept.
type Promise = (&'static str, fn());

/// The promises that these functions keep, by their names.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn())),*]
    };
}
use promises;

fn all() -> Vec<Promise> {
    [
        layers::PROMISES,
        keeps::PROMISES,
        changes::PROMISES,
        commands::PROMISES,
        inside::PROMISES,
        rootless::PROMISES,
        failures::PROMISES,
        record::PROMISES,
    ]
    .concat()
}

fn main() -> ExitCode {
    if inside::look_if_told() || rootless::work_if_told() || holder::hold_if_told() {
        return ExitCode::SUCCESS;
    }
    if let Ok(name) = env::var(ALONE) {
        let (_, promise) = all().into_iter().find(|(one, _)| *one == name).unwrap();
        promise();
        return ExitCode::SUCCESS;
    }
    let trials = all().into_iter().map(|(name, _)| trial(name)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that keeps the promise `name` elsewhere; not run, and said so, where only root could.
fn trial(name: &'static str) -> Trial {
    Trial::test(name, move || run_alone(name)).with_ignored_flag(!host::is_root())
}

fn run_alone(name: &str) -> Result<(), Failed> {
    let mut command = Command::new(env::current_exe()?);
    let output = command.env(ALONE, name).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}
