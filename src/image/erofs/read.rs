//! Reads back the tree of a base that was made here; the contents stay where they are.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::format::{
    Damaged, EXTENDED_INODE, MAGIC, SLOT, SUPERBLOCK, dirents, u16_at, u32_at, u64_at,
};
use super::{BLOCK, BLOCK_BYTES, INLINE, PLAIN, file_type, xattr};
use crate::image::content::Content;
use crate::image::tree::{Entry, Kind, MAX_NODES, Metadata, Node, NodeId, PATH_MAX, Tree};

/// No directory of a base has more data: every name in it is a node, and nodes are limited.
const DIRECTORY_MAX: u64 = 1 << 30;

/// The tree of the base in `file`. Its entries are those of layer 0.
///
/// # Errors
/// The base cannot be read, or is none that [`super::write`] would have made.
pub fn read(file: &Arc<File>) -> io::Result<Tree> {
    let mut superblock = [0; 128];
    file.read_exact_at(&mut superblock, SUPERBLOCK)?;
    let root = u64::from(u16_at(&superblock, 14)?) * SLOT;
    if u32_at(&superblock, 0)? != MAGIC || u32_at(&superblock, 80)? != 0 {
        return Err(io::Error::other("it was not made by vmm"));
    }
    let mut reader = Reader {
        file,
        tree: Tree::default(),
        known: HashMap::new(),
        waiting: Vec::new(),
        entries: 0,
    };
    reader.root(root)?;
    while let Some((directory, raw)) = reader.waiting.pop() {
        reader.directory(directory, &raw)?;
    }
    Ok(reader.tree)
}

struct Reader<'a> {
    file: &'a Arc<File>,
    tree: Tree,
    /// Nodes by the offset of their inode.
    known: HashMap<u64, NodeId>,
    /// Directories whose entries have not been read.
    waiting: Vec<(NodeId, Inode)>,
    /// Names that were read.
    entries: usize,
}

/// An inode as it is in the file.
struct Inode {
    mode: u16,
    size: u64,
    /// Where the data are.
    data: u64,
    /// `i_u`
    device: u32,
    metadata: Metadata,
}

impl Reader<'_> {
    fn root(&mut self, offset: u64) -> io::Result<()> {
        let inode = self.inode(offset)?;
        if inode.mode & !0o7777 != file_type::DIRECTORY {
            return Err(Damaged.into());
        }
        self.tree.node_mut(NodeId::ROOT).metadata = inode.metadata.clone();
        self.known.insert(offset, NodeId::ROOT);
        self.waiting.push((NodeId::ROOT, inode));
        Ok(())
    }

    fn directory(&mut self, directory: NodeId, inode: &Inode) -> io::Result<()> {
        let data = self.bytes(inode, DIRECTORY_MAX)?;
        for block in data.chunks(BLOCK_BYTES) {
            for (name, nid) in dirents(block)? {
                if matches!(name, b"." | b"..") {
                    continue;
                }
                self.entries += 1;
                if self.entries > MAX_NODES {
                    return Err(Damaged.into());
                }
                let node = self.node(nid.checked_mul(SLOT).ok_or(Damaged)?)?;
                self.tree.link(directory, name, Entry { node, layer: 0 });
            }
        }
        Ok(())
    }

    fn node(&mut self, offset: u64) -> io::Result<NodeId> {
        if let Some(node) = self.known.get(&offset) {
            // A directory with two names would have no end.
            return match self.tree.entries(*node) {
                Some(_) => Err(Damaged.into()),
                None => Ok(*node),
            };
        }
        if self.tree.is_full() {
            return Err(Damaged.into());
        }
        let inode = self.inode(offset)?;
        let kind = self.kind(&inode)?;
        let metadata = inode.metadata.clone();
        let node = self.tree.add(Node { metadata, kind });
        self.known.insert(offset, node);
        if self.tree.entries(node).is_some() {
            self.waiting.push((node, inode));
        }
        Ok(node)
    }

    fn kind(&self, inode: &Inode) -> io::Result<Kind> {
        let device = inode.device;
        // linux/kdev_t.h: new_decode_dev()
        let (major, minor) = (
            (device & 0xf_ff00) >> 8,
            device & 0xff | device >> 12 & 0xf_ff00,
        );
        Ok(match inode.mode & !0o7777 {
            file_type::DIRECTORY => Kind::Directory(BTreeMap::new()),
            file_type::REGULAR => Kind::File(Content::part(self.file, inode.data, inode.size)),
            file_type::SYMLINK => Kind::Symlink(self.bytes(inode, PATH_MAX as u64)?),
            file_type::BLOCK => Kind::Block(major, minor),
            file_type::CHARACTER => Kind::Character(major, minor),
            file_type::FIFO => Kind::Fifo,
            file_type::SOCKET => Kind::Socket,
            _ => return Err(Damaged.into()),
        })
    }

    fn inode(&self, offset: u64) -> io::Result<Inode> {
        let mut raw = [0; 64];
        self.file.read_exact_at(&mut raw, offset)?;
        let behind = offset + EXTENDED_INODE;
        let count = u16_at(&raw, 2)?;
        let mut body = vec![0; xattr::size(count)];
        self.file.read_exact_at(&mut body, behind)?;
        let (mode, size) = (u16_at(&raw, 4)?, u64_at(&raw, 8)?);
        let inline = behind + body.len() as u64;
        let data = match u16_at(&raw, 0)? {
            PLAIN => u64::from(u32_at(&raw, 16)?) * BLOCK,
            // Others put the beginning of a file into blocks, and only its tail here.
            INLINE if size <= BLOCK - inline % BLOCK => inline,
            _ => return Err(io::Error::other("it was not made by vmm")),
        };
        Ok(Inode {
            mode,
            size,
            data,
            device: u32_at(&raw, 16)?,
            metadata: Metadata {
                mode: mode & 0o7777,
                uid: u32_at(&raw, 24)?,
                gid: u32_at(&raw, 28)?,
                mtime: u64_at(&raw, 32)?.cast_signed(),
                mtime_nanos: u32_at(&raw, 40)?,
                xattrs: xattr::parse(&body).ok_or(Damaged)?,
            },
        })
    }

    fn bytes(&self, inode: &Inode, limit: u64) -> io::Result<Vec<u8>> {
        if inode.size > limit {
            return Err(Damaged.into());
        }
        Content::part(self.file, inode.data, inode.size).read()
    }
}

impl From<Damaged> for io::Error {
    fn from(Damaged: Damaged) -> Self {
        Self::other("the base is damaged")
    }
}
