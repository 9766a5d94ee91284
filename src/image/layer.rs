//! Applies a layer to a tree, as the OCI image specification says (layer.md).
//!
//! Paths lead through the tree alone: `..` is refused, `/` is the tree's root, and symbolic links
//! on the way are followed inside of it.

use std::collections::HashSet;
use std::io::Read;

use tar_core::EntryType;
use tar_core::parse::ParseError;

use super::archive::{Archive, Member, skip_stream};
use super::content::Content;
use super::erofs::is_kept;
use super::spool::Spool;
use super::tree::{Entry, Kind, MAX_NODES, Metadata, NAME_MAX, Node, NodeId, Tree, XATTRS_MAX};

/// What whiteouts begin with.
const WHITEOUT: &[u8] = b".wh.";
/// Hides all that lower layers have in the directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names that only mean something to aufs.
const PLUMBING: &[u8] = b".wh..wh.";

/// The most symbolic links on the way to a file, as in Linux.
const LINKS_MAX: usize = 40;
/// The most names on the way to a file, those of links included.
const STEPS_MAX: usize = 8192;

/// Why a layer cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// It is no archive, is cut off, or asks for too much.
    #[error("cannot read the archive")]
    Archive(#[from] ParseError),
    /// The content of a file cannot be read.
    #[error("cannot read the content of '{0}'")]
    Content(String, #[source] std::io::Error),
    /// A path that no file of an image can have.
    #[error("'{path}' {why}")]
    Path {
        /// The path as the archive has it.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A hard link to nothing.
    #[error("'{path}' is a hard link to '{target}', which {why}")]
    Link {
        /// The path as the archive has it.
        path: String,
        /// What it is to be another name of.
        target: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// More files than any image.
    #[error("it has more than {MAX_NODES} files, or more extended attributes than memory for them")]
    TooMany,
}

/// Applies the layer with this number, whose archive is `tar`, to `tree`. Layers are numbered
/// upwards. What follows the archive's end is not read.
///
/// # Errors
/// The archive is damaged or hostile; `tree` is then no image.
pub fn apply(
    tree: &mut Tree,
    number: u32,
    tar: impl Read,
    spool: &mut Spool,
) -> Result<(), LayerError> {
    let mut archive = Archive::new(tar);
    let mut layer = Layer {
        tree,
        number,
        touched: HashSet::new(),
        hidden: HashSet::new(),
    };
    while let Some(member) = archive.next(skip_stream)? {
        layer.member(&member, &mut archive, spool)?;
    }
    Ok(())
}

struct Layer<'a> {
    tree: &'a mut Tree,
    number: u32,
    /// Directories that this layer has put something into, however deep.
    touched: HashSet<NodeId>,
    /// Directories in which nothing of lower layers is left.
    hidden: HashSet<NodeId>,
}

impl Layer<'_> {
    fn member(
        &mut self,
        member: &Member,
        content: &mut impl Read,
        spool: &mut Spool,
    ) -> Result<(), LayerError> {
        let names = names(&member.path)?;
        let Some((name, parents)) = names.split_last() else {
            return self.root(member);
        };
        if names
            .iter()
            .any(|name| name.starts_with(PLUMBING) && *name != OPAQUE)
        {
            return Ok(());
        }
        if parents.iter().any(|name| name.starts_with(WHITEOUT)) {
            return Err(refused(&member.path, "lies below a whiteout"));
        }
        match name.strip_prefix(WHITEOUT) {
            Some(hidden) => self.whiteout(member, parents, name, hidden),
            None if member.kind == EntryType::Link => self.link(member, parents, name),
            None => self.file(member, parents, name, content, spool),
        }
    }

    /// The root has an entry of its own, `.` or `/`.
    fn root(&mut self, member: &Member) -> Result<(), LayerError> {
        if member.kind != EntryType::Directory {
            return Err(refused(
                &member.path,
                "is the root, which has to be a directory",
            ));
        }
        self.tree.node_mut(NodeId::ROOT).metadata = metadata(member)?;
        Ok(())
    }

    fn file(
        &mut self,
        member: &Member,
        parents: &[&[u8]],
        name: &[u8],
        content: &mut impl Read,
        spool: &mut Spool,
    ) -> Result<(), LayerError> {
        let metadata = metadata(member)?;
        let kind = match member.kind {
            EntryType::Regular => Kind::File(take(member, content, spool)?),
            EntryType::Directory => Kind::Directory(Default::default()),
            EntryType::Symlink => Kind::Symlink(target(member)?),
            EntryType::Char => Kind::Character(member.device.0, member.device.1),
            EntryType::Block => Kind::Block(member.device.0, member.device.1),
            EntryType::Fifo => Kind::Fifo,
            _ => return Err(refused(&member.path, "is of a kind that no image has")),
        };
        let parent = self.make_directory(&member.path, parents)?;
        if let Some(there) = self.tree.child(parent, name)
            && member.kind == EntryType::Directory
            && self.tree.entries(there).is_some()
        {
            self.tree.node_mut(there).metadata = metadata;
            self.name(parent, name, there);
            return Ok(());
        }
        let node = self.add(Node { metadata, kind })?;
        self.name(parent, name, node);
        Ok(())
    }

    /// Another name of a file that is there already.
    fn link(&mut self, member: &Member, parents: &[&[u8]], name: &[u8]) -> Result<(), LayerError> {
        let refused = |why| LayerError::Link {
            path: lossy(&member.path),
            target: lossy(&member.target),
            why,
        };
        let target =
            names(&member.target).map_err(|_| refused("is no path inside of the image"))?;
        let (last, before) = target.split_last().ok_or_else(|| refused("is the root"))?;
        let node = self
            .find_directory(&member.target, before)?
            .and_then(|directory| self.tree.child(directory, last))
            .ok_or_else(|| refused("is not there"))?;
        if self.tree.entries(node).is_some() {
            return Err(refused("is a directory"));
        }
        let parent = self.make_directory(&member.path, parents)?;
        self.name(parent, name, node);
        Ok(())
    }

    fn whiteout(
        &mut self,
        member: &Member,
        parents: &[&[u8]],
        name: &[u8],
        hidden: &[u8],
    ) -> Result<(), LayerError> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(refused(&member.path, "hides no name that a file can have"));
        }
        let Some(parent) = self.find_directory(&member.path, parents)? else {
            return Ok(());
        };
        if name == OPAQUE {
            self.hide_below(parent);
            return Ok(());
        }
        let number = self.number;
        let Some(entry) = self
            .tree
            .entries(parent)
            .and_then(|all| all.get(hidden))
            .copied()
        else {
            return Ok(());
        };
        if self.tree.entries(entry.node).is_some() && self.is_ours(entry) {
            self.hide_below(entry.node);
        } else if entry.layer < number
            && let Some(entries) = self.tree.entries_mut(parent)
        {
            entries.remove(hidden);
        }
        Ok(())
    }

    /// Removes all that lower layers have below `directory`; what this layer has stays.
    fn hide_below(&mut self, directory: NodeId) {
        let mut waiting = vec![directory];
        while let Some(directory) = waiting.pop() {
            if !self.hidden.insert(directory) {
                continue;
            }
            let entries = self.tree.entries(directory).into_iter().flatten();
            let kept: Vec<_> = entries
                .filter(|(_, entry)| self.is_ours(**entry))
                .map(|(name, entry)| (name.clone(), *entry))
                .collect();
            waiting.extend(kept.iter().map(|(_, entry)| entry.node));
            if let Some(entries) = self.tree.entries_mut(directory) {
                *entries = kept.into_iter().collect();
            }
        }
    }

    /// Whether this layer has made the entry, or something below it.
    fn is_ours(&self, entry: Entry) -> bool {
        entry.layer == self.number || self.touched.contains(&entry.node)
    }

    fn name(&mut self, parent: NodeId, name: &[u8], node: NodeId) {
        let layer = self.number;
        self.tree.link(parent, name, Entry { node, layer });
    }

    fn add(&mut self, node: Node) -> Result<NodeId, LayerError> {
        if self.tree.is_full() {
            return Err(LayerError::TooMany);
        }
        Ok(self.tree.add(node))
    }

    /// The directory that `names` lead to; those that are missing are made.
    fn make_directory(&mut self, path: &[u8], names: &[&[u8]]) -> Result<NodeId, LayerError> {
        let mut walk = Walk::new(path, names);
        while let Some(missing) = walk.on(self.tree)? {
            let node = self.add(Node {
                metadata: Metadata::of_unlisted_directory(),
                kind: Kind::Directory(Default::default()),
            })?;
            self.name(walk.here(), &missing, node);
            walk.way.push(node);
        }
        self.touched.extend(&walk.way);
        Ok(walk.here())
    }

    /// The directory that `names` lead to, if it is there.
    fn find_directory(&self, path: &[u8], names: &[&[u8]]) -> Result<Option<NodeId>, LayerError> {
        let mut walk = Walk::new(path, names);
        let missing = walk.on(self.tree)?;
        Ok(missing.is_none().then(|| walk.here()))
    }
}

/// A way through a tree.
struct Walk<'a> {
    /// For errors.
    path: &'a [u8],
    /// The directories from the root to here.
    way: Vec<NodeId>,
    /// The names to come, the next one last.
    ahead: Vec<Vec<u8>>,
    links: usize,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn new(path: &'a [u8], names: &[&[u8]]) -> Self {
        Self {
            path,
            way: vec![NodeId::ROOT],
            ahead: names.iter().rev().map(|name| name.to_vec()).collect(),
            links: 0,
            steps: 0,
        }
    }

    fn here(&self) -> NodeId {
        self.way.last().copied().unwrap_or(NodeId::ROOT)
    }

    /// Goes on until the end, or to a name that is not there, which it returns.
    fn on(&mut self, tree: &Tree) -> Result<Option<Vec<u8>>, LayerError> {
        while let Some(name) = self.ahead.pop() {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(refused(self.path, "leads through too many directories"));
            }
            match name.as_slice() {
                b"" | b"." => {}
                b".." => self.way.truncate((self.way.len() - 1).max(1)),
                _ => match tree.child(self.here(), &name) {
                    None => return Ok(Some(name)),
                    Some(child) => self.enter(tree, child)?,
                },
            }
        }
        Ok(None)
    }

    fn enter(&mut self, tree: &Tree, child: NodeId) -> Result<(), LayerError> {
        match &tree.node(child).kind {
            Kind::Directory(_) => self.way.push(child),
            Kind::Symlink(_) if self.links == LINKS_MAX => {
                return Err(refused(self.path, "leads through too many symbolic links"));
            }
            Kind::Symlink(target) => {
                self.links += 1;
                if target.starts_with(b"/") {
                    self.way.truncate(1);
                }
                let names = target.split(|byte| *byte == b'/').rev();
                self.ahead.extend(names.map(<[u8]>::to_vec));
            }
            _ => return Err(refused(self.path, "lies below a file that is no directory")),
        }
        Ok(())
    }
}

/// The names of a path, from the root of the tree.
fn names(path: &[u8]) -> Result<Vec<&[u8]>, LayerError> {
    let names: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .collect();
    if names.contains(&b"..".as_slice()) {
        return Err(refused(path, "could lead out of the image"));
    }
    let no_file_can_have = |name: &&[u8]| name.len() > NAME_MAX || name.contains(&0);
    if names.iter().any(no_file_can_have) {
        return Err(refused(path, "has a name that no file can have"));
    }
    Ok(names)
}

fn take(
    member: &Member,
    content: &mut impl Read,
    spool: &mut Spool,
) -> Result<Content, LayerError> {
    let taken = match &member.sparse {
        None => spool.take(content, member.size),
        Some(map) => {
            let parts: Vec<_> = map.iter().map(|part| (part.offset, part.length)).collect();
            spool.take_sparse(content, &parts, member.size)
        }
    };
    taken.map_err(|error| LayerError::Content(lossy(&member.path), error))
}

fn target(member: &Member) -> Result<Vec<u8>, LayerError> {
    match &member.target {
        target if target.is_empty() || target.contains(&0) => {
            Err(refused(&member.path, "is a symbolic link to nothing"))
        }
        target => Ok(target.clone()),
    }
}

fn metadata(member: &Member) -> Result<Metadata, LayerError> {
    let mut metadata = member.metadata.clone();
    metadata.xattrs.retain(|name, _| is_kept(name));
    let sizes = metadata
        .xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len());
    if sizes.sum::<usize>() > XATTRS_MAX {
        return Err(refused(
            &member.path,
            "has more extended attributes than a file can have",
        ));
    }
    Ok(metadata)
}

fn refused(path: &[u8], why: &'static str) -> LayerError {
    let path = lossy(path);
    LayerError::Path { path, why }
}

/// As far as a person wants to read it, without what could steer a terminal.
fn lossy(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    text.chars()
        .take(120)
        .flat_map(char::escape_debug)
        .collect()
}
