//! How the host's control groups are laid out, and which of them this process may use.

use std::fs;
use std::path::Path;

use rustix::fs::{Access, access};
use serde::Serialize;

/// The arrangement of hierarchies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// None is mounted.
    #[default]
    None,
    /// One hierarchy for each controller.
    V1,
    /// Some controllers have one of their own, the others share the unified one.
    Hybrid,
    /// All share the unified one.
    V2,
}

/// Control groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cgroups {
    /// The arrangement.
    pub layout: Layout,
    /// Every controller and where it is.
    pub controllers: Vec<Controller>,
}

/// A resource that can be limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// Its name.
    pub name: String,
    /// 1, or 2 for the unified hierarchy.
    pub version: u8,
    /// Whether this process can make groups at the top of its hierarchy.
    pub writable: bool,
}

/// Where a hierarchy is mounted, and its controllers as its mount tells them: none of the
/// unified one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy<'a> {
    /// The directory.
    pub path: &'a str,
    /// Their names.
    pub controllers: Vec<&'a str>,
    /// 1 or 2.
    pub version: u8,
}

/// Looks at the mounts of this process.
pub fn examine() -> Cgroups {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let hierarchies = hierarchies(&mounts);
    Cgroups {
        layout: layout(&hierarchies),
        controllers: hierarchies.iter().flat_map(controllers).collect(),
    }
}

/// Those that `mounts`, the text of `/proc/self/mounts`, names.
pub(super) fn hierarchies(mounts: &str) -> Vec<Hierarchy<'_>> {
    mounts.lines().filter_map(hierarchy).collect()
}

/// A line of `/proc/self/mounts`: device, path, type, options.
fn hierarchy(mount: &str) -> Option<Hierarchy<'_>> {
    let mut fields = mount.split(' ').skip(1);
    let (path, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
    let (version, controllers) = match kind {
        "cgroup2" => (2, Vec::new()),
        "cgroup" => (1, options.split(',').filter(is_controller).collect()),
        _ => return None,
    };
    Some(Hierarchy {
        path,
        controllers,
        version,
    })
}

/// The options of a version 1 hierarchy name its controllers, between those of any mount.
fn is_controller(option: &&str) -> bool {
    const OF_ANY_MOUNT: [&str; 10] = [
        "rw",
        "ro",
        "nosuid",
        "nodev",
        "noexec",
        "relatime",
        "noatime",
        "xattr",
        "noprefix",
        "clone_children",
    ];
    !OF_ANY_MOUNT.contains(option) && !option.contains('=')
}

fn layout(hierarchies: &[Hierarchy<'_>]) -> Layout {
    let any = |version| hierarchies.iter().any(|one| one.version == version);
    match (any(1), any(2)) {
        (false, false) => Layout::None,
        (true, false) => Layout::V1,
        (false, true) => Layout::V2,
        (true, true) => Layout::Hybrid,
    }
}

fn controllers(hierarchy: &Hierarchy<'_>) -> Vec<Controller> {
    let path = Path::new(hierarchy.path);
    let unified = fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
    let names = match hierarchy.version {
        1 => hierarchy.controllers.clone(),
        _ => unified.split_whitespace().collect(),
    };
    let writable = access(path, Access::WRITE_OK).is_ok();
    let controller = |name: &str| Controller {
        name: name.to_owned(),
        version: hierarchy.version,
        writable,
    };
    names.into_iter().map(controller).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n";
    const NAMED: &str = "systemd /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n";
    const V2: &str = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n";

    fn layout_of(mounts: &str) -> Layout {
        layout(&hierarchies(mounts))
    }

    #[test]
    fn the_layout_follows_from_the_kinds_of_mounts() {
        assert_eq!(layout_of("tmpfs /sys/fs/cgroup tmpfs rw 0 0"), Layout::None);
        assert_eq!(layout_of(V1), Layout::V1);
        assert_eq!(layout_of(V2), Layout::V2);
        assert_eq!(layout_of(&[V1, V2].concat()), Layout::Hybrid);
    }

    #[test]
    fn the_controllers_stand_among_the_mount_options() {
        assert_eq!(hierarchies(V1)[0].controllers, ["cpu", "cpuacct"]);
        assert!(hierarchies(NAMED)[0].controllers.is_empty());
    }

    #[test]
    fn a_torn_line_is_no_hierarchy() {
        assert_eq!(hierarchy("cgroup /sys/fs/cgroup"), None);
    }
}
