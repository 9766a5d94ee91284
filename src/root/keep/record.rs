//! What a keep belongs to.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::image::{Base, ImageConfig};

/// The contents of `keep.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name of the image that it was made for.
    pub image: String,
    /// How that image is run, for the image that the keep may become.
    pub config: ImageConfig,
    /// The files of that image: the keep holds changes to them, and to no others.
    pub base: Base,
    /// The most bytes that it can hold.
    pub size: u64,
}

impl Record {
    /// None if there is no such file.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let partial = path.with_extension("part");
        serde_json::to_writer(File::create(&partial)?, self)?;
        fs::rename(&partial, path)
    }
}
