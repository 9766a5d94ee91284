//! Upper layers with a name, which outlive their runs: `keeps/NAME/` in the store.
//!
//! ```text
//! lock        held by the one run that uses it, whose process id is in it
//! base        the digest of its base, for who collects bases that nobody needs
//! keep.json   what it belongs to; written last: without it, nothing has begun
//! upper.img   a sparse ext4 with upper/ and work/, for overlayfs of the host or of a guest
//! guest       there while upper.img may hold what a guest's kernel wrote
//! ```

mod file_system;
mod list;
mod lock;
mod name;
mod record;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub use file_system::FileSystemError;
pub use list::Listed;
pub use lock::Owner;
pub use name::{KeepName, KeepNameError};
pub use record::Record;

use lock::{Lock, LockError};

/// The size of a keep where none is given; it takes no more of the disk than is written.
pub const DEFAULT_SIZE: u64 = 8 << 30;

const BASE: &str = "base";
const RECORD: &str = "keep.json";
const IMAGE: &str = "upper.img";
const GUEST: &str = "guest";

/// Why a keep cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It is somebody's.
    #[error("keep '{name}' is in use by {owner}: stop it first")]
    InUse {
        /// Which keep.
        name: KeepName,
        /// Whose.
        owner: Owner,
    },
    /// It holds changes to something else.
    #[error(
        "keep '{name}' belongs to another base, that of {theirs}: take another name, or give it up by `vmm keep remove {name}`"
    )]
    OtherBase {
        /// Which keep.
        name: KeepName,
        /// What it holds the changes of.
        theirs: String,
    },
    /// There is none.
    #[error("there is no keep '{0}': `vmm keep list` names all")]
    None(KeepName),
    /// Its file system cannot be made, or not be trusted.
    #[error("keep '{name}' cannot be used")]
    FileSystem {
        /// Which keep.
        name: KeepName,
        /// Why.
        source: FileSystemError,
    },
    /// A file of it cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// All keeps of a store.
#[derive(Clone, Debug)]
pub struct Keeps {
    directory: PathBuf,
}

impl Keeps {
    /// Those of the store in this directory.
    pub fn of_store(store: &Path) -> Self {
        Self {
            directory: store.join("keeps"),
        }
    }

    /// The keep `name` for a run of what `wanted` tells; made as that tells if there is none.
    ///
    /// # Errors
    /// Another run has it, or it belongs to another base, or it cannot be made: then nothing of
    /// it is left.
    pub fn open(&self, name: &KeepName, wanted: Record) -> Result<Keep, KeepError> {
        let keep = loop {
            let directory = self.directory.join(name.as_str());
            fs::create_dir_all(&directory).map_err(|source| failed(&directory, source))?;
            // None if it was removed just now.
            if let Some(keep) = Keep::lock(name, directory)? {
                break keep;
            }
        };
        match keep.record()? {
            None => keep.begin(&wanted).map(|()| keep),
            Some(found) if found.base.digest == wanted.base.digest => Ok(keep),
            Some(found) => Err(KeepError::OtherBase {
                name: name.clone(),
                theirs: found.image,
            }),
        }
    }

    /// The keep `name`, and what it belongs to.
    ///
    /// # Errors
    /// There is none, or a run has it.
    pub fn existing(&self, name: &KeepName) -> Result<(Keep, Record), KeepError> {
        let none = || KeepError::None(name.clone());
        let keep = self.locked(name)?;
        let record = keep.record()?.ok_or_else(none)?;
        Ok((keep, record))
    }

    /// Forgets the keep `name`, even half of one.
    ///
    /// # Errors
    /// There is none, or a run has it, or it cannot be deleted.
    pub fn remove(&self, name: &KeepName) -> Result<(), KeepError> {
        let keep = self.locked(name)?;
        fs::remove_dir_all(&keep.directory).map_err(|source| failed(&keep.directory, source))
    }

    fn locked(&self, name: &KeepName) -> Result<Keep, KeepError> {
        let none = || KeepError::None(name.clone());
        let directory = self.directory.join(name.as_str());
        if !directory.is_dir() {
            return Err(none());
        }
        Keep::lock(name, directory)?.ok_or_else(none)
    }
}

/// A keep that is this process's, until it is dropped.
#[derive(Debug)]
pub struct Keep {
    name: KeepName,
    directory: PathBuf,
    _lock: Lock,
}

impl Keep {
    /// None if it was removed meanwhile.
    fn lock(name: &KeepName, directory: PathBuf) -> Result<Option<Self>, KeepError> {
        let path = directory.join("lock");
        match Lock::take(&path) {
            Ok(lock) => Ok(Some(Self {
                name: name.clone(),
                directory,
                _lock: lock,
            })),
            Err(LockError::Gone) => Ok(None),
            Err(LockError::Held(owner)) => Err(KeepError::InUse {
                name: name.clone(),
                owner,
            }),
            Err(LockError::File(source)) => Err(failed(&path, source)),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &KeepName {
        &self.name
    }

    /// Its ext4 for a guest's kernel; after that, no kernel of the host's mounts it unchecked.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn image_for_guest(&self) -> Result<PathBuf, KeepError> {
        let mark = self.directory.join(GUEST);
        File::create(&mark).map_err(|source| failed(&mark, source))?;
        Ok(self.image())
    }

    /// Its ext4 for the host's kernel, looked through if a guest may have written it.
    pub(super) fn image_for_host(&self) -> Result<PathBuf, KeepError> {
        let (image, mark) = (self.image(), self.directory.join(GUEST));
        let by_guest = mark.exists();
        file_system::check(&image, by_guest).map_err(|source| self.unusable(source))?;
        if by_guest {
            fs::remove_file(&mark).map_err(|source| failed(&mark, source))?;
        }
        Ok(image)
    }

    fn image(&self) -> PathBuf {
        self.directory.join(IMAGE)
    }

    fn record(&self) -> Result<Option<Record>, KeepError> {
        let path = self.directory.join(RECORD);
        Record::read(&path).map_err(|source| failed(&path, source))
    }

    /// Makes what is in it, or leaves nothing.
    fn begin(&self, wanted: &Record) -> Result<(), KeepError> {
        self.fill(wanted).inspect_err(|_| {
            // What cannot be deleted is no keep either, and made again by the next run.
            let _ = fs::remove_dir_all(&self.directory);
        })
    }

    fn fill(&self, wanted: &Record) -> Result<(), KeepError> {
        file_system::make(&self.directory, &self.image(), wanted.size)
            .map_err(|source| self.unusable(source))?;
        let path = self.directory.join(BASE);
        fs::write(&path, wanted.base.digest.to_string()).map_err(|source| failed(&path, source))?;
        let path = self.directory.join(RECORD);
        wanted.write(&path).map_err(|source| failed(&path, source))
    }

    fn unusable(&self, source: FileSystemError) -> KeepError {
        KeepError::FileSystem {
            name: self.name.clone(),
            source,
        }
    }
}

fn failed(path: &Path, source: io::Error) -> KeepError {
    KeepError::File {
        path: path.to_owned(),
        source,
    }
}
