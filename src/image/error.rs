//! Why there is no image.

use std::io;
use std::path::PathBuf;

use super::config::ConfigError;
use super::digest::Digest;
use super::name::NameError;

/// Why the store cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file of the store cannot be used.
    #[error("cannot use {path} of the image store; VMM_STORE names another store")]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither the store nor the file system has it.
    #[error(
        "there is no image '{0}', and no file of that name: `vmm image list` shows what there is"
    )]
    Unknown(String),
    /// It cannot be a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Another image has the name.
    #[error("the name '{0}' is taken: choose another, or `vmm image remove {0}` first")]
    Taken(Name),
    /// What the user pointed to is no image that can be used.
    #[error("cannot import {path}")]
    Import {
        /// What the user pointed to.
        path: PathBuf,
        /// Why.
        source: SourceError,
    },
    /// A registry does not give it.
    #[error("cannot pull '{reference}'")]
    Pull {
        /// What the registry was asked for.
        reference: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot be written as an archive.
    #[error("cannot export to {path}")]
    Export {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An operation on the files of an image needs a base that was made here.
    #[error("'{0}' is a disk image, whose files are not taken apart: {1} is a copy to work with")]
    Disk(String, PathBuf),
}

use super::name::Name;

/// Why a file or directory is no image that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read, or the base cannot be written.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What happened.
        source: io::Error,
    },
    /// None of the kinds of images.
    #[error(
        "it is no image: neither an OCI layout, a docker archive, a directory, nor a disk image \
         that begins with an ext4, erofs or squashfs file system{0}"
    )]
    Unrecognized(&'static str),
    /// A blob is not what its digest says.
    #[error("{what} is damaged: its digest is {found}, not {expected}; fetch the image again")]
    Damaged {
        /// Which part of the image.
        what: String,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A document of the image cannot be understood.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// Which part of the image.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no choice, or there are too many.
    #[error("{0}")]
    Choice(String),
    /// The limit of --max-size.
    #[error("it unpacks to more than {0} bytes: --max-size allows more")]
    TooLarge(u64),
    /// Its configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A layer is not what it should be.
    #[error("layer {number}")]
    Layer {
        /// Which, counted from one.
        number: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SourceError {
    /// A closure that makes an error of what happened while `doing`.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
