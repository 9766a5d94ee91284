//! The pages of one instance, as the kernel counts them.

use std::fs;

use crate::bench::behind::usage::{group_of, tree};
use crate::cgroup::Cgroup;

/// Bytes of one instance, by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// `vmm run`, and what it has started outside of a wall.
    pub outside: u64,
    /// What stands behind the wall, but for [`Self::kernel`].
    pub behind: u64,
    /// What the kernel has for it, as far as that is told.
    pub kernel: u64,
}

impl Parts {
    /// Those of the instance `name`, which `process` runs.
    pub fn of(name: &str, process: u32) -> Self {
        let group = group_of(name).unwrap_or_default();
        let used = Cgroup::open(&group).map(|group| group.statistics());
        let used = used.unwrap_or_default();
        let kernel = used.kernel_memory.unwrap_or(0);
        let is_counted = |process: &u32| used.memory.is_some() && is_in(&group, *process);
        let outside = tree(process).into_iter();
        Self {
            outside: outside
                .filter(|process| !is_counted(process))
                .filter_map(share)
                .sum(),
            behind: used.memory.unwrap_or(0).saturating_sub(kernel),
            kernel,
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            outside: self.outside + other.outside,
            behind: self.behind + other.behind,
            kernel: self.kernel + other.kernel,
        }
    }
}

/// Whether `process` is in the group `vmm/group`.
fn is_in(group: &str, process: u32) -> bool {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    let group = Cgroup::path(group).display().to_string();
    groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| path == group || path.starts_with(&format!("{group}/")))
}

/// The proportional share of `process` in the pages that it has mapped, in bytes.
fn share(process: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    kibibytes(&rollup, "Pss")
}

/// The value of `name` in a text of lines `name: number kB`, in bytes.
pub fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(key, _)| *key == name)?;
    let number: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_kibibytes() {
        let text = "Rss:     8 kB\nPss:                1234 kB\nPss_Anon: 7 kB\n";
        assert_eq!(kibibytes(text, "Pss"), Some(1234 << 10));
        assert_eq!(kibibytes(text, "Swap"), None);
        assert_eq!(kibibytes("Pss: 18446744073709551615 kB", "Pss"), None);
    }

    #[test]
    fn what_is_in_no_group_of_ours_is_counted_by_its_share() {
        let parts = Parts::of("no-such-instance", std::process::id());
        assert!(parts.outside > 1 << 20, "{parts:?}");
        assert_eq!((parts.behind, parts.kernel), (0, 0));
        assert_eq!(parts.plus(parts).outside, 2 * parts.outside);
    }

    #[test]
    fn a_tree_begins_with_its_root_and_has_its_children() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let tree = tree(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(tree[0], std::process::id());
        assert!(tree.contains(&child.id()));
    }
}
