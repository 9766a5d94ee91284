//! A file as a block device; one device for all who use the same file.
//!
//! The same device mounted twice is one superblock, hence one page cache: that is why a device
//! that backs the file already is looked for first.

mod requests;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use linux_raw_sys::loop_device::loop_info64;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

const CONTROL: &str = "/dev/loop-control";
/// How often another program may take the device that was free a moment ago.
const ATTEMPTS: usize = 64;

/// Why a file cannot be a block device.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The kernel has no loop devices, or `/dev` does not show them.
    #[error(
        "there is no {CONTROL}: load the loop module (`modprobe loop`), or give this container the host's /dev"
    )]
    NoControl,
    /// This user may not.
    #[error("no right to use {at}: run as root, or give this container its loop devices")]
    NoRights {
        /// Which node.
        at: PathBuf,
    },
    /// The device that the kernel offers has no node.
    #[error("there is no {at}: make it by `mknod {at} b 7 {number}`")]
    NoNode {
        /// Which.
        at: PathBuf,
        /// Its minor number.
        number: u32,
    },
    /// None is free.
    #[error("no loop device is free: `losetup -l` lists who uses them")]
    NoneFree,
    /// A system call failed.
    #[error("cannot use {at} as a loop device")]
    Device {
        /// Which.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What may be done with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, by any number of runs.
    Shared,
    /// Read and written, by one.
    Exclusive,
}

/// A loop device, which lives as long as it is open or mounted, and no longer.
#[derive(Debug)]
pub(super) struct LoopDevice {
    path: PathBuf,
    // Holds the device until it has been mounted.
    _open: File,
}

impl LoopDevice {
    /// The device that shows `backing`: the one that does so already, else a new one.
    pub(super) fn of(backing: &File, access: Access) -> Result<Self, LoopError> {
        let control = lock_control()?;
        match Self::find(backing, access)? {
            Some(found) => Ok(found),
            None => Self::bind(&control, backing, access),
        }
    }

    /// The device that shows `backing` to those with the same rights, if there is one.
    fn find(backing: &File, access: Access) -> Result<Option<Self>, LoopError> {
        let found = devices_of(backing, access)?
            .into_iter()
            .find(|(_, _, status)| suits(status, access));
        Ok(found.map(|(path, file, _)| Self { path, _open: file }))
    }

    /// Whether any device shows `backing`.
    pub(super) fn is_shown(backing: &File) -> Result<bool, LoopError> {
        Ok(!devices_of(backing, Access::Shared)?.is_empty())
    }

    fn bind(control: &File, backing: &File, access: Access) -> Result<Self, LoopError> {
        for _ in 0..ATTEMPTS {
            let (path, number) = free_device(control)?;
            let file = open(&path, access).map_err(|error| error.of_number(number))?;
            match requests::configure(&file, backing, access == Access::Shared) {
                Ok(()) => return Ok(Self { path, _open: file }),
                Err(Errno::BUSY) => {}
                Err(errno) => return Err(failed(&path, errno.into())),
            }
        }
        Err(LoopError::NoneFree)
    }

    /// Its node.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl LoopError {
    /// Whether it is the rights of this user that are missing, and nothing else.
    pub(super) fn is_of_rights(&self) -> bool {
        matches!(self, Self::NoRights { .. })
    }

    fn of_number(self, number: u32) -> Self {
        match self {
            Self::Device { at, source } if source.kind() == io::ErrorKind::NotFound => {
                Self::NoNode { at, number }
            }
            other => other,
        }
    }
}

/// One run at a time looks for a device and makes one: two that start together share it.
fn lock_control() -> Result<File, LoopError> {
    let path = Path::new(CONTROL);
    let control = File::open(path).map_err(|source| match source.raw_os_error() {
        // ENODEV, ENXIO: a node without a driver.
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => LoopError::NoControl,
        _ => failed(path, source),
    })?;
    rustix::fs::flock(&control, FlockOperation::LockExclusive)
        .map_err(|errno| failed(path, errno.into()))?;
    Ok(control)
}

fn failed(path: &Path, source: io::Error) -> LoopError {
    let at = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => LoopError::NoRights { at },
        _ => LoopError::Device { at, source },
    }
}

fn open(path: &Path, access: Access) -> Result<File, LoopError> {
    let opened = File::options()
        .read(true)
        .write(access == Access::Exclusive)
        .open(path);
    opened.map_err(|source| failed(path, source))
}

/// Those that show a file: only they have a directory `loop`.
fn bound_devices() -> Result<Vec<PathBuf>, LoopError> {
    let directory = Path::new("/sys/block");
    let entries = fs::read_dir(directory).map_err(|source| failed(directory, source))?;
    let names = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"loop"))
        .filter(|entry| entry.path().join("loop").exists());
    Ok(names
        .map(|entry| Path::new("/dev").join(entry.file_name()))
        .collect())
}

/// The devices that show `backing`, opened: none of them goes away meanwhile.
fn devices_of(
    backing: &File,
    access: Access,
) -> Result<Vec<(PathBuf, File, loop_info64)>, LoopError> {
    let file = backing
        .metadata()
        .map_err(|source| failed(Path::new("the file"), source))?;
    let open = bound_devices()?.into_iter().filter_map(|path| {
        let device = open(&path, access).ok()?;
        let status = requests::status(&device).ok()?;
        Some((path, device, status))
    });
    Ok(open
        .filter(|(_, _, status)| (status.lo_device, status.lo_inode) == (file.dev(), file.ino()))
        .collect())
}

/// Whether it shows the whole of its file, under these rights.
fn suits(status: &loop_info64, access: Access) -> bool {
    let read_only = status.lo_flags & requests::READ_ONLY != 0;
    (status.lo_offset, status.lo_sizelimit) == (0, 0) && read_only == (access == Access::Shared)
}

fn free_device(control: &File) -> Result<(PathBuf, u32), LoopError> {
    let number = requests::free_number(control).map_err(|errno| match errno {
        Errno::NOSPC => LoopError::NoneFree,
        errno => failed(Path::new(CONTROL), errno.into()),
    })?;
    Ok((PathBuf::from(format!("/dev/loop{number}")), number))
}
