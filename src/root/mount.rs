//! One mount: described, made by the kernel's mount API, and gone when it is dropped.
//!
//! `fsopen` instead of `mount(2)`: a path with a comma is no puzzle, and the kernel says in
//! words what it refuses.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree, unmount,
};

/// Why a file system could not be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// This user may not mount it.
    #[error(
        "no right to mount {0} here: run as root, with CAP_SYS_ADMIN in the host's user namespace"
    )]
    NoRights(&'static str),
    /// The kernel does not know the file system.
    #[error(
        "this kernel has no {0}: `modprobe {0}` may load it, else it needs a kernel built with CONFIG_{option}",
        option = option_of(.0)
    )]
    NoFilesystem(&'static str),
    /// The device holds something else, or what is newer than this kernel.
    #[error("it holds no {0} that this kernel can read")]
    Unreadable(&'static str),
    /// The kernel refuses.
    #[error("cannot mount {filesystem} at {at}{said}")]
    Refused {
        /// Of what kind.
        filesystem: &'static str,
        /// Where.
        at: PathBuf,
        /// In the kernel's words, if it has any.
        said: Said,
        /// Why.
        source: io::Error,
    },
}

impl MountError {
    /// Whether it is the rights of this user that are missing, and nothing else.
    pub(super) fn is_of_rights(&self) -> bool {
        matches!(self, Self::NoRights(_))
    }
}

/// What the kernel says of a refusal: nothing, or a sentence.
#[derive(Debug, Default)]
pub struct Said(Option<String>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(words) => write!(f, " (the kernel says: {words})"),
            None => Ok(()),
        }
    }
}

/// As the kernel's configuration calls it.
fn option_of(filesystem: &str) -> String {
    let name = filesystem.to_uppercase();
    match filesystem {
        "tmpfs" => name,
        _ => name + "_FS",
    }
}

/// What is to be mounted.
#[derive(Debug)]
pub(super) struct Recipe {
    filesystem: &'static str,
    settings: Vec<(&'static str, Option<PathBuf>)>,
    attributes: MountAttrFlags,
}

impl Recipe {
    /// A file system of this kind, without options.
    pub(super) fn new(filesystem: &'static str) -> Self {
        Self {
            filesystem,
            settings: Vec::new(),
            attributes: MountAttrFlags::empty(),
        }
    }

    /// With `key=value`.
    pub(super) fn text(self, key: &'static str, value: &str) -> Self {
        self.path(key, Path::new(value))
    }

    /// With `key=path`.
    pub(super) fn path(mut self, key: &'static str, value: &Path) -> Self {
        self.settings.push((key, Some(value.to_owned())));
        self
    }

    /// With `key`.
    pub(super) fn flag(mut self, key: &'static str) -> Self {
        self.settings.push((key, None));
        self
    }

    /// Without device nodes.
    pub(super) fn nodev(mut self) -> Self {
        self.attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
        self
    }

    /// Neither device nodes nor set-uid programs.
    pub(super) fn private(mut self) -> Self {
        self.attributes |= MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
        self
    }

    /// A layer: nothing is ever run or opened by its path.
    pub(super) fn layer(mut self) -> Self {
        self.attributes |= MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NOATIME;
        self
    }

    /// Mounts it on the directory `at`.
    pub(super) fn mount(self, at: &Path) -> Result<Mount, MountError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = openat(CWD, at, flags, Mode::empty())
            .map_err(|errno| self.refused(errno, at, Said::default()))?;
        self.mount_on(place.as_fd(), at)?;
        Ok(Mount(at.to_owned()))
    }

    /// Mounts it on the open directory `place`, called `at`, for as long as what is around it.
    pub(super) fn mount_on(&self, place: BorrowedFd<'_>, at: &Path) -> Result<(), MountError> {
        let context = fsopen(self.filesystem, FsOpenFlags::FSOPEN_CLOEXEC)
            .map_err(|errno| self.refused(errno, at, Said::default()))?;
        self.attach(&context, place)
            .map_err(|errno| self.refused(errno, at, Said(words_of(context))))
    }

    fn attach(&self, context: &OwnedFd, place: BorrowedFd<'_>) -> rustix::io::Result<()> {
        for (key, value) in &self.settings {
            match value {
                Some(value) => fsconfig_set_string(context, *key, value)?,
                None => fsconfig_set_flag(context, *key)?,
            }
        }
        fsconfig_create(context)?;
        let mount = fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, self.attributes)?;
        place_tree(mount.as_fd(), place)
    }

    /// For an overlay the source is a word.
    fn is_of_a_device(&self) -> bool {
        let is_source = |(key, _): &(&str, _)| *key == "source";
        self.filesystem != "overlay" && self.settings.iter().any(is_source)
    }

    fn refused(&self, errno: Errno, at: &Path, said: Said) -> MountError {
        match errno {
            Errno::PERM | Errno::ACCESS => MountError::NoRights(self.filesystem),
            Errno::NODEV => MountError::NoFilesystem(self.filesystem),
            Errno::INVAL if self.is_of_a_device() => MountError::Unreadable(self.filesystem),
            errno => MountError::Refused {
                filesystem: self.filesystem,
                at: at.to_owned(),
                said,
                source: errno.into(),
            },
        }
    }
}

/// A copy of what is mounted at `source` and below, attached nowhere yet.
pub(super) fn clone_tree(source: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, source, flags)
}

/// Attaches a mount that is nowhere yet to an open file or directory.
pub(super) fn place_tree(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", place, "", flags)
}

/// With all mounts below, as in mount_setattr(2).
pub(super) const RECURSIVE: AtFlags = AtFlags::from_bits_retain(OpenTreeFlags::AT_RECURSIVE.bits());

/// Refuses writes to the open `mount`, and to those below it if they are meant too.
pub(super) fn make_read_only(mount: BorrowedFd<'_>, flags: AtFlags) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(),
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let (mount, flags) = (mount.as_raw_fd(), flags | AtFlags::EMPTY_PATH);
    // rustix has no mount_setattr(2), and a remount would not reach the mounts below.
    // SAFETY: the descriptor is open; path and attributes live until the call returns, and have
    // the sizes that it is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount,
            c"".as_ptr(),
            flags.bits(),
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What the kernel has to say of a mount that failed; its lines begin with their kind, "e ".
fn words_of(context: OwnedFd) -> Option<String> {
    let mut line = [0; 512];
    let length = std::fs::File::from(context).read(&mut line).ok()?;
    let words = String::from_utf8_lossy(line.get(2..length)?);
    Some(words.trim().to_owned())
}

/// A mount of this process's namespace.
#[derive(Debug)]
pub(super) struct Mount(PathBuf);

impl Mount {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Detached, as a process of the run may still stand in it. What fails is left to the
        // end of the namespace.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_a_file_system_is_named_with_the_remedy() {
        assert_eq!(
            MountError::NoFilesystem("erofs").to_string(),
            "this kernel has no erofs: `modprobe erofs` may load it, \
             else it needs a kernel built with CONFIG_EROFS_FS"
        );
    }

    #[test]
    fn an_error_number_becomes_the_remedy_that_fits_it() {
        let overlay = |errno| Recipe::new("overlay").refused(errno, Path::new("/"), Said(None));
        assert!(matches!(
            overlay(Errno::NODEV),
            MountError::NoFilesystem("overlay")
        ));
        assert!(matches!(
            overlay(Errno::PERM),
            MountError::NoRights("overlay")
        ));
        assert!(matches!(overlay(Errno::INVAL), MountError::Refused { .. }));
        let ext4 = Recipe::new("ext4").text("source", "/dev/loop0");
        let refused = ext4.refused(Errno::INVAL, Path::new("/"), Said(None));
        assert!(matches!(refused, MountError::Unreadable("ext4")));
    }
}
