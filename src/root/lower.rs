//! The base, read-only and shared: mounted by a loop device, which all its runs have in common,
//! or extracted, for who may not mount.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::extract::{ExtractError, extracted};
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
    /// The files cannot be extracted, where this user may not mount.
    #[error("cannot extract the base {path}")]
    Extract {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ExtractError,
    },
}

impl LowerError {
    fn is_of_rights(&self) -> bool {
        match self {
            Self::Loop { source, .. } => source.is_of_rights(),
            Self::Mount { source, .. } => source.is_of_rights(),
            Self::Open { .. } | Self::Extract { .. } => false,
        }
    }
}

/// A base as a directory.
#[derive(Debug)]
pub struct Lower {
    path: PathBuf,
    // Holds it, where it is mounted.
    _mount: Option<Mount>,
}

impl Lower {
    /// Shows `base` as a directory: mounted, or extracted where this user may not mount.
    ///
    /// # Errors
    /// It is no file system of that kind, or the host cannot show it; the sentence has the
    /// remedy.
    pub fn mount(workbench: &Workbench, base: &Base) -> Result<Self, LowerError> {
        if workbench.is_rootless() {
            return Self::extract(workbench, base);
        }
        match mount(workbench, base) {
            Ok(mount) => Ok(Self {
                path: mount.path().to_owned(),
                _mount: Some(mount),
            }),
            Err(error) if error.is_of_rights() => Self::extract(workbench, base),
            Err(error) => Err(error),
        }
    }

    fn extract(workbench: &Workbench, base: &Base) -> Result<Self, LowerError> {
        let extracted = extracted(base, workbench.trees(), workbench.ids());
        let path = extracted.map_err(|source| LowerError::Extract {
            path: base.path.clone(),
            source,
        })?;
        Ok(Self { path, _mount: None })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn mount(workbench: &Workbench, base: &Base) -> Result<Mount, LowerError> {
    let path = || base.path.clone();
    let file = File::open(&base.path).map_err(|source| LowerError::Open {
        path: path(),
        source,
    })?;
    let device = LoopDevice::of(&file, Access::Shared).map_err(|source| LowerError::Loop {
        path: path(),
        source,
    })?;
    recipe(base.format)
        .path("source", device.path())
        .mount(&workbench.place("lower"))
        .map_err(|source| LowerError::Mount {
            path: path(),
            source,
        })
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
