//! What a process is, and what it may do.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::{getgid, getpid, getppid, getuid};
use rustix::thread::CapabilitySet;

use super::found::Found;

pub fn pid() -> io::Result<Found> {
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let pid = getpid().as_raw_nonzero();
    Found::text(format!("{pid}, parent {parent}")).of_namespace("pid")
}

pub fn others() -> io::Result<Found> {
    let entries = fs::read_dir("/proc")?;
    let pids = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != getpid().as_raw_nonzero().get());
    Found::text(pids.count().to_string()).of_file_system("/proc")
}

pub fn user() -> io::Result<Found> {
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    Found::text(format!("{user}:{group}")).of_namespace("user")
}

pub fn uid_map() -> io::Result<Found> {
    let map = fs::read_to_string("/proc/self/uid_map")?;
    let words: Vec<&str> = map.split_whitespace().collect();
    Found::text(words.join(" ")).of_namespace("user")
}

pub fn effective() -> io::Result<Found> {
    capabilities("CapEff")
}

pub fn bounding() -> io::Result<Found> {
    capabilities("CapBnd")
}

fn capabilities(name: &str) -> io::Result<Found> {
    let bits = u64::from_str_radix(&status(name)?, 16).map_err(io::Error::other)?;
    let capabilities = CapabilitySet::from_bits_retain(bits);
    Ok(Found::set(
        capabilities
            .iter_names()
            .map(|(name, _)| name.to_lowercase())
            .collect::<BTreeSet<_>>(),
    ))
}

/// The modes of seccomp: proc(5).
pub fn seccomp() -> io::Result<Found> {
    Ok(Found::text(match status("Seccomp")?.as_str() {
        "0" => "off",
        "1" => "strict",
        _ => "filter",
    }))
}

pub fn no_new_privs() -> io::Result<Found> {
    Ok(Found::text(match status("NoNewPrivs")?.as_str() {
        "0" => "off",
        _ => "on",
    }))
}

fn status(name: &str) -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    match lines.find(|(known, _)| *known == name) {
        Some((_, value)) => Ok(value.trim().to_owned()),
        None => Err(io::Error::other("this kernel does not tell")),
    }
}

/// Version 1 has one for each controller; most are the same.
pub fn cgroup() -> io::Result<Found> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let paths = groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .map(str::to_owned);
    Ok(Found::set(paths.collect()))
}

pub fn namespace(kind: &str) -> io::Result<Found> {
    let inode = fs::metadata(format!("/proc/self/ns/{kind}"))?.ino();
    Found::text(inode.to_string()).of_namespace(kind)
}
