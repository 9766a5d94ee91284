//! The options of `vmm run` and of the commands for what runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::duration::duration;
use crate::cgroup::Limits;
use crate::config::parse_bytes;
use crate::image::Platform;
use crate::root::KeepName;
use crate::run::channel::ChannelName;
use crate::run::request::Volume;
use crate::run::{InstanceName, Wall};

/// How `vmm run` ends, printed by `--help`.
pub const RUN_STATUS: &str = "\
Exit status:
0-255   the command's own
  123   it ended for want of memory (--memory)
  124   its time has passed (--timeout)
  125   vmm itself failed, or was used wrongly; a sentence on standard error says why
  126   the command cannot be executed
  127   the command is not there
128+n   signal n ended the command

Examples:
    vmm run --wall container debian.tar -- python3 hw1.py
    vmm run --wall vm debian.tar -- python3 hw1.py
    vmm run --wall vm -t --keep work debian.tar -- /bin/bash";

/// How `vmm exec` ends, printed by `--help`.
pub const EXEC_STATUS: &str = "\
Exit status:
0-255   the command's own
  125   vmm itself failed, or was used wrongly; a sentence on standard error says why
  126   the command cannot be executed
  127   the command is not there
128+n   signal n ended the command

Examples:
    vmm exec job -- ps
    vmm exec -t job -- /bin/bash";

/// What `vmm run` is told.
#[derive(Args, Debug)]
pub struct Run {
    /// What stands between the command and the host; there is no default, and no wall ever
    /// stands in for another
    #[arg(long, value_name = "WALL")]
    pub wall: Wall,

    /// OCI image layout or docker archive (directory or tar), directory, disk image, or a
    /// name in the store
    #[arg(value_hint = ValueHint::AnyPath)]
    pub image: String,

    /// The command, instead of the image's Cmd
    #[arg(last = true)]
    pub command: Vec<String>,

    /// How it is launched.
    #[command(flatten)]
    pub launch: LaunchOptions,

    /// Program that gets the command as its arguments, instead of the image's Entrypoint
    #[arg(long, value_name = "PROGRAM", help_heading = "Command")]
    pub entrypoint: Option<String>,

    /// Host name [default: the name of the instance]
    #[arg(long, value_name = "NAME", help_heading = "Command")]
    pub hostname: Option<String>,

    /// Name of the instance [default: vmm- and eight digits]
    #[arg(long, help_heading = "Instance")]
    pub name: Option<InstanceName>,

    /// Run in the background and print the name; `vmm logs` has the output
    #[arg(short, long, conflicts_with = "tty", help_heading = "Instance")]
    pub detach: bool,

    /// Keep what the command changes under this name, for the next run
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    pub keep: Option<KeepName>,

    /// Show a directory of the host to the command; may be repeated
    #[arg(long, value_name = "SRC:DST[:ro]", help_heading = "Files")]
    pub volume: Vec<Volume>,

    /// Connect the command with that of one other instance, which names the same channel: what
    /// connects to the socket $VMM_CHANNEL_NAME is joined with what connects there; may be
    /// repeated
    #[arg(long, value_name = "NAME", help_heading = "Channels")]
    pub channel: Vec<ChannelName>,

    /// Let nothing be written but /tmp, /run, /dev/shm and volumes
    #[arg(long, help_heading = "Files")]
    pub read_only: bool,

    /// The most memory, with suffix K, M or G
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Limits")]
    pub memory: Option<u64>,

    /// As much processor time as N processors give
    #[arg(long, value_name = "N", value_parser = cpus, help_heading = "Limits")]
    pub cpus: Option<f64>,

    /// The most processes at one time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub pids: Option<u64>,

    /// End the command after so long: seconds, or as 500ms, 90s, 3m, 1h
    #[arg(long, value_name = "DUR", value_parser = duration, help_heading = "Limits")]
    pub timeout: Option<Duration>,

    /// How long after asking the command to end (TERM) it is made to (KILL)
    #[arg(long, value_name = "DUR", value_parser = duration, default_value = "10", help_heading = "Limits")]
    pub grace: Duration,

    /// OCI runtime for the container wall (runc, crun, runsc …) [default: our own]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, help_heading = "Walls")]
    pub runtime: Option<PathBuf>,

    /// Kernel for the vm wall: a path, or a name of `vmm kernel list` [default: that of `vmm kernel use`]
    #[arg(long, value_name = "KERNEL", value_hint = ValueHint::FilePath, help_heading = "Walls")]
    pub kernel: Option<PathBuf>,

    /// Words added to that kernel's command line
    #[arg(
        long,
        value_name = "TEXT",
        requires = "kernel",
        default_value = "",
        hide_default_value = true,
        help_heading = "Walls"
    )]
    pub cmdline: String,

    /// Network of the command: there is none but its own loopback
    #[arg(long, value_name = "NETWORK", value_parser = ["none"], default_value = "none", help_heading = "Walls")]
    pub network: String,

    /// Platform to take of an image that has several [default: this host's]
    #[arg(long, value_name = "OS/ARCH", help_heading = "Image")]
    pub platform: Option<Platform>,

    /// The most that the image may unpack to, with suffix K, M or G [default: 16G]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Image")]
    pub max_size: Option<u64>,

    /// Write a record of the run into FILE, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Insight")]
    pub json: Option<PathBuf>,
}

/// How a command is launched, by `run` and by `exec`.
#[derive(Args, Debug)]
pub struct LaunchOptions {
    /// Set a variable of the environment; without a value, to what it is here; may be repeated
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = variable, help_heading = "Command")]
    pub env: Vec<(String, String)>,

    /// Directory that the command starts in
    #[arg(short, long, value_name = "PATH", help_heading = "Command")]
    pub workdir: Option<String>,

    /// Who the command runs as: a name of the image or a number, with a group behind a colon
    #[arg(short, long, value_name = "USER[:GROUP]", help_heading = "Command")]
    pub user: Option<String>,

    /// Give the command a terminal
    #[arg(short, long, help_heading = "Command")]
    pub tty: bool,
}

impl Run {
    /// The limits among the options.
    pub fn limits(&self) -> Limits {
        Limits {
            memory: self.memory,
            cpus: self.cpus,
            pids: self.pids,
        }
    }
}

/// `NAME=VALUE`, or NAME with the value that it has here.
fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (
            text,
            std::env::var(text).map_err(|_| format!("{text} is not set here"))?,
        ),
    };
    match name.is_empty() {
        true => Err("the name is missing: use NAME=VALUE".to_owned()),
        false => Ok((name.to_owned(), value)),
    }
}

fn cpus(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(cpus) if (0.01..=1024.0).contains(&cpus) => Ok(cpus),
        _ => Err("use a number from 0.01 to 1024".to_owned()),
    }
}
