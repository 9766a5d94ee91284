//! A member of a tar archive, written: a header, and content padded to whole blocks.

use std::io::{self, Write};

use tar_core::EntryType;
use tar_core::builder::EntryBuilder;

use crate::image::tree::Metadata;

/// The size of a block.
const BLOCK: usize = 512;

/// A header that is being filled in.
pub(super) struct Member(EntryBuilder);

impl Member {
    /// A file that belongs to nobody in particular.
    pub(super) fn file(path: impl AsRef<[u8]>) -> Self {
        let metadata = Metadata {
            mode: 0o644,
            ..Metadata::default()
        };
        let member = Self::new(path.as_ref(), EntryType::Regular, &metadata);
        member.expect("it is small and old")
    }

    /// A member with this metadata.
    pub(super) fn new(path: &[u8], kind: EntryType, metadata: &Metadata) -> io::Result<Self> {
        let mut builder = EntryBuilder::new_ustar();
        builder.path(path).entry_type(kind);
        let seconds = u64::try_from(metadata.mtime).unwrap_or(0);
        let filled = builder
            .mode(u32::from(metadata.mode))
            .and_then(|builder| builder.uid(u64::from(metadata.uid)))
            .and_then(|builder| builder.gid(u64::from(metadata.gid)))
            .and_then(|builder| builder.mtime(seconds));
        filled.map_err(io::Error::other)?;
        if metadata.mtime_nanos > 0 {
            builder.add_pax("mtime", format!("{seconds}.{:09}", metadata.mtime_nanos));
        }
        for (name, value) in &metadata.xattrs {
            let name = std::str::from_utf8(name).map_err(io::Error::other)?;
            builder.add_pax(&format!("SCHILY.xattr.{name}"), value);
        }
        Ok(Self(builder))
    }

    /// Makes it lead to `target`.
    pub(super) fn to(mut self, target: &[u8]) -> Self {
        self.0.link_name(target);
        self
    }

    /// Makes it a device with these numbers.
    pub(super) fn device(mut self, major: u32, minor: u32) -> io::Result<Self> {
        self.0.device(major, minor).map_err(io::Error::other)?;
        Ok(self)
    }

    /// Writes the header alone.
    pub(super) fn alone(mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.0.finish_bytes())
    }

    /// Writes it with `content`.
    pub(super) fn small(self, out: &mut impl Write, content: &[u8]) -> io::Result<()> {
        self.content(out, content.len() as u64, |out| out.write_all(content))
    }

    /// Writes it with `size` bytes, which `copy` writes.
    pub(super) fn content<W: Write>(
        mut self,
        out: &mut W,
        size: u64,
        copy: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.size(size).map_err(io::Error::other)?;
        out.write_all(&self.0.finish_bytes())?;
        copy(out)?;
        let padding =
            usize::try_from(size.wrapping_neg() % BLOCK as u64).expect("less than a block");
        out.write_all(&[0; BLOCK][..padding])
    }
}

/// Writes the end of an archive.
pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}
