//! Parse, run, print the chain of causes once; or help another vmm to build a container.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[cfg(feature = "walls")]
    if let Some(status) = vmm::container::run_if_told() {
        return status;
    }
    let cli = vmm::cli::Cli::parse();
    vmm::diagnostics::start();
    match vmm::commands::run(cli) {
        Ok(status) => status,
        Err(error) => {
            vmm::output::say(format_args!("vmm: {}", vmm::chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}
