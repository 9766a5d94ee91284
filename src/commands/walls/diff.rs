//! `vmm diff NAME`

use std::process::ExitCode;

use super::Failure;
use super::kept::Kept;
use crate::image::Store;
use crate::output;
use crate::root::{KeepName, diff};

/// Prints what the runs with the keep `name` have changed.
pub(super) fn run(name: &KeepName, json: bool) -> Result<ExitCode, Failure> {
    let kept = Kept::mount(&Store::open_default()?, name)?;
    let changes = diff(&kept.lower, &kept.upper)?;
    if json {
        output::print(serde_json::to_string_pretty(&changes)? + "\n")?;
    } else {
        let lines = changes.iter().map(|change| format!("{change}\n"));
        output::print(lines.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}
