//! What runs: image, guest kernel, runtimes and ourselves.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::record::Fact;
use crate::image::{Digest, Image};
use crate::kernel::Kernel;

/// More of a file is not digested: no kernel is larger.
const LONGEST: u64 = 1 << 30;

/// What is known of `image`, called `name`.
pub fn image(name: &str, image: &Image) -> Vec<Fact> {
    vec![
        Fact::aside("image", name.to_owned()),
        Fact::that_matters("image digest", image.digest.to_string()),
        Fact::that_matters("base digest", image.base.digest.to_string()),
    ]
}

/// What is known of the guest's `kernel`, and of the `words` that it gets.
///
/// # Errors
/// It cannot be read.
pub fn kernel(kernel: &Kernel, words: &str) -> io::Result<Vec<Fact>> {
    let size = File::open(&kernel.image)?.metadata()?.len();
    if size > LONGEST {
        return Err(io::Error::other("it is larger than any kernel"));
    }
    let digest = Digest::of(&fs::read(&kernel.image)?);
    let mut facts = vec![Fact::that_matters("guest kernel", digest.to_string())];
    if !words.is_empty() {
        facts.push(Fact::that_matters("guest kernel's words", words.to_owned()));
    }
    Ok(facts)
}

/// What `runtime` says of its version.
pub fn runtime(runtime: &Path) -> Fact {
    let output = Command::new(runtime)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let told = told.unwrap_or_default();
    let first = told.lines().next().unwrap_or("unknown");
    Fact::aside(&runtime.display().to_string(), crate::output::plain(first))
}

/// This program.
pub fn ourselves() -> Vec<Fact> {
    let built = match cfg!(debug_assertions) {
        true => "for debugging",
        false => "for use",
    };
    vec![
        Fact::aside("vmm", env!("CARGO_PKG_VERSION").to_owned()),
        Fact::that_matters("vmm is built", built.to_owned()),
    ]
}

/// The file system that `directory` is on, with the device below it.
pub fn file_system(directory: &Path) -> Fact {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let told = mount_of(&mounts, directory).unwrap_or_else(|| "unknown".to_owned());
    Fact::that_matters("file system of the store", told)
}

/// The last of the deepest mounts above `directory`, in the text of `/proc/self/mounts`.
fn mount_of(mounts: &str, directory: &Path) -> Option<String> {
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let at = PathBuf::from(at);
        directory
            .starts_with(&at)
            .then(|| (at.components().count(), format!("{kind} on {device}")))
    };
    let above = mounts.lines().filter_map(mount);
    above.max_by_key(|(depth, _)| *depth).map(|(_, told)| told)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str =
        "/dev/a / ext4 rw 0 0\n/dev/b /var xfs rw 0 0\ntmpfs /var/lib tmpfs rw 0 0\n";

    #[test]
    fn the_deepest_mount_is_the_one_below_a_directory() {
        let told = |path: &str| mount_of(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(told("/var/library/vmm"), "xfs on /dev/b");
        assert_eq!(told("/var/lib/vmm"), "tmpfs on tmpfs");
        assert_eq!(told("/home"), "ext4 on /dev/a");
        assert_eq!(mount_of("", Path::new("/")), None);
    }

    #[test]
    fn a_kernel_is_known_by_its_digest_and_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("vmlinux");
        fs::write(&image, "\x7fELF").unwrap();
        let known = kernel(
            &Kernel {
                image,
                modules: None,
            },
            "quiet",
        )
        .unwrap();
        assert_eq!(known[0].value, Digest::of(b"\x7fELF").to_string());
        assert_eq!(known[1].value, "quiet");
    }

    fn folder_with(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        crate::guest::write(script.as_bytes(), &folder.path().join("runtime")).unwrap();
        folder
    }

    #[test]
    fn a_runtime_says_its_version_in_its_first_line() {
        let folder = folder_with("#!/bin/sh\necho runc version 1.1.5; echo commit: x\n");
        let told = runtime(&folder.path().join("runtime"));
        assert_eq!(told.value, "runc version 1.1.5");
    }

    #[test]
    fn a_runtime_that_says_nothing_is_unknown() {
        let silent = folder_with("#!/bin/sh\n");
        assert_eq!(runtime(&silent.path().join("runtime")).value, "unknown");
        assert_eq!(runtime(Path::new("/no/such")).value, "unknown");
    }
}
