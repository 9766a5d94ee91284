//! The process wall's view of the tree: its files, with the host's processes and devices.
//!
//! It isolates nothing. `chroot` is there so that a command finds the files of its image by the
//! paths that they have in it; who is root gets out of it again.
//!
//! Paths of the tree are resolved in the tree: the links of an image lead nowhere else.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;

use super::Root;
use super::mount::{self, MountError, Recipe};

/// Why a tree cannot be made ready, or not be entered.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// There is no such place in the tree, and none can be made.
    #[error("cannot make {0} in the tree of the image")]
    Place(PathBuf, #[source] io::Error),
    /// Something of the host's cannot be shown in it.
    #[error("cannot show the host's {source_path} as {at}")]
    Show {
        /// What of the host.
        source_path: PathBuf,
        /// Where in the tree.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A place in it cannot have a tmpfs.
    #[error("cannot mount a private {0}")]
    Private(PathBuf, #[source] MountError),
    /// It cannot be protected.
    #[error("cannot make the tree read-only")]
    ReadOnly(#[source] io::Error),
    /// `chroot` fails.
    #[error("cannot change the root directory to {0}")]
    Chroot(PathBuf, #[source] io::Error),
    /// The program does not start.
    #[error("cannot start the program that runs the command")]
    Start(#[source] io::Error),
}

/// Whether what is shown can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// As on the host.
    Yes,
    /// Neither it, nor what is mounted below it.
    No,
}

/// A tree in which places are given another content, before a command enters it.
#[derive(Debug)]
pub struct View<'a> {
    root: &'a Root,
    directory: OwnedFd,
}

impl<'a> View<'a> {
    /// That of `root`, with the host's `/proc`, `/sys` and `/dev`.
    ///
    /// # Errors
    /// They cannot be shown in it.
    pub fn of(root: &'a Root) -> Result<Self, EnterError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, root.path(), flags, Mode::empty())
            .map_err(|errno| EnterError::Place("/".into(), errno.into()))?;
        let view = Self { root, directory };
        for shared in ["/proc", "/sys", "/dev"].map(Path::new) {
            view.show(shared, shared, Writable::Yes)?;
        }
        Ok(view)
    }

    /// Shows the file or directory `source` of the host, with all that is mounted below it, as
    /// `at`; made if it is missing.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn show(&self, source: &Path, at: &Path, writable: Writable) -> Result<(), EnterError> {
        let failed = |source_error: io::Error| EnterError::Show {
            source_path: source.to_owned(),
            at: at.to_owned(),
            source: source_error,
        };
        let is_directory = source.metadata().map_err(failed)?.is_dir();
        let place = self.place(at, is_directory)?;
        let shown = mount::clone_tree(source).map_err(|errno| failed(errno.into()))?;
        if writable == Writable::No {
            mount::make_read_only(shown.as_fd(), mount::RECURSIVE).map_err(failed)?;
        }
        mount::place_tree(shown.as_fd(), place.as_fd()).map_err(|errno| failed(errno.into()))
    }

    /// Gives the directory `at` a content of its own, in memory, of `size` bytes at most.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn private(&self, at: &Path, size: u64) -> Result<(), EnterError> {
        let place = self.place(at, true)?;
        Recipe::new("tmpfs")
            .text("size", &size.to_string())
            .text("mode", "1777")
            .private()
            .mount_on(place.as_fd(), at)
            .map_err(|source| EnterError::Private(at.to_owned(), source))
    }

    /// Refuses what would be written, except below what is shown or private.
    ///
    /// # Errors
    /// The kernel is older than 5.12.
    pub fn make_read_only(&self) -> Result<(), EnterError> {
        mount::make_read_only(self.directory.as_fd(), AtFlags::empty())
            .map_err(EnterError::ReadOnly)
    }

    /// Where the tree is.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// The place `at` of the tree, opened; made if it is missing, with all above it.
    fn place(&self, at: &Path, is_directory: bool) -> Result<OwnedFd, EnterError> {
        self.make(at, is_directory)
            .map_err(|errno| EnterError::Place(at.to_owned(), errno.into()))
    }

    fn make(&self, at: &Path, is_directory: bool) -> rustix::io::Result<OwnedFd> {
        match self.open(at) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let (Some(above), Some(name)) = (at.parent(), at.file_name()) else {
            return Err(Errno::NOENT);
        };
        let above = self.make(above, true)?;
        if is_directory {
            mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(&above, name, flags, Mode::from_raw_mode(0o644))?;
        }
        self.open(at)
    }

    fn open(&self, at: &Path) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.directory, at, flags, Mode::empty(), resolve)
    }
}

/// Makes the tree at `root` this process's, and becomes `program` with `arguments` in it.
/// Returns only if that fails.
///
/// The program is opened outside and started by `/proc/self/fd`, so that it need not be in the
/// tree, which has a `/proc` by [`View::of`].
pub fn exec(root: &Path, program: &File, arguments: &[OsString]) -> EnterError {
    if let Err(error) = change_root(root) {
        return EnterError::Chroot(root.to_owned(), error);
    }
    let program = format!("/proc/self/fd/{}", program.as_raw_fd());
    EnterError::Start(Command::new(program).args(arguments).exec())
}

fn change_root(root: &Path) -> io::Result<()> {
    rustix::process::chroot(root)?;
    Ok(rustix::process::chdir("/")?)
}
