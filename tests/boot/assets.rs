//! The kernels and root file systems that `scripts/test` has prepared.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

fn asset(name: &str) -> PathBuf {
    let folder = std::env::var_os("VMM_TEST_ASSETS")
        .expect("VMM_TEST_ASSETS names the folder of kernels and roots: run scripts/test");
    let path = Path::new(&folder).join(name);
    assert!(path.exists(), "no {}: run scripts/test", path.display());
    path
}

/// Our small kernel, uncompressed.
pub fn vmlinux() -> PathBuf {
    asset("vmlinux")
}

/// Our small kernel as a bzImage.
pub fn bzimage() -> PathBuf {
    asset("bzImage")
}

/// Debian's cloud kernel, as its package has it.
pub fn debian_kernel() -> PathBuf {
    asset("debian-vmlinuz")
}

/// The initrd with the modules of Debian's kernel.
pub fn debian_initrd() -> PathBuf {
    asset("debian-initrd")
}

/// A Debian root file system.
pub fn debian_root() -> PathBuf {
    asset("debian.img")
}

/// The small root, read-only for those that only look.
pub fn busybox_root() -> PathBuf {
    asset("busybox.img")
}

/// A folder of a test's own, gone with it.
pub fn scratch() -> TempDir {
    tempfile::tempdir().expect("cannot make a folder for a test's files")
}
