//! The directories that a group is, in each hierarchy, and the files in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process};

use super::CgroupError;
use super::handed_on;
use super::layout::{self, Hierarchy};
use crate::name::is_plain;

/// All of our groups are below this one.
pub(super) const PARENT: &str = "vmm";

/// The longest name of a group.
const NAME_MAX: usize = 128;

/// What we limit, count and stop by.
const WANTED: [&str; 5] = ["cpu", "cpuacct", "memory", "pids", "freezer"];

/// What the unified hierarchy has without a controller of that name.
const BUILT_IN: [&str; 2] = ["cpuacct", "freezer"];

/// The hierarchies of a host.
#[derive(Debug)]
pub(super) struct Tree(Vec<Branch>);

/// One of them, and what it has of what we want; or what was handed on to us of it: the group
/// that we stand in.
#[derive(Clone, Debug)]
struct Branch {
    path: PathBuf,
    version: u8,
    controllers: Vec<String>,
    is_handed_on: bool,
}

impl Tree {
    /// As they are mounted here.
    pub(super) fn of_this_host() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::of(&layout::hierarchies(&mounts), &own)
    }

    /// `own` is the text of `/proc/self/cgroup`.
    fn of(hierarchies: &[Hierarchy<'_>], own: &str) -> Self {
        let branch = |hierarchy| Branch::of(hierarchy, own);
        let mut branches: Vec<Branch> = hierarchies.iter().map(branch).collect();
        // Beside others, the unified hierarchy is looked at for what only it has.
        if branches.iter().any(|branch| branch.version == 1) {
            let unified = branches.iter_mut().filter(|branch| branch.version == 2);
            unified.for_each(Branch::forget_what_is_built_in);
        }
        Self(branches)
    }

    /// Whether some hierarchy has `controller`, and lets us use it.
    pub(super) fn can(&self, controller: &str) -> bool {
        let mut branches = self.0.iter();
        branches.any(|branch| branch.has(controller) && branch.is_ours())
    }

    /// Whether some hierarchy has `controller`.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.0.iter().any(|branch| branch.has(controller))
    }

    /// Whether there are hierarchies, and all of them let us make groups at their top.
    pub(super) fn is_usable(&self) -> bool {
        let is_whole = |branch: &Branch| !branch.is_handed_on && branch.is_ours();
        !self.0.is_empty() && self.0.iter().all(is_whole)
    }

    /// Leaves the groups whose controllers are to be handed on to others.
    pub(super) fn step_aside(&self) -> Result<(), CgroupError> {
        let left =
            |branch: &&Branch| branch.is_handed_on && branch.version == 2 && branch.is_ours();
        let mut left = self.0.iter().filter(left);
        left.try_for_each(|branch| handed_on::leave(&branch.path))
    }

    /// The directories that the group `name` is, or may be, whoever makes it.
    pub(super) fn groups(self, name: &str) -> Result<Vec<Group>, CgroupError> {
        if !is_plain(name, NAME_MAX) {
            return Err(CgroupError::Name(name.to_owned()));
        }
        let usable = self.0.into_iter().filter(Branch::is_ours);
        Ok(usable.map(|branch| branch.group(name)).collect())
    }
}

impl Branch {
    fn of(hierarchy: &Hierarchy<'_>, own: &str) -> Self {
        let top = PathBuf::from(hierarchy.path);
        let handed_on = handed_on::group(hierarchy, own).filter(|_| !is_writable(&top));
        let is_handed_on = handed_on.is_some();
        let path = handed_on.unwrap_or(top);
        let unified = fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
        let mut names: Vec<&str> = hierarchy.controllers.clone();
        if hierarchy.version == 2 {
            names.extend(unified.split_whitespace().chain(BUILT_IN));
        }
        names.retain(|name| WANTED.contains(name));
        Self {
            path,
            version: hierarchy.version,
            controllers: names.into_iter().map(str::to_owned).collect(),
            is_handed_on,
        }
    }

    fn forget_what_is_built_in(&mut self) {
        self.controllers
            .retain(|name| !BUILT_IN.contains(&name.as_str()));
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// Whether we can make groups that work in it.
    fn is_ours(&self) -> bool {
        let has_room = || self.version == 1 || handed_on::can_be_left(&self.path);
        is_writable(&self.path) && (!self.is_handed_on || has_room())
    }

    fn group(self, name: &str) -> Group {
        Group {
            path: self.path.join(PARENT).join(name),
            top: self.path,
            version: self.version,
            controllers: self.controllers,
        }
    }
}

pub(super) fn is_writable(group: &Path) -> bool {
    access(group, Access::WRITE_OK).is_ok()
}

/// The group in one hierarchy: a directory.
#[derive(Debug)]
pub(super) struct Group {
    /// The directory.
    pub path: PathBuf,
    /// Where its hierarchy is mounted.
    top: PathBuf,
    /// 1 or 2.
    pub version: u8,
    controllers: Vec<String>,
}

impl Group {
    /// Whether `controller` is at work in it.
    pub(super) fn can(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// Whether there is anything in it that we want.
    pub(super) fn is_wanted(&self) -> bool {
        !self.controllers.is_empty()
    }

    /// Makes the directory, and that of the parent.
    pub(super) fn create(&self) -> Result<(), CgroupError> {
        let parent = self.top.join(PARENT);
        if self.version == 2 {
            self.delegate(&self.top)?;
        }
        make(&parent)?;
        if self.version == 2 {
            self.delegate(&parent)?;
        }
        make(&self.path)
    }

    /// A controller of the unified hierarchy works in a group when its parent says so.
    fn delegate(&self, parent: &Path) -> Result<(), CgroupError> {
        make(parent)?;
        let names = self.controllers.iter();
        let names = names.filter(|name| !BUILT_IN.contains(&name.as_str()));
        let words: Vec<String> = names.map(|name| format!("+{name}")).collect();
        write(&parent.join("cgroup.subtree_control"), &words.join(" "))
    }

    /// Writes to one of its files.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), CgroupError> {
        write(&self.path.join(file), value)
    }

    /// What one of its files says; nothing where there is none.
    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap_or_default()
    }

    /// Whether it has such a file.
    pub(super) fn offers(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    /// Kills what is in it, at once where the kernel can.
    pub(super) fn kill(&self) {
        if self.version == 2 && self.write("cgroup.kill", "1").is_ok() {
            return;
        }
        let procs = self.read("cgroup.procs");
        // 0 is a process of another namespace, and to kill it would be to kill ourselves.
        let pids = procs
            .lines()
            .filter_map(|line| Pid::from_raw(line.parse().ok()?));
        for pid in pids {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

pub(super) fn make(path: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(CgroupError::Create(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    let refused = |error| CgroupError::Write(path.to_owned(), value.to_owned(), error);
    // Never creates: a file that is not there is a controller that is not there.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(refused)?;
    io::Write::write_all(&mut file, value.as_bytes()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(mounts: &str) -> Tree {
        Tree::of(&layout::hierarchies(mounts), "0::/\n")
    }

    const V1: &str = "cgroup /nowhere/memory cgroup rw,memory 0 0\n";
    const V2: &str = "cgroup2 /nowhere/unified cgroup2 rw 0 0\n";

    #[test]
    fn the_unified_hierarchy_can_freeze_and_count_where_it_is_alone() {
        assert!(tree(V2).has("freezer"));
        assert!(tree(V2).has("cpuacct"));
        assert!(!tree(&[V1, V2].concat()).has("freezer"));
        assert!(tree(&[V1, V2].concat()).has("memory"));
    }

    #[test]
    fn what_cannot_be_written_cannot_be_used() {
        assert!(!tree(V1).can("memory"));
        assert!(!tree(V1).is_usable());
        assert!(!tree("").is_usable());
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(tree(V1).groups("../x").is_err());
    }
}
