//! The options of the commands for instances.

use clap::{Args, Subcommand};

use super::run::{EXEC_STATUS, LaunchOptions};

/// Jobs with instances that run, or have run.
#[derive(Debug, Subcommand)]
pub enum InstanceCommand {
    /// List instances
    Ps {
        /// Those that have ended as well
        #[arg(short, long)]
        all: bool,

        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },

    /// Run another command behind the wall of an instance
    #[command(after_help = EXEC_STATUS)]
    Exec(Exec),

    /// Ask the commands of instances to end (TERM), make them after their grace time, and wait
    /// for their end
    Stop(Names),

    /// Send a signal to the commands of instances
    Kill {
        /// Its name or number
        #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = super::signal::parse)]
        signal: i32,

        /// Which instances.
        #[command(flatten)]
        names: Names,
    },

    /// Print what was counted of an instance that runs: KVM's own counters of a machine, the
    /// cgroup's of a container or process
    Stats {
        /// Print it as JSON
        #[arg(long)]
        json: bool,

        /// Which instance
        name: String,
    },

    /// Stop the time of instances
    Pause(Names),

    /// Let the time of instances go on
    Resume(Names),

    /// Forget instances that have ended, and what they printed
    Rm {
        /// End those that still run
        #[arg(short, long)]
        force: bool,

        /// Which instances.
        #[command(flatten)]
        names: Names,
    },

    /// Print what a detached instance has printed
    Logs {
        /// Go on as long as it runs
        #[arg(short, long)]
        follow: bool,

        /// The messages of its own kernel instead
        #[arg(long)]
        kernel: bool,

        /// Which instance
        name: String,
    },
}

/// Some instances.
#[derive(Args, Debug)]
pub struct Names {
    /// Which instances
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// What `vmm exec` is told.
#[derive(Args, Debug)]
pub struct Exec {
    /// Which instance
    pub name: String,

    /// The command
    #[arg(last = true, required = true)]
    pub command: Vec<String>,

    /// How it is launched.
    #[command(flatten)]
    pub launch: LaunchOptions,
}
