//! EROFS as far as it is read here: inodes, their bytes, the entries of directories.
//!
//! It writes nothing, and reads more than we write: what others have made. What is compressed
//! is left to the kernel.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::image::erofs::format::{
    COMPACT_INODE, Damaged, EXTENDED, EXTENDED_INODE, FLAT_INLINE, FLAT_PLAIN, MAGIC, SLOT,
    SUPERBLOCK, dirents, u16_at, u32_at, u64_at,
};
use crate::image::erofs::xattrs_size;

/// Why an image cannot be read.
#[derive(Debug)]
pub(super) enum ImageError {
    /// It ends too early, or the disk fails.
    Io(io::Error),
    /// It is none, or says what cannot be.
    Damaged(&'static str),
    /// It is compressed.
    Compressed,
}

impl From<Damaged> for ImageError {
    fn from(Damaged: Damaged) -> Self {
        Self::Damaged("a directory has impossible entries, or a record ends too early")
    }
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

/// The largest directory, or target of a link, that is read into memory.
const IN_MEMORY: u64 = 64 << 20;

/// The open image.
pub(super) struct Image {
    file: File,
    block: u64,
    /// Where inode 0 would be.
    inodes: u64,
    /// The number of the root's inode.
    pub(super) root: u64,
}

/// What is known of a file.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u32,
    pub(super) size: u64,
    /// Seconds since 1970, where the inode has room for them.
    pub(super) mtime: Option<u64>,
    start: u64,
    /// Where the last bytes are that fill no block, if not in a block.
    tail: Option<u64>,
}

impl Image {
    /// The image in `file`.
    pub(super) fn open(file: File) -> Result<Self, ImageError> {
        let superblock: [u8; 128] = read(&file, SUPERBLOCK)?;
        if u32_at(&superblock, 0)? != MAGIC {
            return Err(ImageError::Damaged("it has no superblock"));
        }
        let bits = superblock[12];
        if !(9..=16).contains(&bits) {
            return Err(ImageError::Damaged("its blocks have no possible size"));
        }
        let block = 1 << bits;
        Ok(Self {
            file,
            block,
            inodes: u64::from(u32_at(&superblock, 40)?) * block,
            root: u16_at(&superblock, 14)?.into(),
        })
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> Result<u64, ImageError> {
        Ok(self.file.metadata()?.len())
    }

    /// The inode with this number.
    pub(super) fn inode(&self, number: u64) -> Result<Inode, ImageError> {
        let at = number
            .checked_mul(SLOT)
            .and_then(|offset| offset.checked_add(self.inodes))
            .ok_or(ImageError::Damaged("an inode is out of reach"))?;
        let compact: [u8; 32] = read(&self.file, at)?;
        let format = u16_at(&compact, 0)?;
        let (mut inode, header) = match format & EXTENDED {
            0 => (compact_inode(&compact)?, COMPACT_INODE),
            _ => (
                extended_inode(&read::<64>(&self.file, at)?)?,
                EXTENDED_INODE,
            ),
        };
        inode.start = u64::from(u32_at(&compact, 16)?) * self.block;
        inode.tail = match format >> 1 & 7 {
            FLAT_PLAIN => None,
            FLAT_INLINE => Some(at + header + xattrs_size(u16_at(&compact, 2)?) as u64),
            _ => return Err(ImageError::Compressed),
        };
        Ok(inode)
    }

    /// All bytes of a directory or a link.
    pub(super) fn bytes(&self, inode: &Inode) -> Result<Vec<u8>, ImageError> {
        if inode.size > IN_MEMORY.min(self.length()?) {
            return Err(ImageError::Damaged("a directory or link is too large"));
        }
        let mut bytes = Vec::new();
        self.copy(inode, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies the bytes of `inode`.
    pub(super) fn copy(&self, inode: &Inode, to: &mut impl io::Write) -> Result<(), ImageError> {
        let inline = inode.tail.map_or(0, |_| inode.size % self.block);
        self.copy_part(inode.start, inode.size - inline, to)?;
        match inode.tail {
            Some(tail) => self.copy_part(tail, inline, to),
            None => Ok(()),
        }
    }

    fn copy_part(&self, at: u64, length: u64, to: &mut impl io::Write) -> Result<(), ImageError> {
        let mut buffer = vec![0; 1 << 17];
        let mut done = 0;
        while done < length {
            let wanted = (length - done).min(1 << 17);
            let part = &mut buffer[..usize::try_from(wanted).expect("128 KiB fit")];
            self.file.read_exact_at(part, at + done)?;
            to.write_all(part)?;
            done += wanted;
        }
        Ok(())
    }

    /// The names in a directory, each with its inode; `.` and `..` are left out.
    pub(super) fn entries(&self, inode: &Inode) -> Result<Vec<(Vec<u8>, u64)>, ImageError> {
        let bytes = self.bytes(inode)?;
        let block = usize::try_from(self.block).expect("64 KiB fit");
        let mut entries = Vec::new();
        for block in bytes.chunks(block) {
            let found = dirents(block)?.into_iter();
            entries.extend(found.map(|(name, number)| (name.to_vec(), number)));
        }
        entries.retain(|(name, _)| name != b"." && name != b"..");
        Ok(entries)
    }
}

fn compact_inode(bytes: &[u8; 32]) -> Result<Inode, Damaged> {
    Ok(Inode {
        mode: u16_at(bytes, 4)?,
        links: u16_at(bytes, 6)?.into(),
        size: u32_at(bytes, 8)?.into(),
        uid: u16_at(bytes, 24)?.into(),
        gid: u16_at(bytes, 26)?.into(),
        mtime: None,
        start: 0,
        tail: None,
    })
}

fn extended_inode(bytes: &[u8; 64]) -> Result<Inode, Damaged> {
    Ok(Inode {
        mode: u16_at(bytes, 4)?,
        size: u64_at(bytes, 8)?,
        uid: u32_at(bytes, 24)?,
        gid: u32_at(bytes, 28)?,
        mtime: Some(u64_at(bytes, 32)?),
        links: u32_at(bytes, 44)?,
        start: 0,
        tail: None,
    })
}

fn read<const N: usize>(file: &File, at: u64) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
