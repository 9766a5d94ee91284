//! The kernel of a guest: a file, or a directory with its modules beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::modules::{self, Module, ModuleError};

/// A kernel that a guest can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestKernel {
    /// What is booted: a bzImage or an ELF file.
    pub image: PathBuf,
    /// Its `lib/modules/RELEASE`, if it has its drivers in modules.
    pub modules: Option<PathBuf>,
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum GuestKernelError {
    /// Nothing that could be one.
    #[error("{0} has none of {names}: make it by scripts/fetch-kernel or scripts/build-kernel", names = IMAGES.join(", "))]
    NoImage(PathBuf),
    /// Which of them?
    #[error("{0} has the modules of several kernels: give the kernel's own directory")]
    Ambiguous(PathBuf),
}

/// What a kernel is called in its directory.
const IMAGES: [&str; 4] = ["vmlinux", "bzImage", "vmlinuz", "Image"];

/// What every guest needs.
const DRIVERS: [&str; 4] = ["virtio_mmio", "virtio_blk", "virtio_console", "overlay"];
/// What file systems ask for by no name that depmod follows; it was built in, then a module,
/// and since Linux 6.14 is no more.
const CHECKSUM: &str = "crc32c_generic";

impl GuestKernel {
    /// The kernel at `path`, a file or a directory.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn at(path: &Path) -> Result<Self, GuestKernelError> {
        if !path.is_dir() {
            return Ok(Self {
                image: path.to_owned(),
                modules: None,
            });
        }
        let mut images = IMAGES.iter().map(|name| path.join(name));
        let image = images.find(|image| image.is_file());
        Ok(Self {
            image: image.ok_or_else(|| GuestKernelError::NoImage(path.to_owned()))?,
            modules: only_entry(&path.join("lib/modules"))?,
        })
    }

    /// The modules that a guest needs whose disks hold `file_systems`; none of a kernel that
    /// has everything built in.
    ///
    /// # Errors
    /// One is missing, or cannot be read.
    pub fn load_modules(&self, file_systems: &[&str]) -> Result<Vec<Module>, ModuleError> {
        let Some(directory) = &self.modules else {
            return Ok(Vec::new());
        };
        let mut wanted = modules::known(directory, CHECKSUM)?;
        wanted.extend(DRIVERS.iter().chain(file_systems));
        modules::load(directory, &wanted)
    }
}

fn only_entry(directory: &Path) -> Result<Option<PathBuf>, GuestKernelError> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(None);
    };
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    match (paths.next(), paths.next()) {
        (Some(_), Some(_)) => Err(GuestKernelError::Ambiguous(directory.to_owned())),
        (only, _) => Ok(only),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_kernel_without_modules() {
        let kernel = GuestKernel::at(Path::new("/boot/vmlinux")).unwrap();
        assert_eq!(kernel.modules, None);
        assert_eq!(kernel.load_modules(&["erofs"]).unwrap().len(), 0);
    }

    #[test]
    fn a_directory_has_an_image_and_perhaps_modules() {
        let folder = tempfile::tempdir().unwrap();
        assert!(GuestKernel::at(folder.path()).is_err());
        fs::write(folder.path().join("vmlinuz"), "").unwrap();
        let kernel = GuestKernel::at(folder.path()).unwrap();
        assert_eq!(
            (kernel.image, kernel.modules),
            (folder.path().join("vmlinuz"), None)
        );
        let modules = folder.path().join("lib/modules/6.1");
        fs::create_dir_all(&modules).unwrap();
        assert_eq!(
            GuestKernel::at(folder.path()).unwrap().modules,
            Some(modules)
        );
        fs::create_dir_all(folder.path().join("lib/modules/6.2")).unwrap();
        assert!(GuestKernel::at(folder.path()).is_err());
    }
}
