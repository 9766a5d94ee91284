//! `vmm kernel …`: the kernels of the vm wall.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Failure;
use crate::cli::walls::kernel::KernelCommand;
use crate::image::Store;
use crate::kernel::scripts::Script;
use crate::kernel::{Kernel, KernelName, Kernels, Listed};
use crate::output;

/// Does what `command` asks for.
pub(super) fn run(command: KernelCommand) -> Result<ExitCode, Failure> {
    let kernels = Kernels::of_store(Store::open_default()?.directory());
    match command {
        KernelCommand::Fetch { name } => bring(&kernels, Script::Fetch, &name)?,
        KernelCommand::Build { name } => bring(&kernels, Script::Build, &name)?,
        KernelCommand::Add {
            name,
            path,
            modules,
            replace,
        } => add(&kernels, &name, &kernel(&path, modules)?, replace)?,
        KernelCommand::List { json } => list(&kernels.list()?, json)?,
        KernelCommand::Use { name } => kernels.set_default(&name)?,
        KernelCommand::Remove { names } => {
            names.iter().try_for_each(|name| kernels.remove(name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn bring(kernels: &Kernels, script: Script, name: &KernelName) -> Result<(), Failure> {
    add(kernels, name, &Kernel::at(&script.run()?)?, true)
}

fn kernel(path: &Path, modules: Option<PathBuf>) -> Result<Kernel, Failure> {
    let found = Kernel::at(path)?;
    Ok(Kernel {
        modules: modules.or(found.modules),
        ..found
    })
}

fn add(
    kernels: &Kernels,
    name: &KernelName,
    kernel: &Kernel,
    replaces: bool,
) -> Result<(), Failure> {
    let record = kernels.add(name, kernel, replaces)?;
    let release = record.release.unwrap_or_default();
    Ok(output::print(format_args!("{name}  {release}\n"))?)
}

fn list(kernels: &[Listed], json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::print(
            serde_json::to_string_pretty(kernels)? + "\n",
        )?);
    }
    let mut text = line(["", "NAME", "MIB", "MODULES", "RELEASE"]);
    for one in kernels {
        let mib = one.record.size.div_ceil(1 << 20).to_string();
        text += &line([
            if one.is_default { "*" } else { "" },
            one.name.as_str(),
            &mib,
            if one.record.has_modules { "yes" } else { "no" },
            one.record.release.as_deref().unwrap_or("-"),
        ]);
    }
    Ok(output::print(text)?)
}

fn line([default, name, mib, modules, release]: [&str; 5]) -> String {
    format!("{default:1} {name:<20} {mib:>4}  {modules:<7}  {release}\n")
}
