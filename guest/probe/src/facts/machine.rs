//! Processors, memory, devices and file systems, as they are seen.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::found::Found;

pub fn cpus() -> io::Result<Found> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let count = values(&info, "processor").count();
    let model = values(&info, "model name").next().unwrap_or("no name");
    Ok(Found::text(format!("{count} x {model}")))
}

pub fn cpu_flags() -> io::Result<Found> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let flags = values(&info, "flags").next().unwrap_or_default();
    Ok(Found::set(
        flags.split_whitespace().map(str::to_owned).collect(),
    ))
}

pub fn memory() -> io::Result<Found> {
    let info = fs::read_to_string("/proc/meminfo")?;
    let total = values(&info, "MemTotal")
        .next()
        .and_then(|total| total.strip_suffix(" kB")?.parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("/proc/meminfo has no MemTotal"))?;
    Ok(Found::text(format!("{} MiB", total >> 10)))
}

/// The values of the lines `name: value`.
fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(move |(known, _)| known.trim() == name)
        .map(|(_, value)| value.trim())
}

pub fn device_nodes() -> io::Result<Found> {
    let mut nodes = BTreeSet::new();
    collect(Path::new("/dev"), &mut nodes)?;
    Found::set(nodes).of_file_system("/dev")
}

/// Terminals come and go: they are not told one by one.
const TERMINALS: &str = "/dev/pts";

fn collect(directory: &Path, nodes: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && path != Path::new(TERMINALS) {
            // What cannot be looked into is not reached.
            let _ = collect(&path, nodes);
        }
        if kind.is_char_device() || kind.is_block_device() {
            let name = path.strip_prefix("/dev").unwrap_or(&path);
            nodes.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

pub fn interfaces() -> io::Result<Found> {
    let devices = fs::read_to_string("/proc/self/net/dev")?;
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    Found::set(names.map(|(name, _)| name.trim().to_owned()).collect()).of_namespace("net")
}

/// The probe's own, which is nobody's otherwise.
const OURS: &str = "/run/vmm-probe";

pub fn mounts() -> io::Result<Found> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let count = mounts
        .lines()
        .filter(|line| point(line) != Some(OURS))
        .count();
    Found::text(count.to_string()).of_namespace("mnt")
}

pub fn root() -> io::Result<Found> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    // A mount over another comes later.
    let root = mounts.lines().rfind(|line| point(line) == Some("/"));
    let kind = root
        .and_then(|line| line.split_once(" - ")?.1.split_whitespace().next())
        .unwrap_or("no mount of its own");
    Found::text(kind).of_file_system("/")
}

/// Where the mount of a line of mountinfo is: proc(5).
fn point(line: &str) -> Option<&str> {
    line.split_whitespace().nth(4)
}
