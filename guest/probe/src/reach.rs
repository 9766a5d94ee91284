//! What of the host can be reached: files and a process that are known to be there.

use std::fs;
use std::io;

use wire::HostProcess;

use crate::found::Found;

/// A file of the host with `secret` in it.
pub fn file(path: &str, secret: &str) -> Found {
    let through_first = format!("/proc/1/root{path}");
    let ways = [
        (path, "read by its path"),
        (&through_first, "read through /proc/1/root"),
    ];
    let is_it = |path: &str| fs::read_to_string(path).is_ok_and(|text| text == secret);
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
