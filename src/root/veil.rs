//! A view of the host in which there are no control groups, for a program that makes some in
//! every hierarchy that it sees, and fails where it may not.
//!
//! A user namespace cannot unmount what was mounted before it was made. So the view is put
//! together anew: every directory of `/` as it is, but a `/sys` of its own.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::mount::{self, MountError, Recipe};

/// What the view has of its own.
const SYS: &str = "sys";

/// Why control groups are still seen.
#[derive(Debug, thiserror::Error)]
pub enum VeilError {
    /// No namespaces for it.
    #[error("cannot make a view of the host without control groups")]
    View(#[source] io::Error),
    /// A file system of its own is missing.
    #[error("cannot furnish a view of the host without control groups")]
    Mount(#[from] MountError),
    /// Something of the host is missing.
    #[error("cannot show {path} in a view of the host without control groups")]
    Show {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Hides them from this process, which has one thread, and from its children. The view is put
/// together on the directory `at`, which the view shows as it is.
///
/// # Errors
/// The host refuses; the process is good for nothing then.
pub fn hide_control_groups(at: &Path) -> Result<(), VeilError> {
    // A sysfs shows the network of who mounts it, who has to be its root.
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWNET;
    // SAFETY: file descriptors stay shared, which is all that could surprise another thread.
    unsafe { unshare_unsafe(flags) }.map_err(|errno| VeilError::View(errno.into()))?;
    // Whom pivot_root(2) leaves is nobody's peer.
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM,
    )
    .map_err(|errno| VeilError::View(errno.into()))?;
    let entries = fs::read_dir("/").and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(|source| shown("/", source))?;
    furnish(Recipe::new("tmpfs").text("mode", "755"), at)?;
    for entry in entries.iter().filter(|entry| entry.file_name() != SYS) {
        show(entry, at).map_err(|source| shown(entry.path(), source))?;
    }
    let sys = at.join(SYS);
    fs::create_dir(&sys).map_err(|source| shown("/sys", source))?;
    furnish(Recipe::new("sysfs"), &sys)?;
    let groups = sys.join("fs/cgroup");
    if groups.exists() {
        furnish(Recipe::new("tmpfs").flag("ro"), &groups)?;
    }
    enter(at).map_err(VeilError::View)
}

fn furnish(recipe: Recipe, at: &Path) -> Result<(), VeilError> {
    let place = File::open(at).map_err(|source| shown(at, source))?;
    Ok(recipe.private().mount_on(place.as_fd(), at)?)
}

/// Shows an `entry` of `/` in the view, with all that is mounted below it.
fn show(entry: &DirEntry, view: &Path) -> io::Result<()> {
    let (from, to) = (entry.path(), view.join(entry.file_name()));
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    match kind.is_dir() {
        true => fs::create_dir(&to)?,
        false => drop(File::create_new(&to)?),
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place = openat(CWD, &to, flags, Mode::empty())?;
    let tree = mount::clone_tree(&from)?;
    Ok(mount::place_tree(tree.as_fd(), place.as_fd())?)
}

/// Makes `view` the root, and lets go of what was.
fn enter(view: &Path) -> io::Result<()> {
    chdir(view)?;
    // pivot_root(2): without a place for it, the old root lies on top of the new one.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(chdir("/")?)
}

fn shown(path: impl Into<PathBuf>, source: io::Error) -> VeilError {
    VeilError::Show {
        path: path.into(),
        source,
    }
}
