//! A file that is being written, and gone unless it is completed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A new file in a store's `staging`. The store's lock is held while it lives.
pub(super) struct Staged {
    file: File,
    path: PathBuf,
}

impl Staged {
    /// An empty file in the store at `directory`.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{count}", std::process::id());
        Self::at(directory.join("staging").join(name), 0o600)
    }

    /// An empty file beside `path`, which it can become.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        Self::at(path.with_file_name(name), 0o666)
    }

    fn at(path: PathBuf, mode: u32) -> io::Result<Self> {
        // An earlier process with the same number may have left one; its lock is gone with it.
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        let file = options.open(&path)?;
        Ok(Self { file, path })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The open file without a name: it is gone when it is closed.
    pub(super) fn into_anonymous(self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Makes it the read-only file at `path`; what is there already stays, and is as good.
    pub(super) fn publish(self, path: &Path) -> io::Result<()> {
        self.file
            .set_permissions(fs::Permissions::from_mode(0o444))?;
        self.file.sync_data()?;
        match fs::hard_link(&self.path, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    /// Makes it the file at `path`; an error of kind `AlreadyExists` if there is one.
    pub(super) fn create(self, path: &Path) -> io::Result<()> {
        self.file.sync_data()?;
        fs::hard_link(&self.path, path)
    }

    /// Makes it the file at `path`, instead of what is there.
    pub(super) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.sync_data()?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
