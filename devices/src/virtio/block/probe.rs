//! Disk formats that are not raw, known by their first bytes.
//!
//! A raw image begins with what its guest wrote, so a format is never taken from there:
//! it could make a later start read any file of the host. It only makes us ask.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const MAGICS: [(&str, usize, &[u8]); 9] = [
    ("qcow2", 0, b"QFI\xfb"),
    ("QED", 0, b"QED\0"),
    ("VMDK", 0, b"KDMV"),
    ("VMDK", 0, b"COWD"),
    ("VMDK", 0, b"# Disk DescriptorFile"),
    ("VHDX", 0, b"vhdxfile"),
    ("VHD", 0, b"conectix"),
    ("VDI", 0x40, b"\x7f\x10\xda\xbe"),
    ("Parallels", 0, b"WithoutFreeSpace"),
];
const LONGEST: usize = 0x44;

/// The format that `file` seems to have, if it is not raw.
///
/// # Errors
/// The file cannot be read.
pub fn foreign_format(file: &File) -> io::Result<Option<&'static str>> {
    let mut start = [0; LONGEST];
    let count = file.read_at(&mut start, 0)?;
    Ok(format_of(start.get(..count).unwrap_or_default()))
}

fn format_of(start: &[u8]) -> Option<&'static str> {
    MAGICS.iter().find_map(|(name, offset, magic)| {
        let here = start.get(*offset..)?.starts_with(magic);
        here.then_some(*name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_are_told() {
        let mut vdi = [0; LONGEST];
        vdi[0x40..].copy_from_slice(b"\x7f\x10\xda\xbe");
        assert_eq!(format_of(b"QFI\xfb\0\0\0\x03"), Some("qcow2"));
        assert_eq!(format_of(b"# Disk DescriptorFile\n"), Some("VMDK"));
        assert_eq!(format_of(&vdi), Some("VDI"));
    }

    #[test]
    fn what_is_unknown_or_short_is_raw() {
        assert_eq!(format_of(b"\xeb\x63\x90"), None);
        assert_eq!(format_of(b""), None);
    }
}
