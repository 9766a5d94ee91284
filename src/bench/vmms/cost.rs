//! What a process has cost so far, as `/proc` and KVM's debugfs tell; `None` where they do not.

use std::fs;
use std::path::Path;

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

/// The bytes of memory that it has beside its guest's. Mappings as large as that are left out.
/// Pages that it shares count if they are of its program: the bench may be the same one.
pub fn own_bytes(pid: u32, guest_kib: u64) -> Option<u64> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let program = program.to_str()?;
    Some(own_kib(&smaps, program, guest_kib) << 10)
}

fn own_kib(smaps: &str, program: &str, guest_kib: u64) -> u64 {
    let (mut own, mut size, mut is_program) = (0, 0, false);
    for line in smaps.lines() {
        match field(line) {
            Some(("Size", kib)) => size = kib,
            Some((name, kib)) => {
                let is_private = name.starts_with("Private_") && size < guest_kib;
                if is_private || is_program && name.starts_with("Shared_") {
                    own += kib;
                }
            }
            None if is_head(line) => is_program = line.ends_with(program),
            None => {}
        }
    }
    own
}

/// Whether `line` begins a mapping, with its addresses; it ends with its file.
fn is_head(line: &str) -> bool {
    let from = line.split_once('-').map(|(from, _)| from);
    from.is_some_and(|from| u64::from_str_radix(from, 16).is_ok())
}

/// A line such as `Private_Dirty:       12 kB`.
fn field(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(':')?;
    let kib = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((name, kib))
}

/// KVM's count of exits of all kinds, which debugfs has while the machine runs, by the thread that
/// has made it.
pub fn exits(pid: u32) -> Option<u64> {
    let machines = fs::read_dir("/sys/kernel/debug/kvm").ok()?.flatten();
    let is_ours = |thread: &str| Path::new(&format!("/proc/{pid}/task/{thread}")).exists();
    let machine = machines.map(|entry| entry.path()).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.split_once('-'))
            .is_some_and(|(thread, _)| is_ours(thread))
    })?;
    let exits = fs::read_to_string(machine.join("exits")).ok()?;
    exits.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_its_own_is_neither_the_guests_nor_a_librarys() {
        let smaps = "\
1000-2000 r-xp 00001000 08:01 7 /bin/vmm
Size:                  8 kB
Shared_Clean:          4 kB
Private_Clean:         2 kB
VmFlags: rd ex mr mw me
3000-4000 r-xp 00000000 08:01 8 /lib/libc.so
Size:                  8 kB
Shared_Clean:        100 kB
Private_Dirty:         1 kB
VmFlags: rd ex mr mw me
4000-5000 ---p 00001000 08:01 7 /bin/vmm
Size:                  4 kB
Shared_Clean:          0 kB
VmFlags: mr mw me
5000-6000 rw-p 00000000 00:00 0
Size:             131072 kB
Private_Dirty:     50000 kB
";
        assert_eq!(own_kib(smaps, "/bin/vmm", 131_072), 7);
    }
}
