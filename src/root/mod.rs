//! The tree that a command sees, put together on the host: the base, read-only and shared by
//! all who run it, below an upper layer of one's own.
//!
//! It knows nothing of images but the file that one became ([`crate::image::Base`]), and nothing of the wall
//! that the tree is for. Every mount is made in a mount namespace of this process, so that
//! nothing is left behind by whatever ends it, `kill -9` as well.
//!
//! ```text
//! namespace::unshare_mounts       while the process has one thread
//! Workbench::set_up               where mounts are made, seen by nobody else
//! Lower::mount(base)              loop device and page cache shared with every other run
//! Upper::memory | Upper::keep     what this run writes
//! Root::mount(lower, upper)       overlayfs: Root::path is the tree
//! enter::View                     for the process wall: /proc, /dev and volumes in it
//! ```

mod diff;
pub mod enter;
mod extract;
mod id_map;
mod keep;
mod loop_device;
mod lower;
mod mark;
mod mount;
pub mod namespace;
mod upper;
pub mod veil;
mod workbench;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

pub use diff::{Change, DiffError, Kind, diff};
pub use extract::ExtractError;
pub use keep::{
    DEFAULT_SIZE, FileSystemError, Keep, KeepError, KeepName, KeepNameError, Keeps, Listed, Owner,
    Record,
};
pub use loop_device::LoopError;
pub use lower::{Lower, LowerError};
pub use mark::{Mark, MarkError, read as read_mark};
pub use mount::MountError;
pub use upper::{Upper, UpperError};
pub use workbench::{Workbench, WorkbenchError};

use mount::{Mount, Recipe};

/// Why base and upper layer could not become one tree.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The upper layer cannot look like the base.
    #[error("cannot prepare the upper layer at {at}")]
    Prepare {
        /// Where.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The overlay cannot be mounted.
    #[error("cannot lay the upper layer over the base")]
    Overlay(#[source] MountError),
}

/// The merged tree; it is there until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Root {
    // Dropped in this order: what lies on top first.
    merged: Mount,
    upper: Upper,
    lower: Lower,
}

impl Root {
    /// Lays `upper` over `lower`.
    ///
    /// # Errors
    /// The kernel has no overlayfs, or refuses this one; `lower` and `upper` are unmounted.
    pub fn mount(workbench: &Workbench, lower: Lower, upper: Upper) -> Result<Self, RootError> {
        imitate(lower.path(), &upper.changes()).map_err(|source| RootError::Prepare {
            at: upper.changes(),
            source,
        })?;
        let merged = overlay(workbench, &lower, &upper).map_err(RootError::Overlay)?;
        Ok(Self {
            merged,
            upper,
            lower,
        })
    }

    /// Where the tree is, as this process and its children see it.
    pub fn path(&self) -> &Path {
        self.merged.path()
    }

    /// The layer that is written.
    pub fn upper(&self) -> &Upper {
        &self.upper
    }

    /// The layer below it.
    pub fn lower(&self) -> &Lower {
        &self.lower
    }
}

fn overlay(workbench: &Workbench, lower: &Lower, upper: &Upper) -> Result<Mount, MountError> {
    let mut recipe = Recipe::new("overlay")
        .path("lowerdir", &escaped(lower.path()))
        .path("upperdir", &upper.changes())
        .path("workdir", &upper.scratch());
    recipe = if let Some(mark) = workbench.mark() {
        // userxattr, where trusted.* is for the host's root only. It implies the options below.
        recipe.text("source", mark.as_str()).flag("userxattr")
    } else {
        // A guest's root writes any trusted.overlay.* into a keep: none may lead elsewhere.
        recipe
            .text("redirect_dir", "nofollow")
            .text("metacopy", "off")
            .text("index", "off")
    };
    // The image's device nodes are kept, and open nothing: the wall brings a /dev of its own.
    recipe.nodev().mount(&workbench.place("merged"))
}

/// A colon separates lower directories.
fn escaped(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes().iter();
    let escaped = bytes.flat_map(|byte| {
        let escape = matches!(byte, b':' | b'\\').then_some(b'\\');
        escape.into_iter().chain([*byte])
    });
    PathBuf::from(OsString::from_vec(escaped.collect()))
}

/// Gives `upper` the owner and mode of `lower`, which overlayfs shows as those of `/`; a keep
/// that has been written has those that it was given.
fn imitate(lower: &Path, upper: &Path) -> io::Result<()> {
    if fs::read_dir(upper)?.next().is_some() {
        return Ok(());
    }
    let shown = fs::metadata(lower)?;
    chown(upper, Some(shown.uid()), Some(shown.gid()))?;
    fs::set_permissions(upper, fs::Permissions::from_mode(shown.mode()))
}
