//! The command line: the types that clap parses, and nothing else.

#[cfg(feature = "walls")]
pub mod walls;

use clap::{ArgGroup, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Settings;

#[cfg(feature = "walls")]
macro_rules! walls {
    () => {
        "process, container, vm"
    };
}
#[cfg(not(feature = "walls"))]
macro_rules! walls {
    () => {
        "none, this is the virtual machine monitor alone (feature walls)"
    };
}

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nwalls:    ",
    walls!(),
    "\nkernels:  bzImage (gzip, xz, lzma, lz4 and zstd unpacked on the host), ELF; 64-bit and PVH entry",
    "\ndevices:  virtio-mmio console, block, rng; 16550, i8042, CMOS clock, pvpanic; ACPI",
);

const EXIT_STATUS: &str = "\
Exit status:
    0   the guest powered off, or rebooted with --on-reboot exit
    1   vmm itself failed; a sentence on standard error says why
    2   wrong usage
   10   the guest's kernel panicked
   11   triple fault
   12   KVM cannot go on (`vmm doctor` tells whether it can run a stock kernel at all)
   13   --boot-timeout has passed
   14   the guest ended with a virtio device that its driver had broken
128+n   stopped hard by signal n, after --grace

Example:
    vmm --kernel vmlinuz --rootfs disk.img --memory 1G --cpus 2";

const DOCTOR_STATUS: &str = "\
Exit status:
    0   a stock kernel will boot
    1   vmm itself failed
    3   there is no KVM that can be used; the report names the remedy
    4   there is, but stock kernels will not boot on it";

/// Boots a Linux kernel in a virtual machine on KVM
#[derive(Debug, Parser)]
#[command(
    name = "vmm",
    version = VERSION,
    after_help = EXIT_STATUS,
    group = ArgGroup::new("insight").args(["dry_run", "stats", "config"]).multiple(true),
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    disable_help_subcommand = true,
)]
pub struct Cli {
    /// Another job than booting.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What to boot.
    #[command(flatten)]
    pub boot: Boot,
}

/// Options of a boot.
#[derive(Args, Debug)]
pub struct Boot {
    /// The machine.
    #[command(flatten)]
    pub settings: Settings,

    /// Print the machine that would be built, and build nothing
    #[arg(long, help_heading = "Insight")]
    pub dry_run: bool,

    /// Print --dry-run and --stats as JSON
    #[arg(long, requires = "insight", help_heading = "Insight")]
    pub json: bool,
}

/// Jobs other than booting.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Jobs with images and walls.
    #[cfg(feature = "walls")]
    #[command(flatten)]
    Walls(Box<walls::WallCommand>),

    /// Tell whether a stock kernel will boot on this host, and what else a machine finds here
    #[command(after_help = DOCTOR_STATUS)]
    Doctor {
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },

    /// Print a completion script for SHELL
    #[command(after_help = "Example:\n    vmm completions bash > /etc/bash_completion.d/vmm")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}
