//! Where a store is, and what is cleaned up when it is opened.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Store;
use super::lock::StoreLock;
use crate::image::error::ImageError;

impl Store {
    /// The store in `directory`, which is made if it is not there. What an interrupted import
    /// has left is removed.
    ///
    /// # Errors
    /// The directory cannot be made or used.
    pub fn open(directory: &Path) -> Result<Self, ImageError> {
        let failed = |path: &Path, source| ImageError::Store {
            path: path.to_owned(),
            source,
        };
        for name in ["bases", "images", "names", "seen", "staging"] {
            let path = directory.join(name);
            // Images hold secrets and set-uid programs: not for other users.
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| failed(&path, source))?;
        }
        let directory = fs::canonicalize(directory).map_err(|source| failed(directory, source))?;
        let store = Self { directory };
        store
            .sweep()
            .map_err(|source| failed(&store.directory, source))?;
        Ok(store)
    }

    /// The user's store: `$VMM_STORE`, else `/var/lib/vmm` for root, else `vmm` in
    /// `$XDG_DATA_HOME`.
    ///
    /// # Errors
    /// The directory cannot be made or used.
    pub fn open_default() -> Result<Self, ImageError> {
        Self::open(&default_directory())
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whoever writes to `staging` holds the lock: without holders all of it is left over.
    fn sweep(&self) -> io::Result<()> {
        let staging = self.directory.join("staging");
        if fs::read_dir(&staging)?.next().is_none() {
            return Ok(());
        }
        let Some(_removing) = StoreLock::try_exclusive(&self.directory)? else {
            return Ok(());
        };
        for entry in fs::read_dir(&staging)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

fn default_directory() -> PathBuf {
    let stated = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(directory) = stated("VMM_STORE") {
        return directory.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/vmm".into();
    }
    match (stated("XDG_DATA_HOME"), stated("HOME")) {
        (Some(data), _) => PathBuf::from(data).join("vmm"),
        (None, Some(home)) => PathBuf::from(home).join(".local/share/vmm"),
        (None, None) => PathBuf::from("/var/tmp/vmm"),
    }
}
