//! Members of a tar archive, one after the other, from a stream.

use std::borrow::Cow;
use std::io::{self, Read};

use tar_core::parse::{Limits, ParseError, ParseEvent, ParsedEntry, Parser};
use tar_core::{EntryType, PaxExtensions, SparseEntry};

use super::tree::{Metadata, PATH_MAX, XATTRS_MAX};

/// The size of a block; members are padded to whole ones.
const BLOCK: u64 = 512;

/// Reads an archive without looking ahead: what follows it in `reader` is left there.
pub(super) struct Archive<R> {
    reader: R,
    parser: Parser,
    header: Vec<u8>,
    /// What is left of the member's content, and of the padding behind.
    content: u64,
    padding: u64,
}

/// What an archive says of a member.
pub(super) struct Member {
    /// Its path as it is written there.
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryType,
    /// What a link leads to.
    pub(super) target: Vec<u8>,
    pub(super) device: (u32, u32),
    pub(super) metadata: Metadata,
    /// The size of the file that it becomes.
    pub(super) size: u64,
    /// The parts that are not zero, if it is sparse.
    pub(super) sparse: Option<Vec<SparseEntry>>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(reader: R) -> Self {
        let limits = Limits {
            max_path_len: u32::try_from(PATH_MAX).ok(),
            // A name, a target, attributes, and what describes them.
            max_metadata_size: u32::try_from(4 * XATTRS_MAX).unwrap_or(u32::MAX),
            ..Limits::default()
        };
        Self {
            reader,
            parser: Parser::new(limits),
            header: Vec::new(),
            content: 0,
            padding: 0,
        }
    }

    /// The next member; `skip` gets over bytes of the last one that nobody has read.
    pub(super) fn next(
        &mut self,
        skip: impl Fn(&mut R, u64) -> io::Result<()>,
    ) -> Result<Option<Member>, ParseError> {
        skip(&mut self.reader, self.content + self.padding)?;
        (self.content, self.padding) = (0, 0);
        self.header.clear();
        let mut wanted = BLOCK;
        loop {
            if !self.fill(wanted)? {
                return Ok(None);
            }
            let (member, stored) = match self.parser.parse(&self.header)? {
                ParseEvent::NeedData { min_bytes } => {
                    wanted = min_bytes as u64;
                    continue;
                }
                ParseEvent::GlobalExtensions { .. } => {
                    self.header.clear();
                    wanted = BLOCK;
                    continue;
                }
                ParseEvent::End { .. } => return Ok(None),
                ParseEvent::Entry { entry, .. } => (member(&entry, None)?, entry.size),
                ParseEvent::SparseEntry {
                    entry,
                    sparse_map,
                    real_size,
                    ..
                } => (member(&entry, Some((sparse_map, real_size)))?, entry.size),
            };
            self.content = stored;
            self.padding = stored.wrapping_neg() % BLOCK;
            return Ok(Some(member));
        }
    }

    /// How many bytes the member has in the archive.
    pub(super) fn stored(&self) -> u64 {
        self.content
    }

    pub(super) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Reads until `wanted` bytes of header are there; `false` where the archive just ends.
    fn fill(&mut self, wanted: u64) -> io::Result<bool> {
        let missing = wanted.saturating_sub(self.header.len() as u64);
        let mut more = self.reader.by_ref().take(missing);
        let count = more.read_to_end(&mut self.header)? as u64;
        match count {
            0 if missing > 0 && self.header.is_empty() => Ok(false),
            // One block of zeros instead of two: an end that many tools accept.
            0 if missing > 0 && self.header.iter().all(|byte| *byte == 0) => Ok(false),
            count if count < missing => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(true),
        }
    }
}

/// Reads the content of the member.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.by_ref().take(self.content).read(buffer)?;
        if count == 0 && self.content > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= count as u64;
        Ok(count)
    }
}

/// Gets over bytes of a stream by reading them.
pub(super) fn skip_stream(reader: &mut impl Read, count: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(count), &mut io::sink())? {
        skipped if skipped < count => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn member(
    entry: &ParsedEntry<'_>,
    sparse: Option<(Vec<SparseEntry>, u64)>,
) -> Result<Member, ParseError> {
    let (mtime, mtime_nanos) = modified(entry);
    let (map, size) = match sparse {
        Some((map, size)) => (Some(map), size),
        None => (None, entry.size),
    };
    let xattrs = entry.xattrs.iter();
    Ok(Member {
        path: entry.path.to_vec(),
        kind: kind(entry),
        target: entry.link_target.as_deref().unwrap_or_default().to_vec(),
        device: (entry.dev_major.unwrap_or(0), entry.dev_minor.unwrap_or(0)),
        metadata: Metadata {
            mode: u16::try_from(entry.mode & 0o7777).expect("twelve bits"),
            uid: owner("uid", entry.uid)?,
            gid: owner("gid", entry.gid)?,
            mtime,
            mtime_nanos,
            xattrs: xattrs
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
        },
        size,
        sparse: map,
    })
}

/// Before there were types, a directory was a file whose name ends with a slash.
fn kind(entry: &ParsedEntry<'_>) -> EntryType {
    match entry.entry_type {
        EntryType::Regular if entry.path.ends_with(b"/") => EntryType::Directory,
        EntryType::Continuous | EntryType::GnuSparse => EntryType::Regular,
        kind => kind,
    }
}

fn owner(key: &'static str, id: u64) -> Result<u32, ParseError> {
    u32::try_from(id).map_err(|_| ParseError::InvalidPaxValue {
        key,
        value: Cow::Owned(id.to_string()),
    })
}

/// Seconds and nanoseconds; only a PAX header has the latter.
fn modified(entry: &ParsedEntry<'_>) -> (i64, u32) {
    let seconds = i64::try_from(entry.mtime).unwrap_or(i64::MAX);
    let mut extensions = entry.pax.map(PaxExtensions::new).into_iter().flatten();
    let value = extensions.find_map(|one| {
        let one = one.ok()?;
        (one.key() == Ok("mtime"))
            .then(|| one.value().ok())
            .flatten()
    });
    let fraction = value.and_then(|value| value.split_once('.'));
    let nanos = fraction.and_then(|(_, fraction)| {
        let digits: String = fraction
            .chars()
            .chain("000000000".chars())
            .take(9)
            .collect();
        digits.parse().ok()
    });
    (seconds, nanos.unwrap_or(0))
}

impl Member {
    /// The path without needless parts; `None` where it leads out of the archive.
    pub(super) fn path_inside(&self) -> Option<String> {
        inside("", std::str::from_utf8(&self.path).ok()?)
    }

    /// What a link at `path` leads to; a hard link is told from the archive's root.
    pub(super) fn target_beside(&self, path: &str) -> Option<String> {
        let directory = match self.kind {
            EntryType::Symlink => path.rsplit_once('/').map_or("", |(directory, _)| directory),
            _ => "",
        };
        inside(directory, std::str::from_utf8(&self.target).ok()?)
    }
}

fn inside(directory: &str, path: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            _ => names.push(name),
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}
