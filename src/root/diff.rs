//! What a run has changed, read from its upper layer as overlayfs wrote it.
//!
//! Links are never followed: a name of the upper layer is looked up in the base only below
//! directories that are directories in both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::{Serialize, Serializer};

use super::lower::Lower;
use super::upper::Upper;

/// Why the changes cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct DiffError {
    path: PathBuf,
    source: io::Error,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The base does not have it.
    Added,
    /// It is another than the base's, or its owner, mode or time is.
    Changed,
    /// Only the base has it.
    Deleted,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Of what kind.
    pub kind: Kind,
    /// Where, from the root of the tree.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
}

/// Names need not be UTF-8; JSON has to be.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// `A /path` as docker prints it; what would move the cursor of a terminal is escaped.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            Kind::Added => 'A',
            Kind::Changed => 'C',
            Kind::Deleted => 'D',
        };
        write!(f, "{letter} ")?;
        for c in self.path.to_string_lossy().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// What differs between `upper` and `lower`, directories before what is in them, by name.
///
/// A directory that was deleted or is hidden by something else is one change, not one for each
/// file in it.
///
/// # Errors
/// A layer cannot be read.
pub fn diff(lower: &Lower, upper: &Upper) -> Result<Vec<Change>, DiffError> {
    let mut walk = Walk::default();
    walk.directory(&Pair {
        upper: upper.changes(),
        lower: Some(lower.path().to_owned()),
        path: PathBuf::from("/"),
        opaque: false,
    })?;
    walk.changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(walk.changes)
}

/// A directory of the upper layer, and the one below it.
struct Pair {
    upper: PathBuf,
    /// None where the base has no directory.
    lower: Option<PathBuf>,
    /// As the run saw it.
    path: PathBuf,
    /// Whether it hides all that the base has there.
    opaque: bool,
}

#[derive(Default)]
struct Walk {
    changes: Vec<Change>,
}

impl Walk {
    fn directory(&mut self, pair: &Pair) -> Result<(), DiffError> {
        let uppers = entries(&pair.upper)?;
        let mut lowers = match &pair.lower {
            Some(lower) => entries(lower)?,
            None => BTreeMap::new(),
        };
        for (name, entry) in uppers {
            let below = lowers.remove(&name);
            self.entry(pair, &name, &entry, below.as_ref())?;
        }
        if pair.opaque {
            let hidden = lowers.keys().map(|name| pair.path.join(name));
            self.changes.extend(hidden.map(|path| Change {
                kind: Kind::Deleted,
                path,
            }));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        pair: &Pair,
        name: &OsString,
        entry: &Metadata,
        below: Option<&Metadata>,
    ) -> Result<(), DiffError> {
        let path = pair.path.join(name);
        let kind = match below {
            Some(_) if is_whiteout(entry) => Kind::Deleted,
            Some(_) => Kind::Changed,
            // A whiteout of nothing says nothing.
            None if is_whiteout(entry) => return Ok(()),
            None => Kind::Added,
        };
        self.changes.push(Change {
            kind,
            path: path.clone(),
        });
        if !entry.is_dir() {
            return Ok(());
        }
        let upper = pair.upper.join(name);
        let below = below.filter(|below| below.is_dir());
        self.directory(&Pair {
            opaque: pair.opaque || is_opaque(&upper)?,
            lower: below.and(pair.lower.as_ref()).map(|lower| lower.join(name)),
            upper,
            path,
        })
    }
}

fn entries(directory: &Path) -> Result<BTreeMap<OsString, Metadata>, DiffError> {
    let read = || -> io::Result<_> {
        let entries = fs::read_dir(directory)?;
        entries
            .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?))))
            .collect()
    };
    read().map_err(|source| failed(directory, source))
}

/// overlayfs.rst: "a character device with 0/0 device number".
fn is_whiteout(entry: &Metadata) -> bool {
    entry.file_type().is_char_device() && entry.rdev() == 0
}

/// overlayfs.rst: "setting the xattr trusted.overlay.opaque to y"; in a user namespace, user.*.
fn is_opaque(directory: &Path) -> Result<bool, DiffError> {
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let mut value = [0; 2];
        match rustix::fs::lgetxattr(directory, name, &mut value) {
            Ok(length) if value.get(..length) == Some(b"y".as_slice()) => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => {}
            Err(errno) => return Err(failed(directory, errno.into())),
        }
    }
    Ok(false)
}

fn failed(path: &Path, source: io::Error) -> DiffError {
    DiffError {
        path: path.to_owned(),
        source,
    }
}
