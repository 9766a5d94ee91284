//! The command line: the types that clap parses, and nothing else.

pub mod bench;
pub mod compare;
mod duration;
pub mod image;
pub mod instances;
pub mod keep;
pub mod kernel;
pub mod run;
pub mod signal;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Settings;
use crate::image::Name;
use crate::root::KeepName;

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
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
    #[arg(long, help_heading = "Insight")]
    pub json: bool,
}

/// Jobs other than booting.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command of an image behind a wall: process, container or vm
    #[command(after_help = run::RUN_STATUS)]
    Run(Box<run::Run>),

    /// Jobs with what runs.
    #[command(flatten)]
    Instance(instances::InstanceCommand),

    /// Compare what a process sees and can reach behind each wall
    #[command(after_help = compare::COMPARE_HELP)]
    Compare(compare::Compare),

    /// Measure what each wall costs
    #[command(after_help = bench::BENCH_HELP)]
    Bench(Box<bench::Bench>),

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

    /// Print what the runs with --keep NAME have changed: A added, C changed, D deleted
    Diff {
        /// The keep.
        name: KeepName,

        /// Print the changes as JSON.
        #[arg(long)]
        json: bool,
    },

    /// Make an image of what the runs with --keep NAME have left, and call it TAG
    #[command(after_help = "Example:\n    vmm commit work tools:2")]
    Commit {
        /// The keep.
        name: KeepName,

        /// What the image is called.
        tag: Name,

        /// Take the name from the image that has it.
        #[arg(long)]
        replace: bool,
    },

    /// Import images, and see what there is
    #[command(subcommand, after_help = image::IMAGE_HELP)]
    Image(image::ImageCommand),

    /// Get kernels for the vm wall, and choose one
    #[command(subcommand, after_help = kernel::KERNEL_HELP)]
    Kernel(kernel::KernelCommand),

    /// List what runs with --keep have left, or give it up
    Keep {
        /// What to do.
        #[command(subcommand)]
        command: keep::KeepCommand,
    },
}
