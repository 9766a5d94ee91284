//! What of the host can be reached: files and a process that are known to be there.

use std::fs;
use std::io;

use wire::{Canaries, HostProcess};

use super::found::Found;

/// The file of the host at `path`, by every way that leads there.
pub fn file(
    path: &str,
    Canaries {
        secret, process, ..
    }: &Canaries,
) -> Found {
    let of_first = format!("/proc/1/root{path}");
    // Its root can be entered where PID 1 may do more than we.
    let of_process = format!("/proc/{}/root{path}", process.pid);
    let ways = [
        (path, "read by its path"),
        (&of_first, "read through /proc/1/root"),
        (&of_process, "read through /proc/PID/root"),
    ];
    let is_it = |path: &str| fs::read_to_string(path).is_ok_and(|text| text == *secret);
    reached(ways.into_iter().find(|(path, _)| is_it(path)), secret)
}

fn reached(way: Option<(&str, &str)>, identity: &str) -> Found {
    match way {
        Some((_, how)) => Found::text(how).exactly(identity.to_owned()),
        None => Found::text("not reached"),
    }
}

/// A process of the host.
pub fn process(wanted: &HostProcess) -> io::Result<Found> {
    let stat = match fs::read_to_string(format!("/proc/{}/stat", wanted.pid)) {
        Ok(stat) => stat,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let is_it = HostProcess::parse(wanted.pid, &stat).as_ref() == Some(wanted);
    let way = is_it.then_some(("", "seen"));
    Ok(reached(way, &wanted.started))
}
