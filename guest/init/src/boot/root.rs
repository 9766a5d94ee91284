//! The root of the commands: the base, what is written over it, and the volumes.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_move, mount_remount};
use wire::{CHANNEL_DIRECTORY, Setup, Share, Volume};

use super::disks::{self, Disk, DiskError};

const BASE: &str = "/base";
const UPPER: &str = "/upper";
const ROOT: &str = "/root";
/// What moves into the new root.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
/// The same lower and upper directories are an overlay of the host's at other times, so
/// nothing depends on how a kernel is built.
const OVERLAY: &str = "lowerdir=/base,upperdir=/upper/upper,workdir=/upper/work,\
                       redirect_dir=off,index=off,metacopy=off";

/// Why there is no root.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A disk is of no use.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The kernel lacks a file system.
    #[error("the guest's kernel has no {name}: build it with {option}, or give its module")]
    Kernel {
        /// Which one.
        name: String,
        /// What it is called in a kernel's configuration.
        option: &'static str,
    },
    /// It has it, and refuses.
    #[error("cannot mount {what} at {target}")]
    Mount {
        /// A device or a name.
        what: String,
        /// Where.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// A directory cannot be made, or the like.
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
}

/// The disk that is kept, while it is in use.
pub struct Keep(File);

/// Makes the root that `setup` describes, and enters it.
///
/// # Errors
/// A step fails; there is no way back.
pub fn make(setup: &Setup, disks: &[Disk]) -> Result<Option<Keep>, RootError> {
    let (base, known) = disks::look_at(disks, &setup.base)?;
    let base = base.to_string_lossy();
    mount(
        &base,
        BASE,
        known.name(),
        MountFlags::RDONLY,
        known.read_only_options(),
    )?;
    let keep = match &setup.keep {
        Some(serial) => Some(open_keep(disks, serial)?),
        None => {
            mount("tmpfs", UPPER, "tmpfs", MountFlags::empty(), "mode=755")?;
            None
        }
    };
    make_directory("/upper/upper")?;
    make_directory("/upper/work")?;
    mount("overlay", ROOT, "overlay", MountFlags::empty(), OVERLAY)?;
    enter()?;
    furnish()?;
    for volume in &setup.volumes {
        mount_volume(volume, disks)?;
    }
    if setup.read_only {
        let read_only = MountFlags::BIND | MountFlags::RDONLY;
        mount_remount("/", read_only, "").map_err(system("make the root read-only"))?;
    }
    Ok(keep)
}

fn open_keep(disks: &[Disk], serial: &str) -> Result<Keep, RootError> {
    let (device, known) = disks::look_at(disks, serial)?;
    mount(
        &device.to_string_lossy(),
        UPPER,
        known.name(),
        MountFlags::empty(),
        "",
    )?;
    let held = File::open(UPPER).map_err(system("open the disk that is kept"));
    Ok(Keep(held?))
}

/// Makes the overlay our root. The first root cannot be left by pivot_root: the kernel has
/// no other below it.
fn enter() -> Result<(), RootError> {
    for directory in KERNELS {
        let target = format!("{ROOT}{directory}");
        make_directory(&target)?;
        mount_move(directory, &target).map_err(system("move the kernel's file systems"))?;
    }
    rustix::process::chdir(ROOT).map_err(system("enter the root"))?;
    mount_move(".", "/").map_err(system("move the root to its place"))?;
    rustix::process::chroot(".").map_err(system("make the root ours"))?;
    rustix::process::chdir("/").map_err(system("enter the root"))
}

/// What programs expect to find, whatever is on the image.
fn furnish() -> Result<(), RootError> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV;
    let pts = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "devpts",
        "/dev/pts",
        "devpts",
        pts,
        "mode=620,ptmxmode=666,gid=5",
    )?;
    mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777")?;
    mount("tmpfs", "/run", "tmpfs", safe, "mode=755")?;
    mount("tmpfs", "/tmp", "tmpfs", safe, "mode=1777")?;
    make_directory(CHANNEL_DIRECTORY)?;
    let links = [
        ("/proc/self/fd", "fd"),
        ("fd/0", "stdin"),
        ("fd/1", "stdout"),
        ("fd/2", "stderr"),
    ];
    for (target, name) in links {
        symlink(target, format!("/dev/{name}")).map_err(system("make the links in /dev"))?;
    }
    Ok(())
}

fn mount_volume(volume: &Volume, disks: &[Disk]) -> Result<(), RootError> {
    let flags = if volume.read_only {
        MountFlags::RDONLY
    } else {
        MountFlags::empty()
    };
    let flags = flags | MountFlags::NOSUID | MountFlags::NODEV;
    match &volume.share {
        Share::Directory(tag) => mount(tag, &volume.target, "virtiofs", flags, ""),
        Share::Disk(serial) => {
            let (device, known) = disks::look_at(disks, serial)?;
            let options = if volume.read_only {
                known.read_only_options()
            } else {
                ""
            };
            mount(
                &device.to_string_lossy(),
                &volume.target,
                known.name(),
                flags,
                options,
            )
        }
    }
}

/// Mounts `what`, of the file system `kind`, at `target`, which is made if it is missing.
///
/// # Errors
/// The kernel has no such file system, or refuses.
pub fn mount(
    what: &str,
    target: &str,
    kind: &str,
    flags: MountFlags,
    options: &str,
) -> Result<(), RootError> {
    make_directory(target)?;
    let options = std::ffi::CString::new(options).unwrap_or_default();
    match rustix::mount::mount(what, target, kind, flags, options.as_c_str()) {
        Ok(()) => Ok(()),
        Err(Errno::NODEV) => Err(RootError::Kernel {
            name: kind.to_owned(),
            option: option_of(kind),
        }),
        Err(error) => Err(RootError::Mount {
            what: what.to_owned(),
            target: target.to_owned(),
            source: error.into(),
        }),
    }
}

fn option_of(file_system: &str) -> &'static str {
    match file_system {
        "erofs" => "CONFIG_EROFS_FS",
        "squashfs" => "CONFIG_SQUASHFS",
        "ext4" => "CONFIG_EXT4_FS",
        "overlay" => "CONFIG_OVERLAY_FS",
        "virtiofs" => "CONFIG_VIRTIO_FS",
        "tmpfs" => "CONFIG_TMPFS",
        "devtmpfs" => "CONFIG_DEVTMPFS",
        "devpts" => "CONFIG_UNIX98_PTYS",
        _ => "its option",
    }
}

fn make_directory(path: &str) -> Result<(), RootError> {
    fs::create_dir_all(path).map_err(system("make a directory of the root"))
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> RootError {
    move |error| RootError::System(what, error.into())
}

impl Keep {
    /// Writes everything, and leaves the journal as an unmount does.
    ///
    /// # Errors
    /// The disk cannot be written: what was written last may be lost.
    pub fn close(self) -> Result<(), RootError> {
        // It lies below our root, so only the file that we have opened leads there.
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        rustix::fs::syncfs(&self.0).map_err(system("write what is kept"))?;
        mount_remount(path, MountFlags::RDONLY, "").map_err(system("close the disk that is kept"))
    }
}
