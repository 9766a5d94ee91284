//! What a process has cost so far, as `/proc` and KVM's debugfs tell; `None` where they do not.

use std::fs;

use crate::bench::behind::usage;

/// How many threads it has.
pub fn threads(pid: u32) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    Some(tasks.count() as u64)
}

/// Nanoseconds on a processor, of it and of all that it has started.
pub fn cpu_ns(pid: u32) -> Option<u64> {
    usage::of_tree(pid)
}

/// The private bytes of all mappings but those as large as the guest's memory.
pub fn private_bytes(pid: u32, guest_kib: u64) -> Option<u64> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let (mut private, mut size) = (0, 0);
    for line in smaps.lines() {
        match field(line) {
            Some(("Size", kib)) => size = kib,
            Some(("Private_Clean" | "Private_Dirty", kib)) if size < guest_kib => private += kib,
            _ => {}
        }
    }
    Some(private << 10)
}

/// A line such as `Private_Dirty:       12 kB`.
fn field(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(':')?;
    let kib = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((name, kib))
}

/// KVM's count of exits of all kinds, which debugfs has while the machine runs.
pub fn exits(pid: u32) -> Option<u64> {
    let machines = fs::read_dir("/sys/kernel/debug/kvm").ok()?.flatten();
    let ours = |name: &str| name.starts_with(&format!("{pid}-"));
    let machine = machines.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(ours)
    })?;
    fs::read_to_string(machine.join("exits"))
        .ok()?
        .trim()
        .parse()
        .ok()
}
