//! The kernels of a store, and which of them is meant when none is named.
//!
//! ```text
//! kernels/NAME/vmlinux|vmlinuz   what is booted: an ELF file, or a bzImage
//! kernels/NAME/lib/modules/      its modules, if it has its drivers in such
//! kernels/NAME/kernel.json       what is known of it
//! kernels/default                a link to the NAME that is meant
//! kernels/.partial               what is being made, or taken away
//! kernels/.lock                  held by who does either
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};

use super::file::KernelFile;
use super::name::DEFAULT;
use super::{Kernel, KernelError, KernelName, MODULES, copy};
use crate::image::Digest;

/// The kernels of a store.
#[derive(Clone, Debug)]
pub struct Kernels {
    directory: PathBuf,
}

/// What is known of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What Linux calls itself, if it says so.
    pub release: Option<String>,
    /// Of the file that is booted.
    pub digest: Digest,
    /// The size of that file in bytes.
    pub size: u64,
    /// Whether it has its drivers in modules.
    pub has_modules: bool,
    /// Where it came from.
    pub origin: PathBuf,
}

/// A kernel in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: KernelName,
    /// Whether it is meant when none is named.
    pub is_default: bool,
    /// What is known of it.
    #[serde(flatten)]
    pub record: Record,
}

const RECORD: &str = "kernel.json";

impl Kernels {
    /// Those of the store at `directory`.
    pub fn of_store(directory: &Path) -> Self {
        Self {
            directory: directory.join("kernels"),
        }
    }

    /// The kernel that `wanted` means: a name of the store, else a path; the default if there
    /// is no wish.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, wanted: Option<&Path>) -> Result<Kernel, KernelError> {
        let Some(wanted) = wanted else {
            return self.default_kernel();
        };
        let name = wanted.to_str().and_then(|text| text.parse().ok());
        let stored = name.map(|name: KernelName| self.path(&name));
        match stored.filter(|path| path.is_dir()) {
            Some(path) => Kernel::at(&path),
            None if wanted.exists() => Kernel::at(wanted),
            None => Err(KernelError::Missing(wanted.display().to_string())),
        }
    }

    /// The kernel that is meant when none is named.
    ///
    /// # Errors
    /// None has been chosen, or it is gone.
    pub fn default_kernel(&self) -> Result<Kernel, KernelError> {
        let path = self.directory.join(DEFAULT);
        match path.is_dir() {
            true => Kernel::at(&path),
            false => Err(KernelError::NoDefault),
        }
    }

    /// Puts `kernel` in as `name`, in place of the one that has the name if it `replaces` it;
    /// the first of a store is its default.
    ///
    /// # Errors
    /// The name is taken, it is no kernel, or cannot be copied; the store is as before.
    pub fn add(
        &self,
        name: &KernelName,
        kernel: &Kernel,
        replaces: bool,
    ) -> Result<Record, KernelError> {
        let file = KernelFile::look(&kernel.image)?;
        let release = module_release(kernel.modules.as_deref())?;
        let record = Record {
            release: release.or(file.release),
            digest: file.digest,
            size: file.size,
            has_modules: kernel.modules.is_some(),
            origin: fs::canonicalize(&kernel.image).unwrap_or_else(|_| kernel.image.clone()),
        };
        let _lock = self.lock()?;
        if !replaces && self.path(name).exists() {
            return Err(KernelError::Taken(name.clone()));
        }
        let made = self.fill(kernel, file.name, &record);
        made.and_then(|()| self.publish(name))
            .map_err(|error| KernelError::File(self.path(name), error))?;
        if !self.directory.join(DEFAULT).exists() {
            self.link_default(name)?;
        }
        Ok(record)
    }

    /// Every kernel, in the order of their names.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, KernelError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.unusable(error))?,
        };
        let default = fs::read_link(self.directory.join(DEFAULT)).ok();
        let mut listed = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| self.unusable(error))?.file_name();
            let Some(name) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            listed.extend(self.record(&name).map(|record| Listed {
                is_default: default.as_deref() == Some(Path::new(name.as_str())),
                name,
                record,
            }));
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Makes `name` the kernel that is meant when none is named.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn set_default(&self, name: &KernelName) -> Result<(), KernelError> {
        let _lock = self.lock()?;
        self.check_is_there(name)?;
        self.link_default(name)
    }

    /// Takes `name` away. Where it was the default there is none afterwards.
    ///
    /// # Errors
    /// There is none of that name, or something stays.
    pub fn remove(&self, name: &KernelName) -> Result<(), KernelError> {
        let _lock = self.lock()?;
        self.check_is_there(name)?;
        let link = self.directory.join(DEFAULT);
        if fs::read_link(&link).is_ok_and(|target| target == Path::new(name.as_str())) {
            fs::remove_file(&link).map_err(|error| self.unusable(error))?;
        }
        fs::rename(self.path(name), self.partial())
            .and_then(|()| fs::remove_dir_all(self.partial()))
            .map_err(|error| KernelError::File(self.path(name), error))
    }

    fn check_is_there(&self, name: &KernelName) -> Result<(), KernelError> {
        match self.path(name).is_dir() {
            true => Ok(()),
            false => Err(KernelError::Missing(name.to_string())),
        }
    }

    fn record(&self, name: &KernelName) -> Option<Record> {
        let json = fs::read(self.path(name).join(RECORD)).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Makes the whole kernel where nobody looks for one.
    fn fill(&self, kernel: &Kernel, image: &str, record: &Record) -> io::Result<()> {
        let partial = self.partial();
        fs::create_dir(&partial)?;
        copy::file(&kernel.image, &partial.join(image))?;
        if let Some(modules) = &kernel.modules {
            let release = fs::canonicalize(modules)?;
            let release = release.file_name().unwrap_or_default();
            copy::directory(modules, &partial.join(MODULES).join(release))?;
        }
        fs::write(partial.join(RECORD), serde_json::to_vec_pretty(record)?)
    }

    /// From one moment to the next it is there, and what was there is not.
    fn publish(&self, name: &KernelName) -> io::Result<()> {
        let (partial, path) = (self.partial(), self.path(name));
        if path.exists() {
            renameat_with(CWD, &partial, CWD, &path, RenameFlags::EXCHANGE)?;
            return fs::remove_dir_all(partial);
        }
        fs::rename(partial, path)
    }

    fn link_default(&self, name: &KernelName) -> Result<(), KernelError> {
        let partial = self.partial();
        symlink(name.as_str(), &partial)
            .and_then(|()| fs::rename(&partial, self.directory.join(DEFAULT)))
            .map_err(|error| self.unusable(error))
    }

    /// One process at a time adds or removes; what one that was killed has left goes now.
    fn lock(&self) -> Result<File, KernelError> {
        let lock = || {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            let lock = File::create(self.directory.join(".lock"))?;
            lock.lock()?;
            clear(&self.partial())?;
            Ok(lock)
        };
        lock().map_err(|error| self.unusable(error))
    }

    fn path(&self, name: &KernelName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    fn partial(&self) -> PathBuf {
        self.directory.join(".partial")
    }

    fn unusable(&self, error: io::Error) -> KernelError {
        KernelError::File(self.directory.clone(), error)
    }
}

fn clear(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The release that the modules are for: the name of their directory.
fn module_release(modules: Option<&Path>) -> Result<Option<String>, KernelError> {
    let Some(modules) = modules else {
        return Ok(None);
    };
    if !modules.join("modules.dep").is_file() {
        return Err(KernelError::NoModules(modules.to_owned()));
    }
    let path = fs::canonicalize(modules);
    let path = path.map_err(|error| KernelError::File(modules.to_owned(), error))?;
    let release = path.file_name().and_then(|name| name.to_str());
    Ok(release.map(str::to_owned))
}

#[cfg(test)]
mod tests;
