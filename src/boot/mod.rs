//! A kernel file becomes bytes in guest memory and an entry point.
//!
//! It knows no KVM and no device: what was attached reaches it as a command line.

pub mod bzimage;
pub mod cmdline;
pub mod decompress;
mod file;
pub mod initrd;
pub mod kernel;
mod lz4;
mod params;
mod pvh;

use std::path::PathBuf;

use vm_memory::{GuestAddress, GuestMemoryError};

pub use kernel::Kernel;

use crate::arch::x86_64::registers::Entry;
use crate::memory::{Memory, layout};

/// Why a kernel cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The kernel cannot be loaded.
    #[error("cannot load kernel {0}")]
    Kernel(PathBuf, #[source] kernel::KernelError),
    /// The initrd cannot be loaded.
    #[error("cannot load initrd {0}")]
    Initrd(PathBuf, #[source] initrd::InitrdError),
    /// The command line is too long.
    #[error(transparent)]
    CommandLine(#[from] cmdline::CommandLineError),
    /// Guest memory is too small for the boot structures.
    #[error("cannot write boot parameters to guest memory: use a larger --memory")]
    Write(#[from] GuestMemoryError),
}

/// Everything besides the kernel that the boot parameters tell of.
pub struct Parameters<'a> {
    /// The complete command line.
    pub command_line: &'a str,
    /// Where the initrd lies, if there is one.
    pub initrd: Option<layout::Range>,
    /// Where the ACPI tables begin, if there are any.
    pub rsdp: Option<GuestAddress>,
}

/// Writes the command line and the boot parameters of the kernel's protocol.
///
/// # Errors
/// The command line is longer than the kernel takes, or memory is too small.
pub fn write_parameters(
    memory: &Memory,
    kernel: &Kernel,
    parameters: &Parameters<'_>,
) -> Result<(), BootError> {
    cmdline::write(memory, parameters.command_line, kernel.command_line_limit)?;
    match kernel.entry {
        Entry::Linux64 { .. } => params::write(memory, kernel, parameters)?,
        Entry::Pvh { .. } => pvh::write(memory, parameters)?,
    }
    Ok(())
}
