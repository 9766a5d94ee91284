//! How much memory there is room for: who takes more is killed rather than refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// What the kernel and we ourselves need besides.
const RESERVE: u64 = 16 << 20;

/// Small things fit anywhere, and are not worth the look.
const SMALL: u64 = 1 << 20;

/// Refuses what there is no room for.
pub fn must_be_for(bytes: usize) -> Result<(), Failure> {
    let needed = bytes as u64;
    if needed <= SMALL {
        return Ok(());
    }
    let limits = [of_machine(), of_cgroup()];
    let available = limits.into_iter().flatten().min().unwrap_or(u64::MAX);
    match available >= needed.saturating_add(RESERVE) {
        true => Ok(()),
        false => Err(Failure::Memory {
            needed: (needed + RESERVE) >> 20,
            available: available >> 20,
        }),
    }
}

fn of_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// Of the cgroup that we are in, by either version; what is cached there counts as free.
fn of_cgroup() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let rooms = groups
        .lines()
        .flat_map(directories)
        .filter_map(|directory| {
            let room = |limit, usage| room_in(&directory, limit, usage);
            room("memory.max", "memory.current")
                .or_else(|| room("memory.limit_in_bytes", "memory.usage_in_bytes"))
        });
    rooms.min()
}

/// Where a line of `/proc/self/cgroup` may be: cgroups(7). A container may see its own cgroup as
/// the root, and its path all the same.
fn directories(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let mount = match controllers.split(',').any(|name| name == "memory") {
        true => "/sys/fs/cgroup/memory",
        false if controllers.is_empty() => "/sys/fs/cgroup",
        false => return Vec::new(),
    };
    vec![
        Path::new(mount).join(path.trim_start_matches('/')),
        PathBuf::from(mount),
    ]
}

fn room_in(directory: &Path, limit: &str, usage: &str) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(directory.join(name)).ok()?;
        text.trim().parse().ok()
    };
    // Without a limit there is a word instead of a number.
    let (limit, usage) = (number(limit)?, number(usage)?);
    let statistics = fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
    Some(limit.saturating_sub(usage.saturating_sub(cached(&statistics))))
}

fn cached(statistics: &str) -> u64 {
    let values = statistics.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        matches!(name, "active_file" | "inactive_file").then(|| value.parse::<u64>().ok())?
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused_with_both_figures() {
        let refused = must_be_for(usize::MAX >> 1).unwrap_err().sentence();
        assert!(refused.contains("8796093022223 MiB"), "{refused}");
        must_be_for(4096).unwrap();
    }

    #[test]
    fn the_limit_of_a_cgroup_counts_and_what_is_cached_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name, text| fs::write(directory.path().join(name), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "900\n");
        write(
            "memory.stat",
            "anon 400\nactive_file 200\ninactive_file 300\n",
        );
        let room = || room_in(directory.path(), "memory.max", "memory.current");
        assert_eq!(room(), Some(600));
        write("memory.max", "max\n");
        assert_eq!(room(), None);
    }
}
