//! What a user can point to: a directory, a disk image, an archive.

mod directory;
mod disk;
mod fingerprint;

use std::fs::File;
use std::path::Path;

pub(super) use fingerprint::Fingerprint;

use super::beneath::Beneath;
use super::config::ImageConfig;
use super::digest::Digest;
use super::error::SourceError;
use super::tree::Tree;
use super::{Format, ResolveOptions};

/// Something that can be imported, looked at but not read.
pub(super) struct Source {
    /// Tells whether it is what was imported before.
    pub(super) fingerprint: Fingerprint,
    kind: Kind,
}

enum Kind {
    Directory(Tree),
    Disk(File, Format),
}

/// The files of an image, before they are a base.
pub(super) enum Files {
    /// To be written as EROFS.
    Tree(Tree),
    /// A file system already.
    Disk(File, Format),
}

/// What to import, chosen from what a source has.
pub(super) struct Chosen(Kind);

/// The tree of the directory at `path`.
pub(super) fn tree_of(path: &Path, options: &ResolveOptions) -> Result<Tree, SourceError> {
    let root = Beneath::open(path).map_err(SourceError::io("cannot read it"))?;
    Ok(directory::scan(root, options.max_size)?.0)
}

impl Source {
    /// Looks at what is at `path`.
    pub(super) fn open(path: &Path, options: &ResolveOptions) -> Result<Self, SourceError> {
        let reading = || SourceError::io("cannot read it");
        if std::fs::metadata(path).map_err(reading())?.is_dir() {
            let root = Beneath::open(path).map_err(reading())?;
            return Self::of_directory(root, options);
        }
        let file = disk::open(path).map_err(reading())?;
        let fingerprint = Fingerprint::of_file(&file).map_err(reading())?;
        let kind = match disk::format(&file).map_err(reading())? {
            Some(format) => Kind::Disk(file, format),
            None => return Err(disk::unrecognized(&file)),
        };
        Ok(Self { fingerprint, kind })
    }

    fn of_directory(root: Beneath, options: &ResolveOptions) -> Result<Self, SourceError> {
        let (tree, fingerprint) = directory::scan(root, options.max_size)?;
        let kind = Kind::Directory(tree);
        Ok(Self { fingerprint, kind })
    }

    /// Chooses what the options ask for.
    pub(super) fn choose(self, _options: &ResolveOptions) -> Result<Chosen, SourceError> {
        Ok(Chosen(self.kind))
    }
}

impl Chosen {
    /// The digest that the image has already, if it has one.
    pub(super) fn digest(&self) -> Option<Digest> {
        None
    }

    /// Reads all of it.
    pub(super) fn load(self) -> Result<(Files, ImageConfig), SourceError> {
        let files = match self.0 {
            Kind::Directory(tree) => Files::Tree(tree),
            Kind::Disk(file, format) => Files::Disk(file, format),
        };
        Ok((files, ImageConfig::of_host()))
    }
}
