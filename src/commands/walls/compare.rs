//! `vmm compare`: what is behind each wall, side by side.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use serde::Serialize;

use super::Failure;
use crate::cli::walls::compare::Compare;
use crate::compare::{self, Wanted, text};
use crate::image::{ResolveOptions, Store};
use crate::output::print;
use crate::run::Wall;
use crate::terminal;

/// How wide a table is where no terminal says.
const WIDTH: u16 = 120;

/// Compares what `options` name.
pub(super) fn run(options: Compare) -> Result<ExitCode, Failure> {
    let wanted = Wanted {
        image: options.image,
        walls: match options.wall.is_empty() {
            true => vec![Wall::Process, Wall::Container, Wall::Vm],
            false => options.wall,
        },
        kernel: options.kernel,
        cmdline: options.cmdline,
    };
    // Once, and before the first wall: none could be had without it.
    Store::open_default()?.resolve(&wanted.image, &ResolveOptions::default())?;
    match options.command.is_empty() {
        true => facts(&wanted, options.json),
        false => lines(&wanted, &options.command, options.json),
    }
}

fn facts(wanted: &Wanted, json: bool) -> Result<ExitCode, Failure> {
    let comparison = compare::facts(wanted)?;
    match json {
        true => print_json(&comparison)?,
        false => print(coloured(text::table(&comparison, width())))?,
    }
    Ok(status(!comparison.walls.is_empty()))
}

fn lines(wanted: &Wanted, command: &[String], json: bool) -> Result<ExitCode, Failure> {
    let lines = compare::lines(wanted, command)?;
    match json {
        true => print_json(&lines)?,
        false => print(text::lines(&lines))?,
    }
    Ok(status(lines.stood().next().is_some()))
}

fn status(something_stood: bool) -> ExitCode {
    match something_stood {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn width() -> u16 {
    match terminal::window_size().columns {
        columns if io::stdout().is_terminal() && columns > 0 => columns,
        _ => WIDTH,
    }
}

/// What is shared stands out, on a terminal.
fn coloured(text: String) -> String {
    match io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => text.replace(text::SHARED, &format!("\x1b[33m{}\x1b[0m", text::SHARED)),
        false => text,
    }
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    Ok(print(serde_json::to_string_pretty(value)? + "\n")?)
}
