//! What can be told of a kernel's file without booting it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::KernelError;
use crate::image::Digest;

/// No kernel is larger: one with all its debug information is.
const SIZE_MAX: u64 = 1 << 30;

/// A kernel's file as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KernelFile {
    /// What it is called in a kernel's directory.
    pub(super) name: &'static str,
    /// What Linux calls itself, if it says so.
    pub(super) release: Option<String>,
    /// Of the whole file.
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
}

impl KernelFile {
    /// Looks at the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is no kernel.
    pub(super) fn look(path: &Path) -> Result<Self, KernelError> {
        let bytes = read(path).map_err(|error| KernelError::File(path.to_owned(), error))?;
        let (name, banner) = if bytes.starts_with(b"\x7fELF") {
            ("vmlinux", elf_banner(&bytes))
        } else if bytes.get(0x202..0x206) == Some(b"HdrS") {
            ("vmlinuz", bzimage_banner(&bytes))
        } else {
            return Err(KernelError::NoKernel(path.to_owned()));
        };
        Ok(Self {
            name,
            release: banner.and_then(first_word),
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
        })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > SIZE_MAX {
        return Err(io::Error::other("it is no file, or larger than any kernel"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(SIZE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `kernel_version` of the header: where a text is, less 0x200
/// (Documentation/arch/x86/boot.rst).
fn bzimage_banner(bytes: &[u8]) -> Option<&[u8]> {
    let offset = bytes.get(0x20e..0x210)?.try_into().ok()?;
    bytes.get(usize::from(u16::from_le_bytes(offset)) + 0x200..)
}

/// `linux_banner`, as /proc/version prints it.
fn elf_banner(bytes: &[u8]) -> Option<&[u8]> {
    const BEGIN: &[u8] = b"Linux version ";
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut candidates = bytes.windows(BEGIN.len()).enumerate();
    let at = candidates
        .find(|(at, window)| *window == BEGIN && is_digit(at + BEGIN.len()))
        .map(|(at, _)| at)?;
    bytes.get(at + BEGIN.len()..)
}

/// A word that can be printed.
fn first_word(text: &[u8]) -> Option<String> {
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-+_~".contains(byte);
    let word: Vec<u8> = text.iter().take(64).take_while(plain).copied().collect();
    String::from_utf8(word).ok().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(bytes: &[u8]) -> Result<KernelFile, KernelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernel");
        std::fs::write(&path, bytes).unwrap();
        KernelFile::look(&path)
    }

    #[test]
    fn an_elf_tells_its_release_by_its_banner() {
        let file = look(b"\x7fELF Linux version %s Linux version 6.1.9-vmm (x) #1").unwrap();
        assert_eq!(
            (file.name, file.release.as_deref()),
            ("vmlinux", Some("6.1.9-vmm"))
        );
    }

    #[test]
    fn a_bzimage_tells_its_release_by_its_header() {
        let mut bytes = vec![0; 0x300];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x80_u16.to_le_bytes());
        bytes[0x280..0x286].copy_from_slice(b"6.12 x");
        let file = look(&bytes).unwrap();
        assert_eq!(
            (file.name, file.release.as_deref()),
            ("vmlinuz", Some("6.12"))
        );
    }

    #[test]
    fn a_release_that_lies_outside_is_none() {
        let mut bytes = vec![0; 0x210];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(look(&bytes).unwrap().release, None);
    }

    #[test]
    fn what_is_no_kernel_is_refused() {
        assert!(matches!(look(b"initrd"), Err(KernelError::NoKernel(_))));
        let folder = tempfile::tempdir().unwrap();
        assert!(KernelFile::look(folder.path()).is_err());
    }
}
