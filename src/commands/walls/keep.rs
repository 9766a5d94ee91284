//! `vmm keep list`, `vmm keep remove NAME`

use std::process::ExitCode;

use super::Failure;
use crate::cli::walls::keep::KeepCommand;
use crate::image::Store;
use crate::output;
use crate::root::{KeepName, Keeps, Listed};

/// Runs one of them.
pub(super) fn run(command: KeepCommand) -> Result<ExitCode, Failure> {
    let keeps = Keeps::of_store(Store::open_default()?.directory());
    match command {
        KeepCommand::List { json } => list(&keeps.list()?, json),
        KeepCommand::Remove { names } => remove(&keeps, &names),
    }
}

fn list(all: &[Listed], json: bool) -> Result<ExitCode, Failure> {
    if json {
        output::print(serde_json::to_string_pretty(all)? + "\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print("NAME                      USED  OF      IMAGE\n")?;
    for keep in all {
        output::print(line(keep) + "\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(keep: &Listed) -> String {
    let Listed { name, record, used } = keep;
    let (size, image) = match record {
        Some(record) => (mebibytes(record.size), record.image.as_str()),
        None => (
            "-".to_owned(),
            "- (never finished; the next run begins it anew)",
        ),
    };
    format!("{name:<22} {:>7}  {size:<7} {image}", mebibytes(*used))
}

fn mebibytes(bytes: u64) -> String {
    format!("{}M", bytes.div_ceil(1 << 20))
}

fn remove(keeps: &Keeps, names: &[KeepName]) -> Result<ExitCode, Failure> {
    for name in names {
        keeps.remove(name)?;
    }
    Ok(ExitCode::SUCCESS)
}
