//! The commands for what runs: each asks the process that runs an instance, or reads what it
//! wrote down.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Failure, exec, logs};
use crate::cli::walls::instances::{InstanceCommand, Names};
use crate::output::{plain, print, say};
use crate::run::Registry;
use crate::run::instance::control::{Connection, Reply, Request};
use crate::run::instance::{Found, State};

/// Does what `command` says.
pub(super) fn run(command: InstanceCommand) -> Result<ExitCode, Failure> {
    match command {
        InstanceCommand::Ps { all, json } => list(all, json).map(|()| ExitCode::SUCCESS),
        InstanceCommand::Exec(options) => Ok(exec::run(options)),
        InstanceCommand::Stop(names) => Ok(each(&names, stop)),
        InstanceCommand::Kill { signal, names } => {
            Ok(each(&names, |found| ask(found, &kill(signal))))
        }
        InstanceCommand::Stats { json, name } => stats(&name, json).map(|()| ExitCode::SUCCESS),
        InstanceCommand::Pause(names) => Ok(each(&names, |found| ask(found, &Request::Pause))),
        InstanceCommand::Resume(names) => Ok(each(&names, |found| ask(found, &Request::Resume))),
        InstanceCommand::Rm { force, names } => Ok(each(&names, |found| remove(found, force))),
        InstanceCommand::Logs {
            follow,
            kernel,
            name,
        } => logs::run(&name, follow, kernel),
    }
}

fn kill(signal: i32) -> Request {
    match signal {
        libc::SIGKILL => Request::Kill,
        signal => Request::Signal(signal),
    }
}

/// Does `act` to each of `names`; those that fail are told, and the others done.
fn each(names: &Names, act: impl Fn(&Found) -> Result<(), Failure>) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for name in &names.names {
        let found = Registry::open().and_then(|registry| registry.find(name));
        let done = found.map_err(Failure::from).and_then(|found| act(&found));
        if let Err(error) = done {
            say(format_args!("vmm: {}", crate::chain(error.as_ref())));
            status = ExitCode::FAILURE;
        }
    }
    status
}

/// Asks the process that runs `found`, and waits for the answer.
fn ask(found: &Found, request: &Request) -> Result<(), Failure> {
    // One that ended meanwhile has no need to answer.
    answer(found, request).map(|_| ())
}

/// What the process that runs `found` answers; nothing if it ended meanwhile.
fn answer(found: &Found, request: &Request) -> Result<Option<Reply>, Failure> {
    if !found.is_running {
        return Err(format!("instance {} has ended", found.state.name).into());
    }
    let connection = Connection::open(&found.directory)?;
    connection.send(request, &[])?;
    match connection.receive()? {
        Some((Reply::Failed(problem), _)) => Err(problem.into()),
        received => Ok(received.map(|(reply, _)| reply)),
    }
}

/// Prints what was counted of the instance called `name`; zeros stand in the JSON only.
fn stats(name: &str, json: bool) -> Result<(), Failure> {
    let found = Registry::open()?.find(name)?;
    let Some(Reply::Counters(counters)) = answer(&found, &Request::Counters)? else {
        return Err(format!("instance {name} has ended").into());
    };
    if json {
        let counters: BTreeMap<_, _> = counters.into_iter().collect();
        let text = serde_json::to_string_pretty(&counters)?;
        return Ok(print(text + "\n")?);
    }
    let counted = counters.iter().filter(|(_, value)| *value > 0);
    let lines = counted.map(|(name, value)| format!("{value:>16}  {name}\n"));
    Ok(print(lines.collect::<String>())?)
}

fn stop(found: &Found) -> Result<(), Failure> {
    ask(found, &Request::Signal(libc::SIGTERM))?;
    Ok(Registry::open()?.wait_for_end(found)?)
}

fn remove(found: &Found, force: bool) -> Result<(), Failure> {
    let registry = Registry::open()?;
    if found.is_running {
        if !force {
            let name = &found.state.name;
            return Err(format!("instance {name} runs: stop it first, or use --force").into());
        }
        ask(found, &Request::Kill)?;
        registry.wait_for_end(found)?;
    }
    Ok(registry.forget(found)?)
}

/// An instance in the list.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    state: &'a State,
    running: bool,
    paused: bool,
    exit_status: Option<u8>,
}

fn list(all: bool, json: bool) -> Result<(), Failure> {
    let found = Registry::open()?.list()?;
    let shown: Vec<&Found> = found.iter().filter(|f| all || f.is_running).collect();
    if json {
        let rows: Vec<Row<'_>> = shown.iter().map(|found| row(found)).collect();
        return Ok(print(format_args!(
            "{}\n",
            serde_json::to_string_pretty(&rows)?
        ))?);
    }
    let mut text = format!(
        "{}\n",
        columns(["NAME", "WALL", "STATUS", "AGE", "IMAGE", "COMMAND"])
    );
    for found in shown {
        text += &line(found);
    }
    Ok(print(text)?)
}

fn row<'a>(found: &'a Found) -> Row<'a> {
    Row {
        state: &found.state,
        running: found.is_running,
        paused: found.is_paused,
        exit_status: found.outcome.map(|outcome| outcome.exit_status()),
    }
}

fn line(found: &Found) -> String {
    let status = match found.outcome {
        None if found.is_paused => "paused".to_owned(),
        None => "running".to_owned(),
        Some(outcome) => format!("exited {}", outcome.exit_status()),
    };
    let state = &found.state;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let age = age(now.saturating_sub(Duration::from_secs(state.started)));
    let command = state.launch.argv.join(" ");
    let cells = [
        state.name.as_str(),
        state.wall.name(),
        &status,
        &age,
        &plain(&state.image),
        &plain(&command),
    ];
    format!("{}\n", columns(cells))
}

fn columns(cells: [&str; 6]) -> String {
    let [name, wall, status, age, image, command] = cells;
    format!("{name:<20} {wall:<10} {status:<12} {age:<6} {image:<24} {command}")
}

fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_largest_unit_that_fits() {
        let ages = [59, 60, 7200, 86400].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(ages, ["59s", "1m", "2h", "1d"]);
    }
}
