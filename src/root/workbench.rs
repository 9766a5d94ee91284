//! Where the mounts of this process are made: directories that only its namespace shows.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::mark::Mark;
use super::mount::{Mount, MountError, Recipe};
use super::namespace::{Ids, MountNamespace};

const PLACES: [&str; 3] = ["lower", "upper", "merged"];

/// Why there is no place for mounts.
#[derive(Debug, thiserror::Error)]
pub enum WorkbenchError {
    /// A directory cannot be made.
    #[error("cannot make the directory {at}")]
    Directory {
        /// Which.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no mark for it.
    #[error("cannot choose a mark for this run")]
    Mark(#[source] io::Error),
    /// The little tmpfs cannot be mounted.
    #[error("cannot hide the mounts of this run")]
    Hide(#[source] MountError),
}

/// A small tmpfs over a directory of the store; every run uses the same directory, and each
/// sees its own.
#[derive(Debug)]
pub struct Workbench {
    hidden: Mount,
    trees: PathBuf,
    ids: Ids,
    mark: Option<Mark>,
}

impl Workbench {
    /// Sets it up in the `namespace` of this process, in the store's directory.
    ///
    /// # Errors
    /// The store cannot be written, or a tmpfs not be mounted.
    pub fn set_up(namespace: &MountNamespace, store: &Path) -> Result<Self, WorkbenchError> {
        let at = store.join("mnt");
        make(&at)?;
        let hidden = Recipe::new("tmpfs")
            .text("size", "64K")
            .text("mode", "700")
            .mount(&at)
            .map_err(WorkbenchError::Hide)?;
        PLACES.iter().try_for_each(|place| make(&at.join(place)))?;
        let mark = namespace.is_rootless().then(Mark::random).transpose();
        Ok(Self {
            hidden,
            trees: store.join("trees"),
            ids: namespace.ids(),
            mark: mark.map_err(WorkbenchError::Mark)?,
        })
    }

    /// Whether a user namespace stands around it.
    pub(super) fn is_rootless(&self) -> bool {
        self.mark.is_some()
    }

    /// What the processes of the run show, where a user namespace stands around it.
    pub fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Which owners files can have.
    pub(super) fn ids(&self) -> Ids {
        self.ids
    }

    /// Where bases are extracted to.
    pub(super) fn trees(&self) -> &Path {
        &self.trees
    }

    /// The directory for one of the mounts.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.hidden.path().join(name)
    }
}

fn make(directory: &Path) -> Result<(), WorkbenchError> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    made.map_err(|source| WorkbenchError::Directory {
        at: directory.to_owned(),
        source,
    })
}
