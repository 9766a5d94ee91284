//! A base as a directory, for who may not mount it: written once, and used by all later runs.
//!
//! It is said, as it costs time and room, and as such a directory is not quite the base: device
//! nodes need the host's root, and owners that the user namespace does not have become root.

mod by_tool;
mod erofs;
mod image;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::namespace::Ids;
use crate::image::{Base, Format};
use crate::output::say;

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The base is damaged.
    #[error("the EROFS is damaged: {0}")]
    Damaged(&'static str),
    /// The base is compressed, which is the kernel's to read.
    #[error("the EROFS is compressed: run as root, or import a directory or an OCI image instead")]
    Compressed,
    /// A program that reads the file system is missing.
    #[error("cannot start {0}: install it ({1}), or run as root")]
    Start(&'static str, &'static str, #[source] io::Error),
    /// That program fails.
    #[error("{0} wrote nothing: {1}")]
    Tool(&'static str, String),
}

/// What a directory of this user cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Omitted {
    devices: u64,
    owners: u64,
}

impl Omitted {
    fn say(self) {
        let Self { devices, owners } = self;
        if devices > 0 {
            say(format_args!("vmm: {devices} device nodes are left out"));
        }
        if owners > 0 {
            say(format_args!(
                "vmm: {owners} files are root's: their owners need ranges in /etc/subuid and /etc/subgid, and newuidmap (package uidmap)"
            ));
        }
    }
}

/// The directory with the files of `base`, in `trees`; another one for who has no owners to give.
pub(super) fn extracted(base: &Base, trees: &Path, ids: Ids) -> Result<PathBuf, ExtractError> {
    fs::create_dir_all(trees).map_err(|source| failed(trees, source))?;
    // Two runs that start together extract once.
    let path = trees.join("lock");
    let lock = File::create(&path).map_err(|source| failed(&path, source))?;
    lock.lock().map_err(|source| failed(&path, source))?;
    let tree = trees.join(match ids {
        Ids::All | Ids::Ranges => base.digest.hex(),
        Ids::RootOnly => base.digest.hex() + "-of-root",
    });
    if !tree.exists() {
        extract_whole(base, &tree)?;
    }
    Ok(tree)
}

/// The directory appears when it is whole; what a run that was killed has left is removed.
fn extract_whole(base: &Base, tree: &Path) -> Result<(), ExtractError> {
    say(format_args!(
        "vmm: this user may not mount a base: its files are extracted to {}, once",
        tree.display()
    ));
    let part = tree.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|source| failed(&part, source))?;
    }
    match base.format {
        Format::Erofs => erofs::extract(&base.path, &part)?.say(),
        Format::Ext4 => by_tool::debugfs(&base.path, &part)?,
        Format::Squashfs => by_tool::unsquashfs(&base.path, &part)?,
    }
    fs::rename(&part, tree).map_err(|source| failed(tree, source))
}

fn failed(path: &Path, source: io::Error) -> ExtractError {
    ExtractError::File {
        path: path.to_owned(),
        source,
    }
}
