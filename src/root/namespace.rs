//! A mount namespace for this process: what it mounts is seen by nobody else, and ends with it.
//!
//! Who may not have one has a user namespace around it, in which he is root.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::id_map::{self, IdMapError, Mapper};
use super::mount;
use crate::user_namespaces;

pub use super::id_map::Ids;

/// Why this process has no mount namespace of its own.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// It is too late for one.
    #[error("a mount namespace is made before any thread is started: {0} are running")]
    Threads(usize),
    /// This process cannot be looked at.
    #[error("cannot read {path}: is /proc mounted?")]
    Proc {
        /// What could not be read.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The host refuses.
    #[error(
        "this host refuses a mount namespace, even in a user namespace: run as root, or {remedy}"
    )]
    Refused {
        /// What else helps.
        remedy: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The user namespace has no users.
    #[error("cannot map users into the user namespace")]
    Ids(#[source] IdMapError),
    /// The host would see the mounts.
    #[error("cannot keep mounts from the host")]
    Propagation(#[source] io::Error),
}

/// Proof that this process has a mount namespace of its own.
#[derive(Debug)]
pub struct MountNamespace {
    ids: Ids,
    rootless: bool,
}

impl MountNamespace {
    /// Whether a user namespace stands around it: no file system of a block device can then be
    /// mounted.
    pub fn is_rootless(&self) -> bool {
        self.rootless
    }

    /// Refuses writes below `directory`, and to what is mounted below it.
    ///
    /// # Errors
    /// It cannot be opened, or the kernel is older than 5.12.
    pub fn protect(&self, directory: &Path) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let shown = mount::clone_tree(directory)?;
        mount::make_read_only(shown.as_fd(), mount::RECURSIVE)?;
        let place = openat(CWD, directory, flags, Mode::empty())?;
        Ok(mount::place_tree(shown.as_fd(), place.as_fd())?)
    }

    /// Which users exist in it.
    pub fn ids(&self) -> Ids {
        self.ids
    }
}

/// Moves this process, which has one thread, into a mount namespace of its own; in a new user
/// namespace as well where that is the only way.
///
/// Mounts of the host still arrive in it; none of its own ever leave.
///
/// # Errors
/// There are threads already, or the host refuses.
pub fn unshare_mounts() -> Result<MountNamespace, NamespaceError> {
    require_one_thread()?;
    let ids = match unshare(UnshareFlags::NEWNS) {
        Ok(()) => Ids::All,
        Err(Errno::PERM) => unshare_with_users()?,
        Err(errno) => return Err(refused(errno.into())),
    };
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM,
    )
    .map_err(|errno| match ids {
        Ids::All => NamespaceError::Propagation(errno.into()),
        // AppArmor lets a user namespace be made, and nothing be done in it.
        Ids::Ranges | Ids::RootOnly => refused(errno.into()),
    })?;
    Ok(MountNamespace {
        ids,
        rootless: ids != Ids::All || stands_in_user_namespace()?,
    })
}

fn unshare_with_users() -> Result<Ids, NamespaceError> {
    let mapper = Mapper::start().map_err(NamespaceError::Ids)?;
    unshare(UnshareFlags::NEWNS | UnshareFlags::NEWUSER).map_err(|errno| refused(errno.into()))?;
    mapper.map().map_err(|error| match error {
        // user_namespaces(7): one's own map can be written, unless AppArmor forbids it.
        IdMapError::Write { source, .. } if user_namespaces::remedy().is_some() => refused(source),
        error => NamespaceError::Ids(error),
    })
}

fn refused(source: io::Error) -> NamespaceError {
    let remedy =
        user_namespaces::remedy().unwrap_or("where this runs has to allow user namespaces");
    NamespaceError::Refused { remedy, source }
}

fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: file descriptors stay shared, which is all that could surprise another thread.
    unsafe { unshare_unsafe(flags) }
}

fn require_one_thread() -> Result<(), NamespaceError> {
    let path = "/proc/self/task";
    let tasks = fs::read_dir(path).map_err(|source| NamespaceError::Proc { path, source })?;
    match tasks.count() {
        0 | 1 => Ok(()),
        many => Err(NamespaceError::Threads(many)),
    }
}

/// Whether "root" is root of less than the host.
fn stands_in_user_namespace() -> Result<bool, NamespaceError> {
    let path = "/proc/self/uid_map";
    let map = fs::read_to_string(path).map_err(|source| NamespaceError::Proc { path, source })?;
    Ok(!id_map::is_of_the_host(&map))
}
