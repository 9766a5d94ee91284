//! The options of the jobs with kernels.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};

use crate::kernel::KernelName;

/// What follows the help of `vmm kernel`.
pub const KERNEL_HELP: &str = "\
A kernel is a bzImage or an ELF file, or a directory with one (vmlinux, vmlinuz or bzImage) and its
lib/modules. The first one of a store is the default of the vm wall until another is chosen.

Examples:
    vmm kernel fetch
    vmm kernel add mine ./vmlinux
    vmm kernel use mine";

/// Jobs with kernels.
#[derive(Debug, Subcommand)]
pub enum KernelCommand {
    /// Get Debian's kernel for clouds, with its modules (scripts/fetch-kernel)
    Fetch {
        /// What to call it; one that has the name is replaced
        #[arg(default_value = "debian")]
        name: KernelName,
    },

    /// Compile the small kernel, with all drivers of a guest built in (scripts/build-kernel)
    Build {
        /// What to call it; one that has the name is replaced
        #[arg(default_value = "small")]
        name: KernelName,
    },

    /// Put the kernel at PATH into the store, and call it NAME
    Add {
        /// What to call it
        name: KernelName,

        /// Its file, or a directory with it and its lib/modules
        #[arg(value_hint = ValueHint::AnyPath)]
        path: PathBuf,

        /// Its modules: lib/modules/RELEASE
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        modules: Option<PathBuf>,

        /// Take NAME from the kernel that has it
        #[arg(long)]
        replace: bool,
    },

    /// List the kernels of the store
    List {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },

    /// Make NAME the kernel of machines that name none
    Use {
        /// Which
        name: KernelName,
    },

    /// Take kernels out of the store
    Remove {
        /// Which
        #[arg(required = true, value_name = "NAME")]
        names: Vec<KernelName>,
    },
}
