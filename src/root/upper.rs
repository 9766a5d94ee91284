//! What a run writes: kept in memory and forgotten.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::mount::{Mount, MountError, Recipe};
use super::workbench::Workbench;

/// Why there is no upper layer.
#[derive(Debug, thiserror::Error)]
pub enum UpperError {
    /// It cannot be mounted.
    #[error("cannot mount the upper layer")]
    Mount(#[source] MountError),
    /// Its two directories cannot be made.
    #[error("cannot make the directories of the upper layer at {at}")]
    Directories {
        /// Where.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file system with the two directories that overlayfs wants.
#[derive(Debug)]
pub struct Upper {
    mount: Mount,
}

impl Upper {
    /// In memory, up to `size` bytes, gone with the run.
    ///
    /// # Errors
    /// A tmpfs cannot be mounted.
    pub fn memory(workbench: &Workbench, size: u64) -> Result<Self, UpperError> {
        let mount = Recipe::new("tmpfs")
            .text("size", &size.to_string())
            .text("mode", "700")
            .layer()
            .mount(&workbench.place("upper"))
            .map_err(UpperError::Mount)?;
        Self::of(mount)
    }

    fn of(mount: Mount) -> Result<Self, UpperError> {
        let upper = Self { mount };
        for directory in [upper.changes(), upper.scratch()] {
            fs::create_dir_all(&directory).map_err(|source| UpperError::Directories {
                at: directory,
                source,
            })?;
        }
        Ok(upper)
    }

    /// The directory of what differs from the base.
    pub fn changes(&self) -> PathBuf {
        self.mount.path().join("upper")
    }

    /// The directory that overlayfs works in.
    pub(super) fn scratch(&self) -> PathBuf {
        self.mount.path().join("work")
    }
}
