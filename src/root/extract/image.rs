//! EROFS as far as it is read here: inodes, their bytes, the entries of directories.
//!
//! It writes nothing. Fields are named as in the kernel's `fs/erofs/erofs_fs.h`. What is
//! compressed is left to the kernel.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

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

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

const SUPERBLOCK: u64 = 1024;
/// `EROFS_SUPER_MAGIC_V1`
const MAGIC: u32 = 0xe0f5_e1e2;
/// `EROFS_SLOTSIZE`-aligned inodes: the unit of an inode number.
const SLOT: u64 = 32;
const COMPACT: u64 = 32;
const EXTENDED: u64 = 64;
/// `EROFS_INODE_FLAT_PLAIN`: all bytes are in consecutive blocks.
const FLAT_PLAIN: u16 = 0;
/// `EROFS_INODE_FLAT_INLINE`: all but the last, which follows the inode.
const FLAT_INLINE: u16 = 2;
/// `struct erofs_dirent`
const ENTRY: usize = 12;
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
        if u32_at(&superblock, 0) != MAGIC {
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
            inodes: u64::from(u32_at(&superblock, 40)) * block,
            root: u16_at(&superblock, 14).into(),
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
        let format = u16_at(&compact, 0);
        let mut inode = if format & 1 == 0 {
            compact_inode(&compact)
        } else {
            extended_inode(&read(&self.file, at)?)
        };
        let header = if format & 1 == 0 { COMPACT } else { EXTENDED };
        inode.start = u64::from(u32_at(&compact, 16)) * self.block;
        inode.tail = match format >> 1 & 7 {
            FLAT_PLAIN => None,
            FLAT_INLINE => Some(at + header + attributes_length(u16_at(&compact, 2))),
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
            entries_of_block(block, &mut entries)?;
        }
        entries.retain(|(name, _)| name != b"." && name != b"..");
        Ok(entries)
    }
}

/// A block begins with its entries; where the first name begins, they end.
fn entries_of_block(block: &[u8], entries: &mut Vec<(Vec<u8>, u64)>) -> Result<(), ImageError> {
    const DAMAGED: ImageError = ImageError::Damaged("a directory has impossible entries");
    let first = block.get(8..10).ok_or(DAMAGED)?;
    let names = usize::from(u16_at(first, 0));
    let table = block.get(..names).ok_or(DAMAGED)?;
    let mut table = table.chunks_exact(ENTRY).peekable();
    while let Some(entry) = table.next() {
        let start = usize::from(u16_at(entry, 8));
        let next = table.peek().map(|next| usize::from(u16_at(next, 8)));
        let name = block
            .get(start..next.unwrap_or(block.len()))
            .ok_or(DAMAGED)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() || name.contains(&b'/') {
            return Err(DAMAGED);
        }
        entries.push((name.to_vec(), u64_at(entry, 0)));
    }
    Ok(())
}

fn compact_inode(bytes: &[u8; 32]) -> Inode {
    Inode {
        mode: u16_at(bytes, 4),
        links: u16_at(bytes, 6).into(),
        size: u32_at(bytes, 8).into(),
        uid: u16_at(bytes, 24).into(),
        gid: u16_at(bytes, 26).into(),
        mtime: None,
        start: 0,
        tail: None,
    }
}

fn extended_inode(bytes: &[u8; 64]) -> Inode {
    Inode {
        mode: u16_at(bytes, 4),
        size: u64_at(bytes, 8),
        uid: u32_at(bytes, 24),
        gid: u32_at(bytes, 28),
        mtime: Some(u64_at(bytes, 32)),
        links: u32_at(bytes, 44),
        start: 0,
        tail: None,
    }
}

/// `erofs_xattr_ibody_size`
fn attributes_length(count: u16) -> u64 {
    match count {
        0 => 0,
        count => 12 + 4 * (u64::from(count) - 1),
    }
}

fn read<const N: usize>(file: &File, at: u64) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Only for records whose size is known to hold the field.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let field = bytes
        .get(at..at + N)
        .and_then(|field| field.try_into().ok());
    field.expect("the record is as large as its format says")
}
