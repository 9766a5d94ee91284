//! Where everything of a tree will be, before a byte is written.

use super::format::{EXTENDED_INODE, SLOT};
use super::{BLOCK, INLINE_MAX, directory, xattr};
use crate::image::tree::{Entry, Kind, Name, NodeId, Tree};

/// The inode of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode {
    /// Whose it is.
    pub(super) node: NodeId,
    /// Where the inode is: its offset in bytes, a multiple of [`SLOT`].
    pub(super) offset: u64,
    /// The size of its data in bytes.
    pub(super) size: u64,
    /// The first block of its data, unless they are behind the inode.
    pub(super) block: Option<u64>,
    /// The number of its names.
    pub(super) links: u32,
    /// The directory that it was found in first.
    pub(super) parent: NodeId,
}

/// All inodes, and where they are.
pub(super) struct Plan {
    /// In the order in which they are written.
    pub(super) inodes: Vec<Inode>,
    /// Where in `inodes` each node is, if it has a name.
    places: Vec<Option<u32>>,
    /// The number of blocks of the whole.
    pub(super) blocks: u64,
}

impl Plan {
    /// Decides where all of `tree` will be.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut plan = Self {
            inodes: Vec::new(),
            places: vec![None; tree.len()],
            blocks: 0,
        };
        plan.find_all(tree);
        let end = plan.place_inodes(tree);
        plan.place_blocks(end.div_ceil(BLOCK));
        plan
    }

    /// The inode of `node`, which has a name.
    pub(super) fn inode(&self, node: NodeId) -> Option<&Inode> {
        let place = self.places.get(node.index()).copied().flatten()?;
        self.inodes.get(place as usize)
    }

    /// Visits every directory before what is in it, and counts names.
    fn find_all(&mut self, tree: &Tree) {
        let mut waiting = vec![(NodeId::ROOT, NodeId::ROOT)];
        while let Some((node, parent)) = waiting.pop() {
            if let Some(place) = self.places[node.index()] {
                self.inodes[place as usize].links += 1;
                continue;
            }
            self.found(tree, node, parent);
            let inside = tree.entries(node).into_iter().flatten().rev();
            waiting.extend(inside.map(|(_, entry)| (entry.node, node)));
        }
    }

    fn found(&mut self, tree: &Tree, node: NodeId, parent: NodeId) {
        let place = u32::try_from(self.inodes.len()).expect("no more than nodes");
        self.places[node.index()] = Some(place);
        self.inodes.push(Inode {
            node,
            offset: 0,
            size: data_size(&tree.node(node).kind),
            block: None,
            links: 1 + directories_in(tree, node),
            parent,
        });
    }

    /// Returns the end of the inodes.
    fn place_inodes(&mut self, tree: &Tree) -> u64 {
        let mut end = BLOCK;
        for inode in &mut self.inodes {
            let node = tree.node(inode.node);
            let header = EXTENDED_INODE + xattr::body(&node.metadata.xattrs).len() as u64;
            let largest = match node.kind {
                Kind::File(_) => INLINE_MAX,
                _ => BLOCK,
            };
            let fits = inode.size <= largest && header + inode.size <= BLOCK;
            let inline = inode.size > 0 && fits;
            let whole = if inline { header + inode.size } else { header };
            // The kernel: "inline data cross block boundary is not allowed".
            if end / BLOCK != (end + whole - 1) / BLOCK {
                end = end.next_multiple_of(BLOCK);
            }
            inode.offset = end;
            inode.block = (!inline).then_some(0);
            end = (end + whole).next_multiple_of(SLOT);
        }
        end
    }

    fn place_blocks(&mut self, first: u64) {
        self.blocks = first;
        for inode in &mut self.inodes {
            if let Some(block) = &mut inode.block {
                *block = self.blocks;
                self.blocks += inode.size.div_ceil(BLOCK);
            }
        }
    }
}

fn data_size(kind: &Kind) -> u64 {
    match kind {
        Kind::Directory(entries) => {
            let names = with_dots(entries);
            let lengths: Vec<usize> = names.iter().map(|(name, _)| name.len()).collect();
            directory::size(&lengths)
        }
        Kind::File(content) => content.size(),
        Kind::Symlink(target) => target.len() as u64,
        _ => 0,
    }
}

/// The names of a directory with `.` (`None` as its entry) and `..`, in their order.
pub(super) fn with_dots(
    entries: &std::collections::BTreeMap<Name, Entry>,
) -> Vec<(&[u8], Option<Entry>)> {
    let named = entries
        .iter()
        .map(|(name, entry)| (name.as_slice(), Some(*entry)));
    let mut all: Vec<(&[u8], Option<Entry>)> = named.collect();
    for dots in [&b"."[..], b".."] {
        let place = all.partition_point(|(name, _)| *name < dots);
        all.insert(place, (dots, None));
    }
    all
}

/// Each directory inside names `node` by its `..`, and it names itself by `.`.
fn directories_in(tree: &Tree, node: NodeId) -> u32 {
    let Some(entries) = tree.entries(node) else {
        return 0;
    };
    let directories = entries
        .values()
        .filter(|entry| tree.entries(entry.node).is_some());
    u32::try_from(directories.count() + 1).unwrap_or(u32::MAX)
}
