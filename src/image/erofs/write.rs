//! Writes a tree as EROFS, from the first byte to the last.

use std::io::{self, Write};

use super::directory::Dirent;
use super::format::{MAGIC, SLOT, SUPERBLOCK};
use super::plan::{Inode, Plan, with_dots};
use super::{BLOCK, BLOCK_BYTES, INLINE, PLAIN, directory, type_of, xattr};
use crate::image::tree::{Kind, NodeId, Tree};

/// Writes `tree` to `out`; `out` is not asked for anything but to take bytes, once.
///
/// # Errors
/// The content of a file cannot be read, or `out` takes no more.
pub fn write(tree: &Tree, out: &mut impl Write) -> io::Result<()> {
    let plan = Plan::of(tree);
    let mut writer = Writer {
        tree,
        plan: &plan,
        out: Counting { inner: out, at: 0 },
    };
    writer.superblock()?;
    for (index, inode) in plan.inodes.iter().enumerate() {
        writer.inode(index, inode)?;
    }
    for inode in plan.inodes.iter().filter(|inode| inode.block.is_some()) {
        writer.pad_to(inode.block.unwrap_or(0) * BLOCK)?;
        writer.data(inode)?;
    }
    writer.pad_to(plan.blocks * BLOCK)
}

struct Writer<'a, W> {
    tree: &'a Tree,
    plan: &'a Plan,
    out: Counting<'a, W>,
}

impl<W: Write> Writer<'_, W> {
    fn superblock(&mut self) -> io::Result<()> {
        let too_large = |_| io::Error::other("it is more than a base can hold");
        let root = self.plan.inodes.first().map_or(0, |inode| inode.offset);
        let mut block = [0; 128];
        let mut put = |at: usize, bytes: &[u8]| {
            block[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &MAGIC.to_le_bytes());
        put(8, &super::COMPAT_MTIME.to_le_bytes());
        put(12, &[BLOCK.trailing_zeros().to_le_bytes()[0]]);
        let root_nid = u16::try_from(root / SLOT).map_err(too_large)?;
        put(14, &root_nid.to_le_bytes());
        put(16, &(self.plan.inodes.len() as u64).to_le_bytes());
        let blocks = u32::try_from(self.plan.blocks).map_err(too_large)?;
        put(36, &blocks.to_le_bytes());
        self.pad_to(SUPERBLOCK)?;
        self.out.write_all(&block)
    }

    fn inode(&mut self, index: usize, inode: &Inode) -> io::Result<()> {
        let node = self.tree.node(inode.node);
        let xattrs = xattr::body(&node.metadata.xattrs);
        self.pad_to(inode.offset)?;
        self.out.write_all(&self.header(index, inode, &xattrs))?;
        self.out.write_all(&xattrs)?;
        match inode.block {
            None => self.data(inode),
            Some(_) => Ok(()),
        }
    }

    /// `struct erofs_inode_extended`
    fn header(&self, index: usize, inode: &Inode, xattrs: &[u8]) -> Vec<u8> {
        let node = self.tree.node(inode.node);
        let metadata = &node.metadata;
        let format = if inode.block.is_some() { PLAIN } else { INLINE };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let mut header = Vec::with_capacity(64);
        header.extend(format.to_le_bytes());
        header.extend(xattr::count(xattrs).to_le_bytes());
        header.extend((type_of(&node.kind) | metadata.mode & 0o7777).to_le_bytes());
        header.extend([0; 2]);
        header.extend(inode.size.to_le_bytes());
        header.extend(place_or_device(inode, &node.kind).to_le_bytes());
        header.extend(number.to_le_bytes());
        header.extend(metadata.uid.to_le_bytes());
        header.extend(metadata.gid.to_le_bytes());
        header.extend(metadata.mtime.to_le_bytes());
        header.extend(metadata.mtime_nanos.to_le_bytes());
        header.extend(inode.links.to_le_bytes());
        header.extend([0; 16]);
        header
    }

    fn data(&mut self, inode: &Inode) -> io::Result<()> {
        match &self.tree.node(inode.node).kind {
            Kind::Directory(entries) => {
                let dirents: Vec<Dirent<'_>> = with_dots(entries)
                    .into_iter()
                    .map(|(name, entry)| match entry {
                        Some(entry) => self.dirent(name, entry.node),
                        None if name == b"." => self.dirent(name, inode.node),
                        None => self.dirent(name, inode.parent),
                    })
                    .collect();
                self.out.write_all(&directory::data(&dirents))
            }
            Kind::File(content) => content.copy_to(&mut self.out),
            Kind::Symlink(target) => self.out.write_all(target),
            _ => Ok(()),
        }
    }

    fn dirent<'a>(&self, name: &'a [u8], node: NodeId) -> Dirent<'a> {
        let offset = self.plan.inode(node).map_or(0, |inode| inode.offset);
        Dirent {
            name,
            nid: offset / SLOT,
            file_type: type_of(&self.tree.node(node).kind),
        }
    }

    fn pad_to(&mut self, offset: u64) -> io::Result<()> {
        const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
        while self.out.at < offset {
            let missing = (offset - self.out.at).min(BLOCK);
            let missing = usize::try_from(missing).expect("at most a block");
            self.out.write_all(&ZEROS[..missing])?;
        }
        Ok(())
    }
}

/// `i_u`: the first block of the data, or the number of a device as the kernel encodes it.
fn place_or_device(inode: &Inode, kind: &Kind) -> u32 {
    match (kind, inode.block) {
        // linux/kdev_t.h: new_encode_dev()
        (Kind::Block(major, minor) | Kind::Character(major, minor), _) => {
            minor & 0xff | major << 8 | (minor & !0xff) << 12
        }
        (_, Some(block)) => u32::try_from(block).unwrap_or(u32::MAX),
        (_, None) => 0,
    }
}

/// Knows how much it has written.
struct Counting<'a, W> {
    inner: &'a mut W,
    at: u64,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
