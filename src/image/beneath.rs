//! A directory that nothing read from it can lead out of.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// An open directory; every path is resolved beneath it, without symbolic links.
#[derive(Debug)]
pub(super) struct Beneath(OwnedFd);

impl Beneath {
    /// Opens the directory at `path`, which the user named: links on the way there are fine.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens the regular file at `path`.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        // Without NONBLOCK the opening of a pipe waits for a writer.
        let file = File::from(self.at(path, OFlags::NONBLOCK)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(file)
    }

    /// Opens the directory at `path`; an empty path is this directory itself.
    pub(super) fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        self.at(path, OFlags::DIRECTORY)
    }

    fn at(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(&self.0, path, flags, Mode::empty(), resolve)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_path_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = outside.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("../secret", inside.join("link")).unwrap();

        let root = Beneath::open(&inside).unwrap();

        for path in ["../secret", "up/secret", "link", "/etc/passwd"] {
            assert!(root.file(Path::new(path)).is_err(), "{path}");
        }
    }
}
