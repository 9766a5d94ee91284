//! Images: whatever a user has becomes one read-only base file and a configuration.
//!
//! A [`Store`] holds bases by the digest of their content. [`Store::resolve`] is the one question
//! that a run asks. An archive is applied to a [`tree`] in memory, and the tree is written as one
//! file system, so nothing in an archive ever names a path of the host. This module knows no
//! mounts, no walls and no guests.

mod archive;
mod beneath;
mod config;
mod content;
mod digest;
pub mod erofs;
mod error;
mod export;
pub mod layer;
mod name;
mod platform;
mod progress;
mod registry;
mod snapshot;
mod source;
mod spool;
mod store;
pub mod tree;
mod unpack;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use config::ImageConfig;
pub use content::Content;
pub use digest::{Digest, DigestError};
pub use error::{ImageError, SourceError};
pub use name::{Name, NameError};
pub use platform::{Platform, PlatformError};
pub use snapshot::snapshot;
pub use spool::{Spool, TooLarge};
pub use store::{BaseLock, Collected, Listed, Store};

/// What there is to run: the files, and how their maker wants them run.
#[derive(Clone, Debug, Serialize)]
pub struct Image {
    /// What the user calls it: a name of the store, or a path.
    pub name: String,
    /// The digest of the OCI manifest or of a docker archive's configuration; where there is
    /// neither, that of the base and the configuration.
    pub digest: Digest,
    /// The files.
    pub base: Base,
    /// How its maker wants it run.
    pub config: ImageConfig,
    /// Keeps the base from being collected while this lives.
    #[serde(skip)]
    lock: BaseLock,
}

impl Image {
    /// What keeps the base from being collected; a copy of it keeps it as well.
    pub fn lock(&self) -> &BaseLock {
        &self.lock
    }
}

/// One read-only file that holds a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Where it is.
    pub path: PathBuf,
    /// The digest of the whole file.
    pub digest: Digest,
    /// What file system it holds.
    pub format: Format,
}

/// A file system that a base can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What bases made here are.
    Erofs,
    /// ext2, ext3 or ext4.
    Ext4,
    /// squashfs
    Squashfs,
}

impl Format {
    /// The name by which `mount` and the kernel know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Ext4 => "ext4",
            Self::Squashfs => "squashfs",
        }
    }
}

/// What an import may be told.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// Which of several platforms to take.
    pub platform: Platform,
    /// The most bytes that an image may unpack to.
    pub max_size: u64,
}

impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            platform: Platform::host(),
            max_size: 16 << 30,
        }
    }
}
