//! The modules that a guest of ours needs of a kernel that has its drivers in such, in the
//! order in which they are loaded.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::boot::bzimage::BzImage;
use crate::boot::decompress::Compression;
use crate::kernel::Kernel;

const DEPENDENCIES: &str = "modules.dep";
const BUILT_IN: &str = "modules.builtin";
/// No module is larger.
const MAX_SIZE: u64 = 64 << 20;

/// What every guest needs.
const DRIVERS: [&str; 4] = ["virtio_mmio", "virtio_blk", "virtio_console", "overlay"];
/// What file systems ask for by no name that depmod follows; it was built in, then a module,
/// and since Linux 6.14 is no more.
const CHECKSUM: &str = "crc32c_generic";

/// A module, unpacked.
pub struct Module {
    /// Its file name.
    pub name: String,
    /// The file.
    pub content: Vec<u8>,
}

/// Why modules cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not what depmod makes.
    #[error("cannot read {0}: is the kernel's lib/modules complete (depmod)?")]
    Read(PathBuf, #[source] io::Error),
    /// The kernel was built without.
    #[error("the kernel of {0} has no {1}: it can boot no guest of ours")]
    Missing(PathBuf, String),
    /// What a file is packed with.
    #[error("cannot unpack the module {0}")]
    Unpack(PathBuf, #[source] io::Error),
}

/// The modules that a guest needs of `kernel` whose disks hold `file_systems`; none of one that
/// has everything built in.
///
/// # Errors
/// One is missing, or cannot be read.
pub fn of(kernel: &Kernel, file_systems: &[&str]) -> Result<Vec<Module>, ModuleError> {
    let Some(directory) = &kernel.modules else {
        return Ok(Vec::new());
    };
    let mut wanted = known(directory, CHECKSUM)?;
    wanted.extend(DRIVERS.iter().chain(file_systems));
    load(directory, &wanted)
}

/// Reads the modules `wanted` from `directory` (`lib/modules/RELEASE`), after those that
/// they need. What is built into the kernel is left out.
///
/// # Errors
/// A module is in no list, or cannot be read.
pub fn load(directory: &Path, wanted: &[&str]) -> Result<Vec<Module>, ModuleError> {
    let dependencies = read_list(directory, DEPENDENCIES)?;
    let builtin = read_list(directory, BUILT_IN)?;
    let mut paths = Vec::new();
    for name in wanted {
        match needs(&dependencies, name) {
            Some(needed) => paths.extend(needed),
            None if builtin.lines().any(|path| name_of(path) == plain(name)) => {}
            None => {
                return Err(ModuleError::Missing(
                    directory.to_owned(),
                    (*name).to_owned(),
                ));
            }
        }
    }
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(*path));
    paths
        .into_iter()
        .map(|path| read_module(&directory.join(path)))
        .collect()
}

/// Whether `kernel` has `name`, built in or as a module.
///
/// One without a list of its modules has what it names itself: every file system does.
///
/// # Errors
/// Its lists, or it itself, cannot be read.
pub fn has(kernel: &Kernel, name: &str) -> Result<bool, ModuleError> {
    match &kernel.modules {
        Some(directory) => Ok(!known(directory, name)?.is_empty() || is_built_in(directory, name)?),
        None => {
            let read_error = |error| ModuleError::Read(kernel.image.clone(), error);
            let file = fs::read(&kernel.image).map_err(read_error)?;
            let unpacked = unpacked(&file).map_err(read_error)?;
            let name = [b"\0", name.as_bytes(), b"\0"].concat();
            Ok(memmem::find(&unpacked, &name).is_some())
        }
    }
}

fn is_built_in(directory: &Path, name: &str) -> Result<bool, ModuleError> {
    let builtin = read_list(directory, BUILT_IN)?;
    Ok(builtin.lines().any(|path| name_of(path) == plain(name)))
}

/// What `kernel` is in memory: the payload of a bzImage, or itself.
fn unpacked(kernel: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    let Ok(image) = BzImage::parse(kernel) else {
        return Ok(kernel.into());
    };
    match Compression::of(image.payload) {
        Some(compression) => Ok(compression.unpack(image.payload)?.into()),
        None => Ok(kernel.into()),
    }
}

/// `name`, if `directory` has such a module.
///
/// # Errors
/// Its list cannot be read.
pub fn known<'a>(directory: &Path, name: &'a str) -> Result<Vec<&'a str>, ModuleError> {
    let is_known = needs(&read_list(directory, DEPENDENCIES)?, name).is_some();
    Ok(is_known.then_some(name).into_iter().collect())
}

fn read_list(directory: &Path, name: &str) -> Result<String, ModuleError> {
    let path = directory.join(name);
    fs::read_to_string(&path).map_err(|error| ModuleError::Read(path, error))
}

/// A line of modules.dep is a module, and what it needs, from the nearest to the deepest.
fn needs<'a>(dependencies: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let mut lines = dependencies.lines().filter_map(|line| line.split_once(':'));
    let (module, needed) = lines.find(|(path, _)| name_of(path) == plain(name))?;
    let mut paths: Vec<&str> = std::iter::once(module)
        .chain(needed.split_whitespace())
        .collect();
    paths.reverse();
    Some(paths)
}

/// The name of the module in the file at `path`; the kernel takes - and _ for the same.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    plain(file.split_once(".ko").map_or(file, |(name, _)| name))
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn read_module(path: &Path) -> Result<Module, ModuleError> {
    let read_error = |error| ModuleError::Read(path.to_owned(), error);
    let too_large = || read_error(io::Error::other("it is larger than any module"));
    if fs::metadata(path).map_err(read_error)?.len() > MAX_SIZE {
        return Err(too_large());
    }
    let packed = fs::read(path).map_err(read_error)?;
    let content = match Compression::of(&packed) {
        Some(compression) => compression
            .unpack(&packed)
            .map_err(|error| ModuleError::Unpack(path.to_owned(), error))?,
        None => packed,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split_once(".ko").map_or(&*name, |(name, _)| name);
    Ok(Module {
        name: format!("{name}.ko"),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "modules.dep",
            "a/virtio-blk.ko: a/virtio_ring.ko a/virtio.ko\na/virtio_ring.ko: a/virtio.ko\n\
             a/virtio.ko:\n",
        );
        write("modules.builtin", "kernel/fs/ext4/ext4.ko\n");
        fs::create_dir(folder.path().join("a")).unwrap();
        for name in ["a/virtio-blk.ko", "a/virtio_ring.ko", "a/virtio.ko"] {
            write(name, name);
        }
        folder
    }

    fn names(modules: &[Module]) -> Vec<&str> {
        modules.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn a_module_comes_after_what_it_needs_and_once() {
        let kernel = kernel();
        let modules = load(kernel.path(), &["virtio_blk", "virtio"]).unwrap();
        assert_eq!(
            names(&modules),
            ["virtio.ko", "virtio_ring.ko", "virtio-blk.ko"]
        );
        assert_eq!(modules[0].content, b"a/virtio.ko");
    }

    #[test]
    fn a_kernel_with_everything_built_in_needs_none() {
        let kernel = Kernel::at(Path::new("/boot/vmlinux")).unwrap();
        assert_eq!(of(&kernel, &["erofs"]).unwrap().len(), 0);
    }

    #[test]
    fn what_is_built_in_is_left_out() {
        assert_eq!(load(kernel().path(), &["ext4"]).unwrap().len(), 0);
    }

    #[test]
    fn a_kernel_has_what_is_in_its_lists_or_what_it_names_itself() {
        let folder = kernel();
        let with_modules = Kernel {
            image: folder.path().join("vmlinuz"),
            modules: Some(folder.path().to_owned()),
        };
        let answers = ["virtio_blk", "ext4", "virtiofs"].map(|name| has(&with_modules, name));
        assert_eq!(answers.map(Result::unwrap), [true, true, false]);
        let alone = Kernel::at(&folder.path().join("vmlinux")).unwrap();
        fs::write(&alone.image, b"\x7fELF\0virtiofs\0ext4_inode\0").unwrap();
        let answers = ["virtiofs", "ext4"].map(|name| has(&alone, name));
        assert_eq!(answers.map(Result::unwrap), [true, false]);
    }

    #[test]
    fn a_module_that_is_nowhere_is_told() {
        let error = load(kernel().path(), &["erofs"]).err().unwrap();
        assert!(error.to_string().contains("has no erofs"), "{error}");
    }
}
