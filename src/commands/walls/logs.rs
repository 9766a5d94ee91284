//! `vmm logs`: what a detached instance has printed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::Failure;
use crate::run::Registry;
use crate::run::running::{ERRORS, KERNEL, OUTPUT};

/// How often a file is looked at for more: inotify tells nothing of the end of a process.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Prints what the instance `name` has printed, each stream where it belongs.
pub(super) fn run(name: &str, follow: bool, kernel: bool) -> Result<ExitCode, Failure> {
    let registry = Registry::open()?;
    let found = registry.find(name)?;
    let files: &[(&str, bool)] = match kernel {
        true => &[(KERNEL, false)],
        false => &[(OUTPUT, false), (ERRORS, true)],
    };
    let mut logs = open(&found.directory, files)?;
    if logs.is_empty() {
        return Err(missing(name, kernel).into());
    }
    loop {
        // Looked at first: what comes before its end is printed.
        let is_running = follow && registry.find(name).is_ok_and(|found| found.is_running);
        for (file, is_errors) in &mut logs {
            copy(file, *is_errors)?;
        }
        if !is_running {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn missing(name: &str, kernel: bool) -> String {
    match kernel {
        true => format!("instance {name} has no kernel of its own: only the vm wall has"),
        false => format!("instance {name} prints where it was started: only --detach keeps it"),
    }
}

fn open(directory: &Path, files: &[(&str, bool)]) -> io::Result<Vec<(File, bool)>> {
    let mut opened = Vec::new();
    for (name, is_errors) in files {
        match File::open(directory.join(name)) {
            Ok(file) => opened.push((file, *is_errors)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(opened)
}

/// Prints what is new since the last time.
fn copy(file: &mut File, is_errors: bool) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    match is_errors {
        true => io::stderr().write_all(&bytes),
        false => io::stdout()
            .lock()
            .write_all(&bytes)
            .and_then(|()| io::stdout().flush()),
    }
}
