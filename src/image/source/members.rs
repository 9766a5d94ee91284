//! The files of an archive of images: in a directory, or in a tar file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tar_core::EntryType;
use tar_core::parse::ParseError;

use crate::image::archive::Archive;
use crate::image::beneath::Beneath;
use crate::image::content::Part;
use crate::image::error::SourceError;

/// No document of an image is larger.
const DOCUMENT_MAX: u64 = 4 << 20;
/// No archive of images has more members.
const MEMBERS_MAX: usize = 100_000;

/// The whole of a tar file, as if it were one of its members.
pub(super) const WHOLE: &str = "";

/// Files by their path.
pub(in crate::image) enum Members {
    /// Those of a directory.
    Directory(Beneath),
    /// Those of a tar file.
    Archive {
        /// The whole.
        file: File,
        /// Where each is.
        places: HashMap<String, Place>,
    },
}

/// Where the content of a member is.
pub(in crate::image) enum Place {
    At {
        offset: u64,
        size: u64,
    },
    /// It is the same as another member.
    Link(String),
}

impl Members {
    /// Finds the members of the tar file `file`; `None` where it is no archive.
    pub(super) fn of_archive(file: File) -> Result<Option<Self>, ParseError> {
        let end = file.metadata()?.len();
        let mut places = HashMap::new();
        let mut archive = Archive::new(Part {
            file: &file,
            offset: 0,
        });
        let skip = |part: &mut Part<&File>, count: u64| {
            part.offset = part.offset.saturating_add(count);
            Ok(())
        };
        loop {
            let member = match archive.next(skip) {
                Ok(Some(member)) if places.len() < MEMBERS_MAX => member,
                Ok(_) => break,
                Err(_) if places.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            };
            let Some(path) = member.path_inside() else {
                continue;
            };
            let offset = archive.reader().offset;
            let size = archive.stored();
            if offset.checked_add(size).is_none_or(|behind| behind > end) {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            match member.kind {
                EntryType::Regular => places.insert(path, Place::At { offset, size }),
                EntryType::Symlink | EntryType::Link => {
                    let target = member.target_beside(&path);
                    target.and_then(|target| places.insert(path, Place::Link(target)))
                }
                _ => None,
            };
        }
        if places.is_empty() {
            return Ok(None);
        }
        let (offset, size) = (0, end);
        places.insert(WHOLE.to_owned(), Place::At { offset, size });
        Ok(Some(Self::Archive { file, places }))
    }

    /// Whether there is a file at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Directory(root) => root.file(Path::new(path)).is_ok(),
            Self::Archive { places, .. } => places.contains_key(path),
        }
    }

    /// The bytes of the file at `path`.
    pub(super) fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, SourceError> {
        let missing = || SourceError::Malformed {
            what: "the archive".to_owned(),
            why: format!("it has no '{path}'"),
        };
        match self {
            Self::Directory(root) => match root.file(Path::new(path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
                file => {
                    let file = file.map_err(SourceError::io(format!("cannot read {path}")))?;
                    Ok(Box::new(file))
                }
            },
            Self::Archive { file, places } => {
                let (offset, size) = place(places, path).ok_or_else(missing)?;
                Ok(Box::new(Part { file, offset }.take(size)))
            }
        }
    }

    /// The whole of a small file.
    pub(super) fn document(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        self.open(path)?
            .take(DOCUMENT_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(SourceError::io(format!("cannot read {path}")))?;
        if bytes.len() as u64 > DOCUMENT_MAX {
            return Err(SourceError::Malformed {
                what: path.to_owned(),
                why: "it is larger than any such document".to_owned(),
            });
        }
        Ok(bytes)
    }
}

fn place(places: &HashMap<String, Place>, path: &str) -> Option<(u64, u64)> {
    const LINKS_MAX: usize = 8;
    let mut path = path;
    for _ in 0..LINKS_MAX {
        match places.get(path)? {
            Place::At { offset, size } => return Some((*offset, *size)),
            Place::Link(target) => path = target,
        }
    }
    None
}
