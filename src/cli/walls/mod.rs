//! The options of all that is done with images and walls.

pub mod bench;
pub mod compare;
mod duration;
pub mod image;
pub mod instances;
pub mod keep;
pub mod kernel;
pub mod run;
pub mod signal;

use clap::Subcommand;

use crate::image::Name;
use crate::root::KeepName;

/// Jobs with images and walls.
#[derive(Debug, Subcommand)]
pub enum WallCommand {
    /// Run a command of an image behind a wall: process, container or vm
    #[command(after_help = run::RUN_STATUS)]
    Run(run::Run),

    /// Jobs with what runs.
    #[command(flatten)]
    Instance(instances::InstanceCommand),

    /// Compare what a process sees and can reach behind each wall
    #[command(after_help = compare::COMPARE_HELP)]
    Compare(compare::Compare),

    /// Measure what each wall costs
    #[command(after_help = bench::BENCH_HELP)]
    Bench(bench::Bench),

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
