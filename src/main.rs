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
    let _ = error.print();
    match error.use_stderr() {
        false => ExitCode::SUCCESS,
        true => status_of_misuse().into(),
    }
}

fn status_of_misuse() -> u8 {
    #[cfg(feature = "walls")]
    if matches!(std::env::args().nth(1).as_deref(), Some("run" | "exec")) {
        // Any other may be the command's own (docs/contract.md, 13).
        return vmm::run::outcome::OURS;
    }
    2
}
