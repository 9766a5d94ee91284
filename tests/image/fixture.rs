//! A store of its own for each test, and what several tests make.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vmm::image::{Image, ImageError, ResolveOptions, Store};

/// A store and a place for files, gone at the end.
pub(crate) struct Fixture {
    folder: TempDir,
    /// The store.
    pub(crate) store: Store,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder =
            TempDir::new_in(std::env::var_os("CARGO_TARGET_TMPDIR").unwrap_or("/tmp".into()));
        let folder = folder.unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn import(&self, path: &Path) -> Result<Image, ImageError> {
        self.store.import(path, &ResolveOptions::default())
    }

    /// What a failed import has left in the store: nothing.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let inside = |name| std::fs::read_dir(self.store.directory().join(name)).unwrap();
        let entries = ["bases", "images", "seen", "staging"]
            .into_iter()
            .flat_map(inside);
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    /// The files of `image` as the reference tools see them.
    pub(crate) fn extracted(&self, image: &Image) -> PathBuf {
        let to = self.path(&format!("extracted-{}", image.base.digest.hex()));
        let _ = std::fs::remove_dir_all(&to);
        let extract = format!("--extract={}", to.display());
        run(
            "fsck.erofs",
            &[&extract, &image.base.path.display().to_string()],
        );
        to
    }

    /// The files of `image` as the kernel sees them; `None` where it may not be asked.
    pub(crate) fn mounted(&self, image: &Image) -> Option<Mounted> {
        let at = self.path("mounted");
        std::fs::create_dir_all(&at).unwrap();
        let base = image.base.path.display().to_string();
        let mut mount = Command::new("mount");
        mount.args(["-t", "erofs", "-o", "loop,ro", &base]).arg(&at);
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root may mount");
            return None;
        }
        let output = mount.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "mount: {said}");
        Some(Mounted(at))
    }
}

/// A base that is mounted until this goes.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// What is mounted at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &[&self.0.display().to_string()]);
    }
}

/// Whether `program` is installed; says so where it is not.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed; scripts/setup installs it");
    }
    found
}

/// Runs `program`, which has to succeed, and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The whole chain of what went wrong, as a user reads it.
#[allow(dead_code, reason = "archives use it")]
pub(crate) fn told(error: &ImageError) -> String {
    vmm::chain(error)
}
