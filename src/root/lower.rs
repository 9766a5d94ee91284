//! The base, read-only and shared: mounted by a loop device, which all its runs have in common.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::loop_device::{Access, LoopDevice, LoopError};
use super::mount::{Mount, MountError, Recipe};
use super::workbench::Workbench;
use crate::image::{Base, Format};

/// Why a base is not there to be read.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// The file cannot be opened.
    #[error("cannot open the base {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot become a block device.
    #[error("cannot attach the base {path} to a loop device")]
    Loop {
        /// Which.
        path: PathBuf,
        /// Why.
        source: LoopError,
    },
    /// The device cannot be mounted.
    #[error("cannot mount the base {path}")]
    Mount {
        /// Which.
        path: PathBuf,
        /// Why.
        source: MountError,
    },
}

/// A base as a directory.
#[derive(Debug)]
pub struct Lower {
    mount: Mount,
}

impl Lower {
    /// Shows `base` as a directory.
    ///
    /// # Errors
    /// It is no file system of that kind, or the host cannot mount it; the sentence has the
    /// remedy.
    pub fn mount(workbench: &Workbench, base: &Base) -> Result<Self, LowerError> {
        let path = || base.path.clone();
        let file = File::open(&base.path).map_err(|source| LowerError::Open {
            path: path(),
            source,
        })?;
        let device = LoopDevice::of(&file, Access::Shared).map_err(|source| LowerError::Loop {
            path: path(),
            source,
        })?;
        let mount = recipe(base.format)
            .path("source", device.path())
            .mount(&workbench.place("lower"))
            .map_err(|source| LowerError::Mount {
                path: path(),
                source,
            })?;
        Ok(Self { mount })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }
}

fn recipe(format: Format) -> Recipe {
    match format {
        Format::Erofs => Recipe::new("erofs"),
        Format::Squashfs => Recipe::new("squashfs"),
        // noload: what a crash left in the journal stays there, as nothing may be written. And
        // a file system can ask for a panic of the kernel that finds a fault in it.
        Format::Ext4 => Recipe::new("ext4")
            .flag("noload")
            .text("errors", "continue"),
    }
    .flag("ro")
    .layer()
}
