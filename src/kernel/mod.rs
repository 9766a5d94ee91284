//! The kernels that guests of the vm wall can have: files, and the modules beside them.
//!
//! It knows no boot and no guest: only where kernels are, which is meant, and where new ones
//! come from.

mod copy;
mod file;
mod name;
pub mod scripts;
mod store;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use name::{KernelName, KernelNameError};
pub use store::{Kernels, Listed, Record};

/// A kernel that a guest can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What is booted: a bzImage or an ELF file.
    pub image: PathBuf,
    /// Its `lib/modules/RELEASE`, if it has its drivers in modules.
    pub modules: Option<PathBuf>,
}

/// Why there is no kernel, or not where it is wanted.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Nothing that could be one.
    #[error("{0} has none of {names}: give a kernel's own directory, or its file", names = IMAGES.join(", "))]
    NoImage(PathBuf),
    /// Which of them?
    #[error("{0} has the modules of several kernels: give the kernel's own directory")]
    Ambiguous(PathBuf),
    /// Something else.
    #[error("{0} is no kernel: it is neither an ELF file nor a bzImage")]
    NoKernel(PathBuf),
    /// A directory without them, or of several kernels.
    #[error("{0} holds no modules: give lib/modules/RELEASE, where depmod has made modules.dep")]
    NoModules(PathBuf),
    /// The name of another.
    #[error("there is a kernel {0} already: choose another name, or --replace it")]
    Taken(KernelName),
    /// Not in the store.
    #[error("there is no kernel {0}: `vmm kernel list` shows what there is")]
    Missing(String),
    /// None was ever chosen.
    #[error(
        "there is no kernel for the vm wall yet: `vmm kernel fetch` gets Debian's, `vmm kernel build` makes a small one, or name one by --kernel"
    )]
    NoDefault,
    /// A file that cannot be read, or one of the store.
    #[error("cannot use {0}")]
    File(PathBuf, #[source] io::Error),
}

/// What a kernel is called in its directory.
const IMAGES: [&str; 4] = ["vmlinux", "bzImage", "vmlinuz", "Image"];

/// Where the modules of one are, in its directory.
const MODULES: &str = "lib/modules";

impl Kernel {
    /// The kernel at `path`, a file or a directory.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn at(path: &Path) -> Result<Self, KernelError> {
        if !path.is_dir() {
            return Ok(Self {
                image: path.to_owned(),
                modules: None,
            });
        }
        let mut images = IMAGES.iter().map(|name| path.join(name));
        let image = images.find(|image| image.is_file());
        Ok(Self {
            image: image.ok_or_else(|| KernelError::NoImage(path.to_owned()))?,
            modules: only_entry(&path.join(MODULES))?,
        })
    }
}

fn only_entry(directory: &Path) -> Result<Option<PathBuf>, KernelError> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(None);
    };
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    match (paths.next(), paths.next()) {
        (Some(_), Some(_)) => Err(KernelError::Ambiguous(directory.to_owned())),
        (only, _) => Ok(only),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_kernel_without_modules() {
        let kernel = Kernel::at(Path::new("/boot/vmlinux")).unwrap();
        assert_eq!(kernel.modules, None);
    }

    #[test]
    fn a_directory_has_an_image_and_perhaps_modules() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Kernel::at(folder.path()).is_err());
        fs::write(folder.path().join("vmlinuz"), "").unwrap();
        let kernel = Kernel::at(folder.path()).unwrap();
        assert_eq!(
            (kernel.image, kernel.modules),
            (folder.path().join("vmlinuz"), None)
        );
        let modules = folder.path().join("lib/modules/6.1");
        fs::create_dir_all(&modules).unwrap();
        assert_eq!(Kernel::at(folder.path()).unwrap().modules, Some(modules));
        fs::create_dir_all(folder.path().join("lib/modules/6.2")).unwrap();
        assert!(Kernel::at(folder.path()).is_err());
    }
}
