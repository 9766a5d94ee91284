//! Parse, run, print the chain of causes once; or help another vmm to build a container.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[cfg(feature = "walls")]
    if let Some(status) = vmm::container::run_if_told() {
        return status;
    }
    let cli = match vmm::cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    vmm::diagnostics::start();
    match vmm::commands::run(cli) {
        Ok(status) => status,
        Err(error) => {
            vmm::output::say(format_args!("vmm: {}", vmm::chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

/// Says why the command line cannot be used, or what it asks for: help, or the version.
fn refused(error: &clap::Error) -> ExitCode {
    const WRONG_USAGE: u8 = 2;
    /// Of ours (docs/contract.md, 13): any other may be the command's own.
    const OF_OURS: u8 = 125;
    let _ = error.print();
    let runs_a_command = || {
        let word = std::env::args().nth(1);
        matches!(word.as_deref(), Some("run" | "exec"))
    };
    match error.use_stderr() {
        false => ExitCode::SUCCESS,
        true if runs_a_command() => OF_OURS.into(),
        true => WRONG_USAGE.into(),
    }
}
