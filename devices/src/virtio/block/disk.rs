//! A disk image, or a block device of the host: opened, locked and measured.
//!
//! It knows no request and no guest memory.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FlockOperation, OFlags, StatxFlags};
use rustix::io::Errno;

use super::bounce;
use super::probe::foreign_format;

/// The unit in which virtio counts (virtio 1.2, 5.2.6).
pub const SECTOR_SIZE: u64 = 512;
/// The smallest unit of transfers.
const SMALLEST_BLOCK: u32 = 512;

/// Why a file cannot be a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The host refuses.
    #[error(transparent)]
    Host(#[from] io::Error),
    /// It may only be read.
    #[error("it may only be read here: add readonly to the disk, or make the file writable")]
    ReadOnly(#[source] io::Error),
    /// It is something else.
    #[error("it is a {0}: use a file or a block device")]
    Kind(&'static str),
    /// Somebody else has it.
    #[error("it is in use by another VM: stop that one, or make the disk readonly in both")]
    InUse,
    /// It has no bytes.
    #[error("it is empty: give it a size, as with `truncate -s 8G`")]
    Empty,
    /// Its last sector is cut off.
    #[error(
        "its size, {size} bytes, is no multiple of {block_size}: round it up with `truncate -s %{block_size}`"
    )]
    PartialBlock {
        /// The size in bytes.
        size: u64,
        /// The unit of transfers.
        block_size: u32,
    },
    /// It looks like another format.
    #[error(
        "it looks like {0}: convert it with `qemu-img convert -O raw`, or say format=raw if those are a raw disk's own bytes"
    )]
    Format(&'static str),
    /// It cannot be used past the page cache.
    #[error("its file system cannot pass by the page cache: use cache=writeback")]
    NoDirectIo(#[source] io::Error),
}

/// How to open a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access {
    /// Whether nothing may be written.
    pub readonly: bool,
    /// Whether to pass by the host's page cache.
    pub direct: bool,
    /// Whether it is raw, whatever its first bytes look like.
    pub force_raw: bool,
}

/// A disk, locked as long as it is open.
pub struct Disk {
    name: String,
    file: Arc<File>,
    size: u64,
    readonly: bool,
    blocks: BlockSizes,
}

/// The units that a disk works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// The unit of transfers, in bytes.
    pub logical: u32,
    /// The unit that is efficient, in bytes.
    pub physical: u32,
    /// What addresses in memory must be a multiple of; 1 if they need not be.
    pub memory: u32,
}

impl Disk {
    /// Opens and locks the disk at `path`: for itself alone to write, with others to read.
    ///
    /// # Errors
    /// It is missing, no disk, in use, or not raw.
    pub fn open(path: &Path, access: Access) -> Result<Self, DiskError> {
        // Looked at before it is opened, because opening a pipe waits and opening a
        // device may do something.
        refuse_other_kinds(std::fs::metadata(path)?.file_type())?;
        let file = open_file(path, access)?;
        refuse_other_kinds(file.metadata()?.file_type())?;
        lock(&file, access)?;
        if !access.force_raw {
            refuse_other_formats(&file)?;
        }
        let blocks = measure_blocks(&file, access)?;
        let size = whole_size(&file, blocks.logical)?;
        Ok(Self {
            name: path.display().to_string(),
            file: Arc::new(file),
            size,
            readonly: access.readonly,
            blocks,
        })
    }

    /// Its path, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, for whoever transfers data.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The number of sectors.
    pub fn sectors(&self) -> u64 {
        self.size / SECTOR_SIZE
    }

    /// Whether nothing may be written.
    pub fn is_readonly(&self) -> bool {
        self.readonly
    }

    /// The units that it works in.
    pub fn blocks(&self) -> BlockSizes {
        self.blocks
    }

    /// Where `len` bytes from `sector` on lie in the file, if they are whole sectors of it.
    pub fn offset_of(&self, sector: u64, len: u64) -> Option<u64> {
        let offset = sector.checked_mul(SECTOR_SIZE)?;
        let end = offset.checked_add(len)?;
        let is_whole = len.is_multiple_of(SECTOR_SIZE);
        (is_whole && end <= self.size).then_some(offset)
    }

    /// Writes `len` zeroes at `offset`, where the file system has no shorter way.
    ///
    /// # Errors
    /// The host cannot write them.
    pub fn write_zeroes(&self, mut offset: u64, mut len: u64) -> io::Result<()> {
        while len > 0 {
            let count = ZEROES
                .0
                .len()
                .min(usize::try_from(len).unwrap_or(usize::MAX));
            let zeroes = ZEROES.0.get(..count).unwrap_or_default();
            self.file.write_all_at(zeroes, offset)?;
            let count = count as u64;
            offset = offset.saturating_add(count);
            len = len.saturating_sub(count);
        }
        Ok(())
    }
}

/// Zeroes that O_DIRECT takes.
#[repr(align(4096))]
struct Zeroes([u8; 16 * 1024]);
static ZEROES: Zeroes = Zeroes([0; 16 * 1024]);

fn refuse_other_kinds(kind: FileType) -> Result<(), DiskError> {
    let name = match kind {
        kind if kind.is_file() || kind.is_block_device() => return Ok(()),
        kind if kind.is_dir() => "directory",
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        _ => "character device",
    };
    Err(DiskError::Kind(name))
}

fn open_file(path: &Path, access: Access) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.read(true).write(!access.readonly);
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            if !access.readonly && File::open(path).is_ok() =>
        {
            DiskError::ReadOnly(error)
        }
        _ => DiskError::Host(error),
    })
}

fn lock(file: &File, access: Access) -> Result<(), DiskError> {
    let operation = if access.readonly {
        FlockOperation::NonBlockingLockShared
    } else {
        FlockOperation::NonBlockingLockExclusive
    };
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(DiskError::InUse),
        Err(error) => {
            // A network file system without locks is still a file system.
            log::warn!("cannot lock a disk image, keep other VMs away from it: {error}");
            Ok(())
        }
    }
}

fn refuse_other_formats(file: &File) -> Result<(), DiskError> {
    match foreign_format(file)? {
        Some(format) => Err(DiskError::Format(format)),
        None => Ok(()),
    }
}

/// The size of the file, all of which can be transferred.
fn whole_size(mut file: &File, block_size: u32) -> Result<u64, DiskError> {
    // For a block device, the end is where seeking finds it.
    let size = file.seek(SeekFrom::End(0))?;
    if size == 0 {
        return Err(DiskError::Empty);
    }
    if size.checked_rem(block_size.into()) != Some(0) {
        return Err(DiskError::PartialBlock { size, block_size });
    }
    Ok(size)
}

fn measure_blocks(file: &File, access: Access) -> Result<BlockSizes, DiskError> {
    let blocks = if file.metadata()?.file_type().is_block_device() {
        BlockSizes {
            logical: rustix::fs::ioctl_blksszget(file).map_err(io::Error::from)?,
            physical: rustix::fs::ioctl_blkpbszget(file).map_err(io::Error::from)?,
            memory: 1,
        }
    } else {
        BlockSizes {
            logical: SMALLEST_BLOCK,
            physical: u32::try_from(file.metadata()?.blksize()).unwrap_or(SMALLEST_BLOCK),
            memory: 1,
        }
    };
    if access.direct {
        return enter_direct_mode(file, blocks);
    }
    Ok(blocks)
}

/// Passes by the page cache from now on; transfers are then as coarse as the host says.
fn enter_direct_mode(file: &File, blocks: BlockSizes) -> Result<BlockSizes, DiskError> {
    let refused = |error: Errno| DiskError::NoDirectIo(error.into());
    let flags = rustix::fs::fcntl_getfl(file).map_err(refused)?;
    rustix::fs::fcntl_setfl(file, flags | OFlags::DIRECT).map_err(refused)?;
    // An overlay takes the flag and then refuses all that is done with the file.
    bounce::try_read(file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => DiskError::NoDirectIo(error),
        _ => DiskError::Host(error),
    })?;
    let status = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN);
    let told = status.map_or((0, 0), |status| {
        (status.stx_dio_offset_align, status.stx_dio_mem_align)
    });
    let (offset, memory) = match told {
        // Linux before 6.1 does not tell: the block size is what it wants.
        (0, _) | (_, 0) => (blocks.logical, blocks.logical),
        told => told,
    };
    let logical = blocks.logical.max(offset);
    Ok(BlockSizes {
        logical,
        physical: blocks.physical.max(logical),
        memory,
    })
}
