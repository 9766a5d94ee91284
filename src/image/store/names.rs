//! Names of images.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::staged::Staged;
use super::{Record, Store};
use crate::image::digest::Digest;
use crate::image::error::ImageError;
use crate::image::name::Name;
use crate::image::{Format, Image};

/// A name, and what is known of its image.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The name.
    pub name: Name,
    /// The digest of the image.
    pub digest: Digest,
    /// The digest of its base.
    pub base: Digest,
    /// The file system of its base.
    pub format: Format,
    /// The size of its base in bytes.
    pub size: u64,
    /// What its programs are for.
    pub architecture: String,
}

impl Store {
    /// The image called `name`.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn named(&self, name: &Name) -> Result<Image, ImageError> {
        let _adding = self.adding()?;
        let unknown = || ImageError::Unknown(name.to_string());
        let digest = self.digest_of(name)?.ok_or_else(unknown)?;
        self.known(&name.to_string(), &digest).ok_or_else(unknown)
    }

    /// Calls `image` by `name`. Where another image is called that, `replace` decides.
    ///
    /// # Errors
    /// The name is taken, or cannot be written.
    pub fn tag(&self, image: &Image, name: &Name, replace: bool) -> Result<(), ImageError> {
        let _adding = self.adding()?;
        let path = self.name_path(name);
        if replace {
            return self.put(&path, image.digest.to_string());
        }
        let failed = |source| ImageError::Store {
            path: path.clone(),
            source,
        };
        let staged = Staged::new(&self.directory).map_err(failed)?;
        let mut file = staged.file();
        write!(file, "{}", image.digest).map_err(failed)?;
        match staged.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match self.digest_of(name)? {
                    Some(digest) if digest == image.digest => Ok(()),
                    _ => Err(ImageError::Taken(name.clone())),
                }
            }
            result => result.map_err(failed),
        }
    }

    /// Forgets `name`; [`Store::gc`] removes what it named.
    ///
    /// # Errors
    /// There is no such name, or it cannot be removed.
    pub fn remove(&self, name: &Name) -> Result<(), ImageError> {
        let path = self.name_path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ImageError::Unknown(name.to_string()))
            }
            result => result.map_err(|source| ImageError::Store { path, source }),
        }
    }

    /// All names, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        let mut listed = Vec::new();
        for name in self.names()? {
            // A name may go, or its image be replaced, while the list is made.
            let digest = self.digest_of(&name)?;
            let record = digest.and_then(|digest| self.record(&digest));
            listed.extend(record.map(|record| self.listed(name, record)));
        }
        Ok(listed)
    }

    fn listed(&self, name: Name, record: Record) -> Listed {
        let path = self.base_path(&record.base, record.format);
        Listed {
            name,
            digest: record.digest,
            base: record.base,
            format: record.format,
            size: fs::metadata(path).map_or(0, |metadata| metadata.len()),
            architecture: record.config.architecture,
        }
    }

    pub(super) fn names(&self) -> Result<Vec<Name>, ImageError> {
        let path = self.directory.join("names");
        let failed = |source| ImageError::Store {
            path: path.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let file_name = entry.map_err(failed)?.file_name();
            names.extend(file_name.to_str().and_then(Name::from_file_name));
        }
        names.sort();
        Ok(names)
    }

    pub(super) fn digest_of(&self, name: &Name) -> Result<Option<Digest>, ImageError> {
        let path = self.name_path(name);
        let failed = |source| ImageError::Store {
            path: path.clone(),
            source,
        };
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
            Ok(text) => match text.parse() {
                Ok(digest) => Ok(Some(digest)),
                Err(error) => Err(failed(io::Error::other(error))),
            },
        }
    }

    fn name_path(&self, name: &Name) -> PathBuf {
        self.directory.join("names").join(name.file_name())
    }
}
