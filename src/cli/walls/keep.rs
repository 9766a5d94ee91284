//! The options of the jobs with keeps.

use clap::Subcommand;

use crate::root::KeepName;

/// Jobs with keeps.
#[derive(Debug, Subcommand)]
pub enum KeepCommand {
    /// List all keeps
    List {
        /// Print the list as JSON.
        #[arg(long)]
        json: bool,
    },

    /// Delete keeps with all that is in them
    Remove {
        /// Which.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<KeepName>,
    },
}
