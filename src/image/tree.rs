//! The tree of files that an image is, in memory: names, owners and modes; no host path is touched.
//!
//! A layer is applied to it and a base is made from it. Because the tree is no directory of the
//! host, no name in an archive can lead out of it, and owners and devices need no rights.

use std::collections::BTreeMap;

use super::content::Content;

/// A file name: any bytes but `/` and NUL.
pub type Name = Vec<u8>;

/// The longest name of a file, as in Linux.
pub const NAME_MAX: usize = 255;

/// The longest path, and the longest target of a symbolic link, as in Linux.
pub const PATH_MAX: usize = 4095;

/// The most bytes of extended attributes, names and values, that one file may have.
pub const XATTRS_MAX: usize = 64 << 10;

/// The most files that an image can have.
pub const MAX_NODES: usize = 4_000_000;

/// The most bytes of extended attributes and targets of symbolic links that an image can have.
const WEIGHT_MAX: usize = 256 << 20;

/// Where a node is in its tree. Hard links are entries with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The root directory.
    pub const ROOT: Self = Self(0);

    /// Its number: nodes are numbered from zero.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of any file, whatever its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permissions with setuid, setgid and sticky.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// When it was last changed: seconds since 1970.
    pub mtime: i64,
    /// And nanoseconds.
    pub mtime_nanos: u32,
    /// Extended attributes by their full name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Metadata {
    /// Directories that an archive uses but does not list.
    pub(super) fn of_unlisted_directory() -> Self {
        Self {
            mode: 0o755,
            ..Self::default()
        }
    }
}

/// What a file is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Its entries in the order of their names.
    Directory(BTreeMap<Name, Entry>),
    /// Bytes.
    File(Content),
    /// The path that it stands for.
    Symlink(Vec<u8>),
    /// A block device: major and minor number.
    Block(u32, u32),
    /// A character device: major and minor number.
    Character(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket in the file system.
    Socket,
}

/// A name's node, and who gave it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The node.
    pub node: NodeId,
    /// The number of the layer that made the entry.
    pub layer: u32,
}

/// A file with what is known of it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Owner, mode, time, attributes.
    pub metadata: Metadata,
    /// What it is.
    pub kind: Kind,
}

/// The files of an image.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Bytes of all extended attributes and targets of symbolic links that were added.
    weight: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node {
                metadata: Metadata::of_unlisted_directory(),
                kind: Kind::Directory(BTreeMap::new()),
            }],
            weight: 0,
        }
    }
}

impl Node {
    /// What it takes of memory beside itself.
    fn weight(&self) -> usize {
        let xattrs = self.metadata.xattrs.iter();
        let xattrs = xattrs.map(|(name, value)| name.len() + value.len());
        let target = match &self.kind {
            Kind::Symlink(target) => target.len(),
            _ => 0,
        };
        xattrs.sum::<usize>() + target
    }
}

impl Tree {
    /// Whether it has as much as any image may have.
    pub fn is_full(&self) -> bool {
        self.nodes.len() >= MAX_NODES || self.weight >= WEIGHT_MAX
    }

    /// The node of `id`, which this tree has given out.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// How many nodes there are, those without a name included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but an empty root.
    pub fn is_empty(&self) -> bool {
        self.entries(NodeId::ROOT)
            .is_none_or(|entries| entries.is_empty())
    }

    /// The entries of `id`, if it is a directory.
    pub fn entries(&self, id: NodeId) -> Option<&BTreeMap<Name, Entry>> {
        match &self.node(id).kind {
            Kind::Directory(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn entries_mut(&mut self, id: NodeId) -> Option<&mut BTreeMap<Name, Entry>> {
        match &mut self.node_mut(id).kind {
            Kind::Directory(entries) => Some(entries),
            _ => None,
        }
    }

    /// The node that `parent` has under `name`.
    pub fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let entry = self.entries(parent)?.get(name)?;
        Some(entry.node)
    }

    /// A node without a name yet.
    pub(super) fn add(&mut self, node: Node) -> NodeId {
        self.weight = self.weight.saturating_add(node.weight());
        let id = u32::try_from(self.nodes.len()).expect("layers and directories are limited");
        self.nodes.push(node);
        NodeId(id)
    }

    /// Gives `node` the name `name` in `parent`, instead of what has it now.
    pub(super) fn link(&mut self, parent: NodeId, name: &[u8], entry: Entry) {
        if let Some(entries) = self.entries_mut(parent) {
            entries.insert(name.to_vec(), entry);
        }
    }
}
