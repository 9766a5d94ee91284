//! A qcow2 image, converted to the raw disk that it stands for.
//!
//! It may name a backing file or a data file, any file of the host: such an image is refused.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, Mapping};

use crate::image::spool::TooLarge;

/// What a qcow2 image begins with.
pub(super) const MAGIC: &[u8] = b"QFI\xfb";

/// Writes the disk in `image` to `raw`, an empty file. What is zero takes no room.
pub(super) fn convert(image: File, raw: &File, max_size: u64) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    let storage = imago::file::File::try_from(image)?;
    let builder = Qcow2::<imago::file::File>::builder(storage);
    let disk = FormatAccess::new(builder.open(DenyImplicitOpenGate::default())?);
    let size = disk.size();
    if size > max_size {
        return Err(io::Error::other(TooLarge(max_size)));
    }
    raw.set_len(size)?;
    let mut buffer = vec![0; usize::try_from(CHUNK).expect("a chunk is small")];
    let mut at = 0;
    while at < size {
        let (mapping, length) = disk.get_mapping(at, CHUNK.min(size - at))?;
        let is_zero = matches!(mapping, Mapping::Zero { .. });
        let length = length.min(CHUNK);
        let chunk = &mut buffer[..usize::try_from(length).expect("a chunk is small")];
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !is_zero {
            disk.read(&mut *chunk, at)?;
            raw.write_all_at(chunk, at)?;
        }
        at += length;
    }
    Ok(())
}
