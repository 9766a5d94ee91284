//! The cgroup of the commands: their limits, and whether memory ran out.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::mount::MountFlags;
use wire::Limits;

use super::root;
use crate::Failure;

const MOUNT: &str = "/sys/fs/cgroup";
const GROUP: &str = "/sys/fs/cgroup/commands";

/// The group; none where the kernel has none and none is needed.
pub struct Cgroup {
    procs: Option<File>,
}

impl Cgroup {
    /// Makes the group with `limits`.
    ///
    /// # Errors
    /// The kernel cannot keep a limit.
    pub fn make(limits: Limits) -> Result<Self, Failure> {
        let made = make_group();
        if let Some(bytes) = limits.memory {
            limit("memory", "CONFIG_MEMCG", bytes, &made)?;
        }
        if let Some(count) = limits.pids {
            limit("pids", "CONFIG_CGROUP_PIDS", count, &made)?;
        }
        Ok(Self { procs: made.ok() })
    }

    /// What a process joins the group by.
    pub fn procs(&self) -> Option<BorrowedFd<'_>> {
        self.procs.as_ref().map(File::as_fd)
    }

    /// How many processes were killed because there was no memory.
    pub fn oom_kills(&self) -> u64 {
        let events = fs::read_to_string(Path::new(GROUP).join("memory.events"));
        parse_oom_kills(&events.unwrap_or_default())
    }
}

fn make_group() -> Result<File, Failure> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    root::mount("cgroup2", MOUNT, "cgroup2", flags, "")?;
    for controller in ["+memory", "+pids"] {
        // If it is missing, its limit is refused.
        let _ = fs::write(Path::new(MOUNT).join("cgroup.subtree_control"), controller);
    }
    fs::create_dir_all(GROUP)?;
    Ok(File::options()
        .write(true)
        .open(Path::new(GROUP).join("cgroup.procs"))?)
}

fn limit(
    controller: &str,
    option: &str,
    value: u64,
    group: &Result<File, Failure>,
) -> Result<(), Failure> {
    let known = fs::read_to_string(format!("{GROUP}/cgroup.controllers")).unwrap_or_default();
    if group.is_err() || !known.split_whitespace().any(|name| name == controller) {
        return Err(format!(
            "the guest's kernel cannot limit {controller}: build it with {option}"
        )
        .into());
    }
    let file = format!("{GROUP}/{controller}.max");
    Ok(fs::write(file, value.to_string())
        .map_err(|error| format!("cannot limit {controller} to {value}: {error}"))?)
}

/// `memory.events` is lines of a name and a number.
fn parse_oom_kills(events: &str) -> u64 {
    let mut words = events.lines().filter_map(|line| line.split_once(' '));
    let kills = words.find(|(name, _)| *name == "oom_kill");
    kills.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_and_not_what_has_a_similar_name() {
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(parse_oom_kills(events), 2);
        assert_eq!(parse_oom_kills(""), 0);
    }
}
