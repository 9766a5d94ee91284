//! The options of `vmm compare`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::run::Wall;

/// What follows the help of `vmm compare`.
pub const COMPARE_HELP: &str = "\
A wall that cannot be had on this host has its reason below the others. What is one and the same
thing on the host is marked host's, all else own.

Exit status:
    0   compared
    1   vmm itself failed, or none of the walls can be had
    2   wrong usage

Examples:
    vmm compare debian.tar
    vmm compare --wall container,vm debian.tar -- uname -a";

/// What `vmm compare` is told.
#[derive(Args, Debug)]
pub struct Compare {
    /// Walls to look behind, separated by commas [default: all three]
    #[arg(long, value_name = "WALL", value_delimiter = ',')]
    pub wall: Vec<Wall>,

    /// The image, as for `vmm run`
    #[arg(value_hint = ValueHint::AnyPath)]
    pub image: String,

    /// Compare what this command prints instead, line by line
    #[arg(last = true)]
    pub command: Vec<String>,

    /// Kernel for the vm wall [default: that of `vmm kernel use`]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub kernel: Option<PathBuf>,

    /// Words added to that kernel's command line
    #[arg(long, value_name = "TEXT", requires = "kernel")]
    pub cmdline: Option<String>,

    /// Print the comparison as JSON
    #[arg(long)]
    pub json: bool,
}
