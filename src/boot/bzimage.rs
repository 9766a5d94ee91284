//! The bzImage container: its setup header and where its payload lies.
//!
//! It reads a byte slice and has no guest memory. Source: the kernel's
//! Documentation/arch/x86/boot.rst.

use linux_loader::bootparam::setup_header;
use vm_memory::ByteValued;

/// Where the setup header begins in the file.
const HEADER_OFFSET: usize = 0x1f1;
/// `HdrS`
pub const MAGIC: u32 = 0x5372_6448;
/// The first protocol with a 64-bit entry and `xloadflags`.
const FIRST_64_BIT_VERSION: u16 = 0x20c;
const XLF_KERNEL_64: u16 = 1;

/// A bzImage, parsed.
pub struct BzImage<'a> {
    /// The setup header, for the zero page.
    pub header: setup_header,
    /// The protected-mode part, for the kernel's own decompressor.
    pub protected_mode: &'a [u8],
    /// The packed kernel inside of it.
    pub payload: &'a [u8],
}

/// Why a file is no bzImage that can be booted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BzImageError {
    /// It has not even a setup header.
    #[error("the file is too short for a kernel")]
    NoHeader,
    /// It is not one.
    #[error("it is neither a bzImage nor an ELF vmlinux")]
    NotAKernel,
    /// It is for 32-bit machines, or older than Linux 3.8.
    #[error("it has no 64-bit entry (boot protocol {major}.{minor:02}): use an x86-64 kernel")]
    No64BitEntry {
        /// Its boot protocol's version.
        major: u8,
        /// Its boot protocol's version.
        minor: u8,
    },
    /// The header tells of more bytes than there are.
    #[error("the file is truncated: it has {have} bytes, its header tells of {wanted}")]
    Truncated {
        /// The file's length.
        have: usize,
        /// The length that the header implies.
        wanted: usize,
    },
}

impl<'a> BzImage<'a> {
    /// Parses `file`.
    ///
    /// # Errors
    /// It is no bzImage, not a 64-bit one, or not whole.
    pub fn parse(file: &'a [u8]) -> Result<Self, BzImageError> {
        let header = read_header(file)?;
        let start = setup_size(&header);
        let end = start.saturating_add(header.syssize as usize * 16);
        // `syssize` counts paragraphs, so the last one may be short.
        if file.len().next_multiple_of(16) < end {
            let have = file.len();
            return Err(BzImageError::Truncated { have, wanted: end });
        }
        let protected_mode = file.get(start..).ok_or(BzImageError::NoHeader)?;
        let payload = payload(&header, protected_mode).ok_or(BzImageError::NotAKernel)?;
        Ok(Self {
            header,
            protected_mode,
            payload,
        })
    }
}

fn read_header(file: &[u8]) -> Result<setup_header, BzImageError> {
    let bytes = file
        .get(HEADER_OFFSET..HEADER_OFFSET + size_of::<setup_header>())
        .ok_or(BzImageError::NoHeader)?;
    let mut header = setup_header::default();
    header.as_mut_slice().copy_from_slice(bytes);
    if header.header != MAGIC {
        return Err(BzImageError::NotAKernel);
    }
    if header.version < FIRST_64_BIT_VERSION || header.xloadflags & XLF_KERNEL_64 == 0 {
        let [minor, major] = header.version.to_le_bytes();
        return Err(BzImageError::No64BitEntry { major, minor });
    }
    Ok(header)
}

/// The real-mode part, which a 64-bit boot does not use.
fn setup_size(header: &setup_header) -> usize {
    let sectors = match header.setup_sects {
        0 => 4,
        count => usize::from(count),
    };
    (sectors + 1) * 512
}

fn payload<'a>(header: &setup_header, protected_mode: &'a [u8]) -> Option<&'a [u8]> {
    let start = header.payload_offset as usize;
    let end = start.checked_add(header.payload_length as usize)?;
    protected_mode.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage of one setup sector and one page, with a payload of 16 bytes.
    fn image() -> Vec<u8> {
        let mut header = setup_header {
            setup_sects: 1,
            header: MAGIC,
            version: 0x20f,
            xloadflags: XLF_KERNEL_64,
            syssize: 256,
            payload_offset: 8,
            payload_length: 16,
            ..Default::default()
        };
        let mut file = vec![0; 1024 + 4096];
        file[HEADER_OFFSET..][..size_of::<setup_header>()].copy_from_slice(header.as_mut_slice());
        file[1024 + 8..][..16].fill(0xab);
        file
    }

    #[test]
    fn the_payload_is_found() {
        let file = image();
        assert_eq!(BzImage::parse(&file).unwrap().payload, [0xab; 16]);
    }

    #[test]
    fn a_truncated_image_tells_both_lengths() {
        let file = image();
        let error = BzImage::parse(&file[..3000]).err().unwrap();
        assert_eq!(
            error,
            BzImageError::Truncated {
                have: 3000,
                wanted: 5120
            }
        );
    }

    #[test]
    fn a_payload_beyond_the_file_is_refused() {
        let mut file = image();
        file[0x24c + 3] = 0xff; // the top byte of payload_length
        assert!(BzImage::parse(&file).is_err());
    }

    #[test]
    fn a_32_bit_kernel_is_told_as_one() {
        let mut file = image();
        file[0x236] = 0;
        let error = BzImage::parse(&file).err().unwrap();
        assert!(error.to_string().contains("use an x86-64 kernel"));
    }

    #[test]
    fn any_other_file_is_refused() {
        assert_eq!(
            BzImage::parse(&[0; 4096]).err(),
            Some(BzImageError::NotAKernel)
        );
        assert_eq!(BzImage::parse(&[]).err(), Some(BzImageError::NoHeader));
    }
}
