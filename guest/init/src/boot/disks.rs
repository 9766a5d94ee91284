//! Which disk is which: by its serial number, which the host has given it; and what is on it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const BLOCK_DEVICES: &str = "/sys/block";

/// A disk with its serial number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    serial: String,
    device: PathBuf,
}

/// A file system that we know by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Read-only and made for it.
    Erofs,
    /// Read-only and compressed.
    Squashfs,
    /// Linux's own; its ancestors are mounted by the same driver.
    Ext4,
}

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The host has promised it.
    #[error(
        "there is no disk with the serial number '{0}': has the kernel a driver (CONFIG_VIRTIO_BLK)?"
    )]
    Missing(String),
    /// Nothing can be read.
    #[error("cannot read the disk {0}")]
    Read(PathBuf, #[source] io::Error),
    /// It is for somebody else.
    #[error(
        "no file system that can be mounted is on the disk {0}: use erofs, squashfs or ext4, without partitions"
    )]
    Unknown(PathBuf),
}

/// All disks that have a serial number.
///
/// # Errors
/// The kernel tells of no block devices at all.
pub fn find() -> io::Result<Vec<Disk>> {
    let entries = match fs::read_dir(BLOCK_DEVICES) {
        Ok(entries) => entries,
        // A kernel without any: it is told which one is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let disks = entries.filter_map(Result::ok).filter_map(|entry| {
        let serial = fs::read_to_string(entry.path().join("serial")).ok()?;
        Some(Disk {
            serial: serial.trim_end().to_owned(),
            device: Path::new("/dev").join(entry.file_name()),
        })
    });
    Ok(disks.collect())
}

/// The device of the disk with the number `serial`, and what is on it.
///
/// # Errors
/// It is missing, or of no use.
pub fn look_at<'a>(disks: &'a [Disk], serial: &str) -> Result<(&'a Path, FileSystem), DiskError> {
    let disk = disks.iter().find(|disk| disk.serial == serial);
    let device = &disk
        .ok_or_else(|| DiskError::Missing(serial.to_owned()))?
        .device;
    let mut begin = [0; 4096];
    File::open(device)
        .and_then(|file| file.read_exact_at(&mut begin, 0))
        .map_err(|error| DiskError::Read(device.clone(), error))?;
    let known = FileSystem::of(&begin).ok_or_else(|| DiskError::Unknown(device.clone()))?;
    Ok((device, known))
}

impl FileSystem {
    /// Recognizes the beginning of a disk.
    pub fn of(begin: &[u8]) -> Option<Self> {
        const MAGICS: [(usize, &[u8], FileSystem); 3] = [
            (0, b"hsqs", FileSystem::Squashfs),
            (1024, &0xe0f5_e1e2_u32.to_le_bytes(), FileSystem::Erofs),
            (1024 + 0x38, &0xef53_u16.to_le_bytes(), FileSystem::Ext4),
        ];
        let is_at = |offset: usize, magic| {
            begin
                .get(offset..)
                .is_some_and(|rest| rest.starts_with(magic))
        };
        let found = MAGICS
            .into_iter()
            .find(|(offset, magic, _)| is_at(*offset, magic));
        found.map(|(_, _, known)| known)
    }

    /// Its name in mount(2).
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
            Self::Ext4 => "ext4",
        }
    }

    /// What it is mounted with where it is only read.
    pub fn read_only_options(self) -> &'static str {
        match self {
            // The journal of an image that was in use cannot be played back: it is read only.
            Self::Ext4 => "noload",
            Self::Erofs | Self::Squashfs => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_known_by_its_magic() {
        let with = |offset: usize, magic: &[u8]| {
            let mut begin = vec![0; 4096];
            begin[offset..offset + magic.len()].copy_from_slice(magic);
            FileSystem::of(&begin)
        };
        assert_eq!(with(0, b"hsqs"), Some(FileSystem::Squashfs));
        assert_eq!(
            with(1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
            Some(FileSystem::Erofs)
        );
        assert_eq!(with(1080, &[0x53, 0xef]), Some(FileSystem::Ext4));
        assert_eq!(with(510, &[0x55, 0xaa]), None);
        assert_eq!(FileSystem::of(b"hs"), None);
    }
}
