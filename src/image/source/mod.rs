//! What a user can point to: a directory, a disk image, an archive.

mod directory;
mod disk;
mod docker;
mod fingerprint;
mod layers;
mod members;
mod oci;
mod qcow2;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

pub(super) use fingerprint::Fingerprint;

use layers::Layer;
use members::Members;

use super::beneath::Beneath;
use super::config::ImageConfig;
use super::digest::Digest;
use super::error::SourceError;
use super::platform::Platform;
use super::spool::Limited;
use super::tree::Tree;
use super::{Format, ResolveOptions, name, unpack};

/// Something that can be imported, looked at but not read.
pub(super) struct Source {
    /// Tells whether it is what was imported before.
    pub(super) fingerprint: Fingerprint,
    kind: Kind,
    tag: Option<String>,
}

enum Kind {
    Directory(Tree),
    Disk(File, Format),
    Layout(Members),
    /// A file that is no disk image: some archive.
    File(File),
}

/// The files of an image, before they are a base.
pub(super) enum Files {
    /// To be written as EROFS.
    Tree(Tree),
    /// A file system already.
    Disk(File, Format),
}

/// What to import, chosen from what a source has.
pub(super) enum Chosen {
    /// Files that are what they are.
    Files(Files),
    /// An image of an archive.
    Image(Box<Image>, Members),
}

/// An image as an archive tells it.
pub(super) struct Image {
    digest: Option<Digest>,
    platform: Platform,
    layers: Vec<Layer>,
    config: ImageConfig,
}

/// Which image of an archive is wanted.
struct Wanted<'a> {
    tag: Option<&'a str>,
    platform: &'a Platform,
}

impl Wanted<'_> {
    fn takes(&self, platform: &Platform) -> bool {
        let variant = platform.variant.as_deref();
        let Platform {
            os, architecture, ..
        } = platform;
        self.platform.takes(os, architecture, variant)
    }
}

/// The tree of the directory at `path`.
pub(super) fn tree_of(path: &Path, options: &ResolveOptions) -> Result<Tree, SourceError> {
    let root = Beneath::open(path).map_err(SourceError::io("cannot read it"))?;
    Ok(directory::scan(root, options.max_size)?.0)
}

impl Source {
    /// Looks at what is at `path`, which may end with a colon and the name of an image in it.
    pub(super) fn open(path: &Path, options: &ResolveOptions) -> Result<Self, SourceError> {
        let (path, tag) = name::split_tag(path);
        let reading = || SourceError::io("cannot read it");
        let metadata = std::fs::metadata(&path).map_err(reading())?;
        let (kind, mut fingerprint) = if metadata.is_dir() {
            of_directory(&path, options)?
        } else {
            let file = disk::open(&path).map_err(reading())?;
            let fingerprint = Fingerprint::of_file(&file).map_err(reading())?;
            let kind = match disk::format(&file).map_err(reading())? {
                Some(format) => Kind::Disk(file, format),
                None => Kind::File(file),
            };
            (kind, fingerprint)
        };
        fingerprint.note_words(options.platform.to_string().as_bytes());
        fingerprint.note_words(tag.as_deref().unwrap_or_default().as_bytes());
        Ok(Self {
            fingerprint,
            kind,
            tag,
        })
    }

    /// Chooses what the options ask for; a packed archive is unpacked to `spool`.
    pub(super) fn choose(
        self,
        options: &ResolveOptions,
        spool: impl Fn() -> io::Result<File>,
    ) -> Result<Chosen, SourceError> {
        let wanted = Wanted {
            tag: self.tag.as_deref(),
            platform: &options.platform,
        };
        let members = match self.kind {
            Kind::Directory(tree) => return Ok(Chosen::Files(Files::Tree(tree))),
            Kind::Disk(file, format) => {
                let size = file
                    .metadata()
                    .map_err(SourceError::io("cannot read it"))?
                    .len();
                if size > options.max_size {
                    return Err(SourceError::TooLarge(options.max_size));
                }
                return Ok(Chosen::Files(Files::Disk(file, format)));
            }
            Kind::Layout(members) => members,
            Kind::File(file) if disk::begins(&file, 0, qcow2::MAGIC).unwrap_or(false) => {
                return Ok(Chosen::Files(of_qcow2(file, options.max_size, spool)?));
            }
            Kind::File(file) => archive(file, options.max_size, spool)?,
        };
        let image = if members.has(oci::MARK) && members.has(oci::INDEX) {
            oci::choose(&members, &wanted)?
        } else if members.has(docker::MARK) {
            docker::choose(&members, &wanted)?
        } else {
            of_root_archive()
        };
        Ok(Chosen::Image(Box::new(image), members))
    }
}

fn of_directory(path: &Path, options: &ResolveOptions) -> Result<(Kind, Fingerprint), SourceError> {
    let root = Beneath::open(path).map_err(SourceError::io("cannot read it"))?;
    let is_layout = [oci::MARK, oci::INDEX].map(|name| root.file(Path::new(name)));
    if let [Ok(_), Ok(index)] = is_layout {
        // All else in a layout is named by its digest.
        let fingerprint =
            Fingerprint::of_file(&index).map_err(SourceError::io("cannot read index.json"))?;
        return Ok((Kind::Layout(Members::Directory(root)), fingerprint));
    }
    let (tree, fingerprint) = directory::scan(root, options.max_size)?;
    Ok((Kind::Directory(tree), fingerprint))
}

/// The disk in a qcow2 image.
fn of_qcow2(
    file: File,
    max_size: u64,
    spool: impl Fn() -> io::Result<File>,
) -> Result<Files, SourceError> {
    let converting = || SourceError::io("cannot convert the qcow2 image");
    let raw = spool().map_err(converting())?;
    qcow2::convert(file, &raw, max_size).map_err(converting())?;
    match disk::format(&raw).map_err(converting())? {
        Some(format) => Ok(Files::Disk(raw, format)),
        None => Err(disk::unrecognized(&raw)),
    }
}

/// The members of a file that is no disk image.
fn archive(
    file: File,
    max_size: u64,
    spool: impl Fn() -> io::Result<File>,
) -> Result<Members, SourceError> {
    let unpacking = || SourceError::io("cannot unpack it");
    let mut packed = BufReader::new(file);
    let plain = if unpack::is_packed(&mut packed).map_err(unpacking())? {
        let plain = spool().map_err(unpacking())?;
        let mut limit = max_size;
        let mut unpacked = Limited {
            inner: unpack::unpack(packed).map_err(unpacking())?,
            left: &mut limit,
            limit: max_size,
        };
        io::copy(&mut unpacked, &mut &plain).map_err(unpacking())?;
        drop(unpacked);
        plain
    } else {
        packed.into_inner()
    };
    let again = plain.try_clone().map_err(unpacking())?;
    match Members::of_archive(plain) {
        Ok(Some(members)) => Ok(members),
        Ok(None) => Err(disk::unrecognized(&again)),
        Err(error) => Err(SourceError::Malformed {
            what: "the archive".to_owned(),
            why: crate::chain(&error),
        }),
    }
}

/// An archive that is nothing but the files of a root.
fn of_root_archive() -> Image {
    Image {
        digest: None,
        platform: Platform::host(),
        layers: vec![Layer {
            path: members::WHOLE.to_owned(),
            blob: None,
            unpacked: None,
        }],
        config: ImageConfig::of_host(),
    }
}

impl Chosen {
    /// The digest that the image has already, if it has one.
    pub(super) fn digest(&self) -> Option<Digest> {
        match self {
            Self::Files(_) => None,
            Self::Image(image, _) => image.digest,
        }
    }

    /// Reads all of it; the contents of layers go to `spool`.
    pub(super) fn load(
        self,
        max_size: u64,
        spool: impl Fn() -> io::Result<File>,
    ) -> Result<(Files, ImageConfig), SourceError> {
        match self {
            Self::Files(files) => Ok((files, ImageConfig::of_host())),
            Self::Image(image, members) => {
                let spool = spool().map_err(SourceError::io("cannot write to the store"))?;
                let tree = layers::apply(&members, &image.layers, spool, max_size)?;
                Ok((Files::Tree(tree), image.config))
            }
        }
    }
}
