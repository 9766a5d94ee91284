//! `--dry-run`: the machine that would be built, in words or as JSON.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::Failure;
use crate::config::MachineConfig;
use crate::machine::Plan;
use crate::machine::plan::Device;
use crate::output;

/// The machine as it is printed.
#[derive(Serialize)]
struct Description<'a> {
    kernel: &'a Path,
    initrd: Option<&'a Path>,
    disks: Vec<&'a Path>,
    devices: Vec<Device>,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Prints the machine of `plan`; nothing is opened.
pub(super) fn run(config: &MachineConfig, plan: &Plan, json: bool) -> Result<ExitCode, Failure> {
    let description = Description {
        kernel: &config.kernel,
        initrd: config.initrd.as_deref(),
        disks: config
            .disks
            .iter()
            .map(|disk| disk.path.as_path())
            .collect(),
        devices: plan.devices(),
        plan,
    };
    if json {
        output::print(serde_json::to_string_pretty(&description)? + "\n")?;
    } else {
        output::print(description)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel        {}", self.kernel.display())?;
        if let Some(initrd) = self.initrd {
            writeln!(f, "initrd        {}", initrd.display())?;
        }
        writeln!(f, "command line  {}", self.plan.command_line)?;
        writeln!(f, "vCPUs         {}", self.plan.vcpus)?;
        for ram in &self.plan.ram {
            let (last, mib) = (ram.end() - 1, ram.size >> 20);
            writeln!(
                f,
                "RAM           {:#011x} to {last:#011x}, {mib} MiB",
                ram.base
            )?;
        }
        let told = if self.plan.acpi {
            "ACPI"
        } else {
            "the command line"
        };
        writeln!(f, "devices, found by {told}")?;
        self.devices
            .iter()
            .try_for_each(|device| self.write_device(f, device))
    }
}

impl Description<'_> {
    fn write_device(&self, f: &mut fmt::Formatter<'_>, device: &Device) -> fmt::Result {
        let Device {
            name,
            bus,
            base,
            interrupt,
            ..
        } = device;
        let interrupt = interrupt.map_or("-".to_owned(), |gsi| gsi.to_string());
        write!(
            f,
            "  {name:<10}  {bus:<11}  {base:>#10x}  interrupt {interrupt:>2}"
        )?;
        match device.disk().and_then(|index| self.disks.get(index)) {
            Some(path) => writeln!(f, "  {}", path.display()),
            None => writeln!(f),
        }
    }
}
