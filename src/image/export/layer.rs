//! A whole tree as one layer.

use std::collections::HashMap;
use std::io::{self, Write};

use tar_core::EntryType;

use super::member::{self, Member};
use crate::image::tree::{Kind, NodeId, Tree};

/// Writes `tree` to `out` as a tar archive, every directory before what is in it.
pub(super) fn write(tree: &Tree, out: &mut impl Write) -> io::Result<()> {
    let mut first_paths: HashMap<NodeId, Vec<u8>> = HashMap::new();
    let mut waiting = vec![(b"./".to_vec(), NodeId::ROOT)];
    while let Some((path, node)) = waiting.pop() {
        if let Some(first) = first_paths.get(&node) {
            let metadata = &tree.node(node).metadata;
            Member::new(&path, EntryType::Link, metadata)?
                .to(first)
                .alone(out)?;
            continue;
        }
        write_node(tree, &path, node, out)?;
        for (name, entry) in tree.entries(node).into_iter().flatten().rev() {
            if name.starts_with(b".wh.") {
                let name = String::from_utf8_lossy(name).into_owned();
                let why = "would remove a file instead of making one: the name is reserved";
                return Err(io::Error::other(format!("'{name}' {why}")));
            }
            let mut inside = [&path, name.as_slice()].concat();
            if tree.entries(entry.node).is_some() {
                inside.push(b'/');
            }
            waiting.push((inside, entry.node));
        }
        first_paths.insert(node, path);
    }
    member::end(out)
}

fn write_node(tree: &Tree, path: &[u8], node: NodeId, out: &mut impl Write) -> io::Result<()> {
    let node = tree.node(node);
    let member = |kind| Member::new(path, kind, &node.metadata);
    match &node.kind {
        Kind::Directory(_) => member(EntryType::Directory)?.alone(out),
        Kind::File(content) => {
            let copy = |out: &mut _| content.copy_to(out);
            member(EntryType::Regular)?.content(out, content.size(), copy)
        }
        Kind::Symlink(target) => member(EntryType::Symlink)?.to(target).alone(out),
        Kind::Block(major, minor) => member(EntryType::Block)?.device(*major, *minor)?.alone(out),
        Kind::Character(major, minor) => {
            member(EntryType::Char)?.device(*major, *minor)?.alone(out)
        }
        Kind::Fifo => member(EntryType::Fifo)?.alone(out),
        // An archive has no sockets: whoever listens there makes it anew.
        Kind::Socket => Ok(()),
    }
}
