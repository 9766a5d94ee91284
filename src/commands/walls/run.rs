//! `vmm run`: a command behind a wall, and how it ended.

use std::fs::File;
use std::process::ExitCode;

use super::Failure;
use crate::cli::walls::run::{LaunchOptions, Run};
use crate::image::ResolveOptions;
use crate::run::command::Wishes;
use crate::run::supervise::Times;
use crate::run::{InstanceName, Request, outcome};
use crate::terminal;

/// Runs what `options` describe. A failure of ours has a status that no other command has.
pub(super) fn run(options: Run) -> ExitCode {
    super::ours(try_run(options)).into()
}

fn try_run(options: Run) -> Result<u8, Failure> {
    let record_file = options.json.as_ref().map(File::create).transpose()?;
    let detached = options.detach;
    let request = request(options).check()?;
    if detached {
        return super::detach::run(&request);
    }
    let record = crate::run::run(&request, || {})?;
    if let Some(file) = record_file {
        serde_json::to_writer_pretty(file, &record)?;
    }
    if record.exit_status == outcome::OUT_OF_MEMORY {
        crate::output::say("vmm: the command ended for want of memory (--memory)");
    }
    Ok(record.exit_status)
}

fn request(options: Run) -> Request {
    let default = ResolveOptions::default();
    let limits = options.limits();
    Request {
        wall: options.wall,
        image: options.image,
        resolve: ResolveOptions {
            platform: options.platform.unwrap_or(default.platform),
            max_size: options.max_size.unwrap_or(default.max_size),
        },
        wishes: Wishes {
            entrypoint: options.entrypoint,
            ..wishes(options.command, options.launch)
        },
        name: options.name.unwrap_or_else(InstanceName::random),
        hostname: options.hostname,
        limits,
        read_only: options.read_only,
        keep: options.keep,
        volumes: options.volume,
        channels: options.channel,
        times: Times {
            timeout: options.timeout,
            grace: options.grace,
        },
        detached: options.detach,
        runtime: options.runtime,
        kernel: options.kernel,
        cmdline: options.cmdline,
    }
}

/// What `options` say of `command`.
pub(super) fn wishes(command: Vec<String>, options: LaunchOptions) -> Wishes {
    Wishes {
        command,
        entrypoint: None,
        env: options.env,
        workdir: options.workdir,
        user: options.user,
        tty: options.tty.then(terminal::window_size),
    }
}
