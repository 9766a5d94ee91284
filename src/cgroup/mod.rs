//! Control groups: how much of the host some processes may use together, and what they have
//! used; on hosts with one hierarchy for each controller (v1), one for all (v2), or both.
//!
//! It knows nothing of what runs in a group.
//!
//! ```text
//! Cgroup::prepare(limits)        before anything else
//! Cgroup::create(name, limits)   a directory in every hierarchy that matters
//! procs_paths                    where a process writes "0" to join
//! statistics, freeze, kill
//! remove                         waits until the last process is gone
//! ```

mod entrance;
mod handed_on;
mod layout;
mod limits;
mod statistics;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use entrance::Entrance;
pub use layout::{Cgroups, Controller, Layout, examine};
pub use limits::{Limits, LimitsError};
pub use statistics::Statistics;

use tree::{Group, Tree};

/// How long processes that were killed may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at a group that is not empty yet.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Why a group cannot be had, or not be got rid of.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A limit that this host cannot keep.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A name that is no name.
    #[error("a control group is not called {0:?}: letters, digits, \"-\", \"_\" and \".\" only")]
    Name(String),
    /// No directory.
    #[error("cannot make control group {0}")]
    Create(PathBuf, #[source] io::Error),
    /// A setting that is not taken.
    #[error("cannot write {1:?} to {0}")]
    Write(PathBuf, String, #[source] io::Error),
    /// Processes that do not end, or a group below it.
    #[error("cannot remove control group {0}")]
    Remove(PathBuf, #[source] io::Error),
}

/// A group of processes.
#[derive(Debug)]
pub struct Cgroup {
    groups: Vec<Group>,
    oci_path: Option<PathBuf>,
}

impl Cgroup {
    /// Gets ready for a group with `limits`, before anything is started and before this process
    /// has a user namespace.
    ///
    /// # Errors
    /// This host cannot keep them: the sentence names the limit and the controller that it needs.
    pub fn prepare(limits: &Limits) -> Result<(), CgroupError> {
        let tree = Tree::of_this_host();
        limits.check(&tree)?;
        tree.step_aside()
    }

    /// Makes the group `vmm/name` with these limits.
    ///
    /// # Errors
    /// A limit cannot be kept here, or the host refuses; nothing is left behind.
    pub fn create(name: &str, limits: &Limits) -> Result<Self, CgroupError> {
        let mut group = Self::planned(name, limits)?;
        group.groups.retain(Group::is_wanted);
        group.set_up(limits).inspect_err(|_| {
            let _ = group.remove();
        })?;
        Ok(group)
    }

    /// The group `vmm/name`, which somebody else will make with these limits.
    ///
    /// # Errors
    /// A limit cannot be kept here: the sentence names it and the controller that it needs.
    pub fn planned(name: &str, limits: &Limits) -> Result<Self, CgroupError> {
        let tree = Tree::of_this_host();
        limits.check(&tree)?;
        Self::of(tree, name)
    }

    /// The group `vmm/name`, which somebody else has made.
    ///
    /// # Errors
    /// The name is none.
    pub fn open(name: &str) -> Result<Self, CgroupError> {
        Self::of(Tree::of_this_host(), name)
    }

    fn of(tree: Tree, name: &str) -> Result<Self, CgroupError> {
        Ok(Self {
            oci_path: tree.is_usable().then(|| Self::path(name)),
            groups: tree.groups(name)?,
        })
    }

    /// The group `vmm/name` as `/proc/PID/cgroup` tells it, where our own is the root.
    pub fn path(name: &str) -> PathBuf {
        Path::new("/").join(tree::PARENT).join(name)
    }

    /// As the configuration of a container calls it; nothing where not every hierarchy lets us
    /// make groups.
    pub fn oci_path(&self) -> Option<&Path> {
        self.oci_path.as_deref()
    }

    fn set_up(&self, limits: &Limits) -> Result<(), CgroupError> {
        for group in &self.groups {
            group.create()?;
            for (file, value) in limits.settings(group) {
                group.write(file, &value)?;
            }
        }
        Ok(())
    }

    /// The files that a process joins the group by: it writes "0" to each.
    pub fn procs_paths(&self) -> Vec<PathBuf> {
        let groups = self.groups.iter();
        groups
            .map(|group| group.path.join("cgroup.procs"))
            .collect()
    }

    /// The way in for a program that is about to be started.
    pub fn entrance(&self) -> Entrance {
        Entrance::of(self.procs_paths())
    }

    /// Puts the process `pid` into the group.
    ///
    /// # Errors
    /// It has ended, or the host refuses.
    pub fn add(&self, pid: u32) -> Result<(), CgroupError> {
        let mut groups = self.groups.iter();
        groups.try_for_each(|group| group.write("cgroup.procs", &pid.to_string()))
    }

    /// What its processes have used so far.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.groups)
    }

    /// Lets no process of the group go on, or all.
    ///
    /// # Errors
    /// The host has no freezer, or refuses.
    pub fn freeze(&self, frozen: bool) -> Result<(), CgroupError> {
        let Some(group) = self.groups.iter().find(|group| group.can("freezer")) else {
            return Err(LimitsError::without("a pause", "freezer", &Tree::of_this_host()).into());
        };
        match (group.version, frozen) {
            (1, true) => group.write("freezer.state", "FROZEN"),
            (1, false) => group.write("freezer.state", "THAWED"),
            (_, frozen) => group.write("cgroup.freeze", if frozen { "1" } else { "0" }),
        }
    }

    /// Kills every process of the group, frozen ones as well.
    pub fn kill(&self) {
        for group in &self.groups {
            group.kill();
        }
        // A kill reaches a frozen process of version 1 only when it thaws.
        let _ = self.freeze(false);
    }

    /// Kills what is left in the group, waits for its end, and removes the group; one that is
    /// not there is no error.
    ///
    /// # Errors
    /// Something stays.
    pub fn remove(&self) -> Result<(), CgroupError> {
        let deadline = Instant::now() + PATIENCE;
        self.groups
            .iter()
            .try_for_each(|group| self.remove_one(group, deadline))
    }

    fn remove_one(&self, group: &Group, deadline: Instant) -> Result<(), CgroupError> {
        loop {
            match fs::remove_dir(&group.path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if is_busy(&error) && Instant::now() < deadline => self.kill(),
                Err(error) => return Err(CgroupError::Remove(group.path.clone(), error)),
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ResourceBusy
}
