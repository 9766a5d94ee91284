//! A plain directory as an image: its tree, taken from the file system's own words.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Stat, lgetxattr, llistxattr, readlinkat, statat};
use rustix::io::Errno;

use super::fingerprint::Fingerprint;
use crate::image::beneath::Beneath;
use crate::image::content::Content;
use crate::image::erofs::is_kept;
use crate::image::error::SourceError;
use crate::image::tree::{Entry, Kind, Metadata, Node, NodeId, Tree, XATTRS_MAX};

/// The tree below `root`, and what tells whether it has changed since.
///
/// Other file systems that are mounted below are left out; their mount points are empty.
pub(super) fn scan(root: Beneath, max_size: u64) -> Result<(Tree, Fingerprint), SourceError> {
    let mut scan = Scan {
        root: Arc::new(root),
        tree: Tree::default(),
        links: HashMap::new(),
        fingerprint: Fingerprint::default(),
        size: 0,
        max_size,
    };
    let device = scan.root_itself()?;
    let mut waiting = vec![(PathBuf::new(), NodeId::ROOT)];
    while let Some((path, node)) = waiting.pop() {
        let named = |errno: Errno| {
            SourceError::io(format!("cannot read /{}", path.display()))(errno.into())
        };
        let directory = scan.root.directory(&path).map_err(SourceError::io(format!(
            "cannot read the directory /{}",
            path.display()
        )))?;
        for name in names(&directory).map_err(named)? {
            let inside = path.join(&name);
            let (child, stat) = scan.entry(&directory, &name, &inside)?;
            let layer = 0;
            let node_entry = Entry { node: child, layer };
            scan.tree.link(node, name.as_bytes(), node_entry);
            if is(&stat, FileType::Directory) && stat.st_dev == device {
                waiting.push((inside, child));
            }
        }
    }
    Ok((scan.tree, scan.fingerprint))
}

struct Scan {
    root: Arc<Beneath>,
    tree: Tree,
    /// Nodes of files with several names, by device and inode.
    links: HashMap<(u64, u64), NodeId>,
    fingerprint: Fingerprint,
    size: u64,
    max_size: u64,
}

impl Scan {
    /// Takes owner and mode of the root directory; returns the device that it is on.
    fn root_itself(&mut self) -> Result<u64, SourceError> {
        let failed = |errno: Errno| SourceError::io("cannot read the directory")(errno.into());
        let directory = self
            .root
            .directory(Path::new(""))
            .map_err(SourceError::io("cannot read the directory"))?;
        let stat = rustix::fs::fstat(&directory).map_err(failed)?;
        self.note(Path::new(""), &stat);
        let xattrs = xattrs(&directory, ".".as_ref()).map_err(failed)?;
        self.tree.node_mut(NodeId::ROOT).metadata = metadata(&stat, xattrs);
        Ok(stat.st_dev)
    }

    /// Makes a node of `name` in `directory`, whose path is `path`.
    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        path: &Path,
    ) -> Result<(NodeId, Stat), SourceError> {
        let failed = |errno: Errno| {
            SourceError::io(format!("cannot read /{}", path.display()))(errno.into())
        };
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        self.note(path, &stat);
        if let Some(node) = self.links.get(&(stat.st_dev, stat.st_ino)) {
            return Ok((*node, stat));
        }
        let xattrs = xattrs(directory, name).map_err(failed)?;
        let kind = self.kind(directory, name, path, &stat).map_err(failed)?;
        self.count(&stat)?;
        let node = self.tree.add(Node {
            metadata: metadata(&stat, xattrs),
            kind,
        });
        if stat.st_nlink > 1 && !is(&stat, FileType::Directory) {
            self.links.insert((stat.st_dev, stat.st_ino), node);
        }
        Ok((node, stat))
    }

    fn kind(
        &self,
        directory: &OwnedFd,
        name: &OsStr,
        path: &Path,
        stat: &Stat,
    ) -> Result<Kind, Errno> {
        let device = || {
            (
                rustix::fs::major(stat.st_rdev),
                rustix::fs::minor(stat.st_rdev),
            )
        };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory(Default::default()),
            FileType::Symlink => Kind::Symlink(readlinkat(directory, name, [])?.into_bytes()),
            FileType::BlockDevice => Kind::Block(device().0, device().1),
            FileType::CharacterDevice => Kind::Character(device().0, device().1),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            _ => Kind::File(Content::path(&self.root, path.to_owned(), size)),
        })
    }

    fn count(&mut self, stat: &Stat) -> Result<(), SourceError> {
        if is(stat, FileType::RegularFile) {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            self.size = self.size.saturating_add(size);
        }
        if self.size > self.max_size || self.tree.is_full() {
            return Err(SourceError::TooLarge(self.max_size));
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, stat: &Stat) {
        self.fingerprint.note_words(path.as_os_str().as_bytes());
        self.fingerprint.note_numbers(&[
            stat.st_dev,
            stat.st_ino,
            stat.st_size.cast_unsigned(),
            u64::from(stat.st_mode),
            u64::from(stat.st_uid),
            u64::from(stat.st_gid),
            stat.st_mtime.cast_unsigned(),
            stat.st_mtime_nsec,
        ]);
        let seconds = u64::try_from(stat.st_ctime).unwrap_or(0);
        let nanos = u32::try_from(stat.st_ctime_nsec).unwrap_or(0);
        self.fingerprint.note_change(Duration::new(seconds, nanos));
    }
}

/// In their order, so that the fingerprint does not depend on the file system's.
fn names(directory: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_owned();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

fn metadata(stat: &Stat, xattrs: Xattrs) -> Metadata {
    Metadata {
        mode: u16::try_from(stat.st_mode & 0o7777).expect("twelve bits"),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: stat.st_mtime,
        mtime_nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        xattrs,
    }
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

type Xattrs = std::collections::BTreeMap<Vec<u8>, Vec<u8>>;

/// The attributes of `name` in `directory`, by a path that no link can bend.
fn xattrs(directory: impl AsFd, name: &OsStr) -> Result<Xattrs, Errno> {
    let path = beside(directory.as_fd(), name);
    let mut names = vec![0; XATTRS_MAX];
    let size = match llistxattr(&path, &mut names[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Xattrs::new()),
        size => size?,
    };
    let mut xattrs = Xattrs::new();
    let mut value = vec![0; XATTRS_MAX];
    for name in names[..size]
        .split(|byte| *byte == 0)
        .filter(|name| is_kept(name))
    {
        // An attribute that may not be read, or has just gone, is none of the image.
        if let Ok(size) = lgetxattr(&path, name, &mut value[..]) {
            xattrs.insert(name.to_vec(), value[..size].to_vec());
        }
    }
    Ok(xattrs)
}

fn beside(directory: BorrowedFd<'_>, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    path.push(name);
    path
}
