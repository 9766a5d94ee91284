//! What a run writes: in memory and forgotten, or in a keep.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::keep::{Keep, KeepError, KeepName};
use super::loop_device::{Access, LoopDevice, LoopError};
use super::mount::{Mount, MountError, Recipe};
use super::workbench::Workbench;

/// How long the kernel may take to let go of the mounts of a process that was killed.
const LET_GO: Duration = Duration::from_secs(2);

/// Why there is no upper layer.
#[derive(Debug, thiserror::Error)]
pub enum UpperError {
    /// Memory cannot be mounted.
    #[error("cannot mount an upper layer in memory")]
    Memory(#[source] MountError),
    /// A keep is mounted as ext4, which a user namespace may not do.
    #[error(
        "keep '{0}' can only be mounted by the host's root: run as root, or use it behind --wall vm"
    )]
    Rootless(KeepName),
    /// The keep is not fit to be mounted.
    #[error(transparent)]
    Keep(KeepError),
    /// A process of an earlier run is still in it.
    #[error(
        "keep '{0}' is still mounted by what an earlier run left behind: end those processes first"
    )]
    StillMounted(KeepName),
    /// The keep cannot be a block device.
    #[error("cannot attach keep '{name}' to a loop device")]
    Loop {
        /// Which.
        name: KeepName,
        /// Why.
        source: LoopError,
    },
    /// The keep cannot be mounted.
    #[error("cannot mount keep '{name}'")]
    Mount {
        /// Which.
        name: KeepName,
        /// Why.
        source: MountError,
    },
    /// A file or directory of it cannot be used.
    #[error("cannot use {at}")]
    File {
        /// Which.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file system with the two directories that overlayfs wants.
#[derive(Debug)]
pub struct Upper {
    // Dropped in this order: a keep is another's when it is no longer mounted.
    mount: Mount,
    _keep: Option<Keep>,
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
            .map_err(UpperError::Memory)?;
        Self { mount, _keep: None }.with_directories()
    }

    /// In `keep`, which is this run's until the upper layer is dropped.
    ///
    /// # Errors
    /// The keep cannot be mounted; the sentence has the remedy.
    pub fn keep(workbench: &Workbench, keep: Keep) -> Result<Self, UpperError> {
        if workbench.is_rootless() {
            return Err(UpperError::Rootless(keep.name().clone()));
        }
        let image = keep.image_for_host().map_err(UpperError::Keep)?;
        let device = attach(&image, keep.name())?;
        let mount = Recipe::new("ext4")
            .path("source", device.path())
            // Not what the file system asks for, which may be a panic.
            .text("errors", "remount-ro")
            // What is deleted is a hole again.
            .flag("discard")
            .layer()
            .mount(&workbench.place("upper"))
            .map_err(|source| UpperError::Mount {
                name: keep.name().clone(),
                source,
            })?;
        Self {
            mount,
            _keep: Some(keep),
        }
        .with_directories()
    }

    fn with_directories(self) -> Result<Self, UpperError> {
        for directory in [self.changes(), self.scratch()] {
            fs::create_dir_all(&directory).map_err(|source| failed(&directory, source))?;
        }
        Ok(self)
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

/// A device for `image` alone. Its lock says that no run has it; that no device shows it says
/// that no process is left of one either.
fn attach(image: &Path, name: &KeepName) -> Result<LoopDevice, UpperError> {
    let options = File::options().read(true).write(true).open(image);
    let file = options.map_err(|source| failed(image, source))?;
    let loop_failed = |source| UpperError::Loop {
        name: name.clone(),
        source,
    };
    let deadline = Instant::now() + LET_GO;
    while LoopDevice::is_shown(&file).map_err(loop_failed)? {
        if Instant::now() >= deadline {
            return Err(UpperError::StillMounted(name.clone()));
        }
        // The kernel tells nobody when a loop device is free.
        thread::sleep(Duration::from_millis(2));
    }
    LoopDevice::of(&file, Access::Exclusive).map_err(loop_failed)
}

fn failed(path: &Path, source: io::Error) -> UpperError {
    UpperError::File {
        at: path.to_owned(),
        source,
    }
}
