//! Unpacks a bzImage's payload on the host.
//!
//! It sees a byte slice and returns bytes; what they mean is not its business. The
//! compressors are those of the kernel's `scripts/Makefile.lib`; bzip2 and lzo are left
//! to the kernel's own decompressor.

use std::io::{self, Read};

use super::lz4;

/// No kernel is larger; a payload that unpacks to more is refused.
const MAX_UNPACKED: u64 = 512 << 20;

/// How a payload is packed, told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// The .xz file format, with the x86 filter.
    Xz,
    /// The old .lzma file format.
    Lzma,
    /// The legacy frame of lz4.
    Lz4,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// Recognizes a payload; `None` for what only the kernel can unpack.
    pub fn of(payload: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Compression); 5] = [
            (&[0x1f, 0x8b], Compression::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
            (&[0x5d, 0, 0], Compression::Lzma),
            (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        ];
        MAGICS
            .into_iter()
            .find(|(magic, _)| payload.starts_with(magic))
            .map(|(_, compression)| compression)
    }

    /// The name that users know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Unpacks `payload`, behind whose end the kernel's build puts the unpacked size.
    ///
    /// # Errors
    /// The stream is damaged or unpacks to more than 512 MiB.
    pub fn unpack(self, payload: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => drain(flate2::read::GzDecoder::new(payload), payload),
            Self::Xz => drain(lzma_rust2::XzReader::new(payload, false), payload),
            Self::Lzma => {
                const MEMORY_LIMIT_KIB: u32 = 256 << 10;
                let reader = lzma_rust2::LzmaReader::new_mem_limit(payload, MEMORY_LIMIT_KIB, None);
                drain(reader?, payload)
            }
            Self::Lz4 => lz4::unpack(payload, expected_size(payload)),
            Self::Zstd => {
                let reader = ruzstd::decoding::StreamingDecoder::new(payload);
                drain(reader.map_err(io::Error::other)?, payload)
            }
        }
    }
}

/// All that `reader` makes of `payload`.
fn drain(reader: impl Read, payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::with_capacity(expected_size(payload));
    let count = reader
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .or_else(|error| at_the_size_field(error, &unpacked, payload))?;
    if count as u64 > MAX_UNPACKED {
        return Err(io::Error::other("it unpacks to more than 512 MiB"));
    }
    Ok(unpacked)
}

/// The unpacked size as the last four bytes tell it, or nothing where it is absurd.
fn expected_size(payload: &[u8]) -> usize {
    let size = payload
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    match u64::from(size) {
        0..=MAX_UNPACKED => size as usize,
        _ => 0,
    }
}

/// A decoder may trip over the size field behind the stream after all is unpacked.
fn at_the_size_field(error: io::Error, unpacked: &[u8], payload: &[u8]) -> io::Result<usize> {
    match expected_size(payload) {
        size if size > 0 && unpacked.len() == size => Ok(size),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_gzip_payload_is_unpacked() {
        let kernel = vec![7; 100_000];
        let payload = gzip(&kernel);
        let compression = Compression::of(&payload).unwrap();
        assert_eq!(compression, Compression::Gzip);
        assert_eq!(compression.unpack(&payload).unwrap(), kernel);
    }

    #[test]
    fn a_damaged_payload_is_an_error() {
        let mut payload = gzip(&[7; 100_000]);
        payload.truncate(payload.len() / 2);
        assert!(Compression::Gzip.unpack(&payload).is_err());
    }

    #[test]
    fn garbage_behind_any_magic_is_an_error() {
        for magic in [
            &[0xfd, b'7', b'z', b'X', b'Z', 0][..],
            &[0x28, 0xb5, 0x2f, 0xfd],
        ] {
            let payload = [magic, &[0xa5; 64]].concat();
            assert!(Compression::of(&payload).unwrap().unpack(&payload).is_err());
        }
    }

    #[test]
    fn an_unknown_payload_is_left_to_the_kernel() {
        assert_eq!(Compression::of(b"BZh91AY&SY"), None);
    }
}
