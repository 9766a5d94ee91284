//! A kernel file of any kind becomes bytes in guest memory and an entry.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use linux_loader::bootparam::setup_header;
use linux_loader::elf::{Elf64_Ehdr, Elf64_Phdr, PT_NOTE};
use linux_loader::loader::elf::{Elf, PvhBootCapability};
use linux_loader::loader::{KernelLoader, KernelLoaderResult};
use vm_memory::{ByteValued, Bytes, GuestAddress, ReadVolatile};

use super::bzimage::{BzImage, BzImageError};
use super::decompress::Compression;
use super::file::{self, FileError};
use crate::arch::x86_64::registers::Entry;
use crate::config::Protocol;
use crate::memory::{self, Memory, layout};

/// Why a kernel cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// It is no file that can be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no bootable bzImage.
    #[error(transparent)]
    BzImage(#[from] BzImageError),
    /// The payload cannot be unpacked.
    #[error("cannot unpack its {0} payload: the file is damaged")]
    Unpack(&'static str),
    /// It is for another processor.
    #[error("it is for {0}, not x86-64")]
    Architecture(String),
    /// The ELF cannot be loaded.
    #[error("the ELF file is damaged or does not fit: use a whole file, or a larger --memory")]
    Elf,
    /// The kernel with its zeroed data is larger than memory.
    #[error("it needs memory up to {need} MiB, the guest has {have} MiB: use a larger --memory")]
    TooLarge {
        /// The end of the kernel, in MiB.
        need: u64,
        /// The end of memory, in MiB.
        have: u64,
    },
    /// There is no entry for the protocol that was asked for.
    #[error("it has no PVH entry: leave --boot-protocol out")]
    NoPvhEntry,
}

/// A kernel in guest memory.
#[derive(Debug)]
pub struct Kernel {
    /// How to enter it.
    pub entry: Entry,
    /// The first address after it.
    pub end: u64,
    /// The header of the bzImage it came in.
    pub setup_header: Option<setup_header>,
    /// The most bytes that it takes of a command line.
    pub command_line_limit: usize,
    /// What was loaded, in a few words for the user.
    pub description: String,
}

/// `COMMAND_LINE_SIZE` of x86, less the NUL, for kernels that do not tell.
const DEFAULT_COMMAND_LINE_LIMIT: usize = 2047;

/// Loads the kernel at `path`.
///
/// # Errors
/// It cannot be read, is not for this machine, or does not fit.
pub fn load(memory: &Memory, path: &Path, protocol: Protocol) -> Result<Kernel, KernelError> {
    let (mut file, _) = file::open(path)?;
    let kernel = if is_elf(&file)? {
        load_elf(memory, &mut file, protocol)?
    } else {
        load_bzimage(memory, &read_all(&mut file)?, protocol)?
    };
    refuse_too_large(memory, &kernel)?;
    Ok(kernel)
}

fn is_elf(file: &File) -> Result<bool, KernelError> {
    let mut magic = [0; 4];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) => Ok(magic == *b"\x7fELF"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(BzImageError::NoHeader.into())
        }
        Err(error) => Err(FileError::Read(error).into()),
    }
}

fn read_all(file: &mut File) -> Result<Vec<u8>, KernelError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(FileError::Read)?;
    Ok(bytes)
}

/// Loads a vmlinux: each segment straight from the file to its place.
fn load_elf<F>(memory: &Memory, file: &mut F, protocol: Protocol) -> Result<Kernel, KernelError>
where
    F: Read + ReadVolatile + Seek,
{
    refuse_other_architectures(file)?;
    refuse_excess(file)?;
    let high_ram = Some(GuestAddress(0));
    let loaded = Elf::load(memory, None, file, high_ram).map_err(not_loaded)?;
    Ok(Kernel {
        entry: choose_entry(&loaded, protocol)?,
        end: loaded.kernel_end,
        setup_header: None,
        command_line_limit: DEFAULT_COMMAND_LINE_LIMIT,
        description: "ELF".to_owned(),
    })
}

fn refuse_other_architectures<F: Read + Seek>(file: &mut F) -> Result<(), KernelError> {
    const ELF_CLASS: usize = 4;
    const MACHINE: usize = 18;
    let mut header = [0; 20];
    file.rewind().map_err(FileError::Read)?;
    file.read_exact(&mut header)
        .map_err(|_| BzImageError::NoHeader)?;
    let machine = u16::from_le_bytes([header[MACHINE], header[MACHINE + 1]]);
    let name = match (machine, header[ELF_CLASS]) {
        (62, 2) => return Ok(()),
        (3, _) => "32-bit x86".to_owned(),
        (40, _) => "32-bit Arm".to_owned(),
        (183, _) => "Arm (aarch64)".to_owned(),
        (243, _) => "RISC-V".to_owned(),
        (other, _) => format!("ELF machine {other}"),
    };
    Err(KernelError::Architecture(name))
}

/// The loader reads every program header, and notes a few bytes at a time: a kernel has few of both.
fn refuse_excess<F: Read + Seek>(file: &mut F) -> Result<(), KernelError> {
    const HEADERS_MAX: u16 = 128;
    const NOTES_MAX: u64 = 64 << 10;
    let header: Elf64_Ehdr = read_at(file, 0)?;
    if header.e_phnum > HEADERS_MAX {
        return Err(KernelError::Elf);
    }
    let mut notes = 0_u64;
    for number in 0..u64::from(header.e_phnum) {
        let place = number * u64::from(header.e_phentsize);
        let place = header.e_phoff.checked_add(place).ok_or(KernelError::Elf)?;
        let header: Elf64_Phdr = read_at(file, place)?;
        if header.p_type == PT_NOTE {
            notes = notes.saturating_add(header.p_filesz);
        }
    }
    match notes > NOTES_MAX {
        true => Err(KernelError::Elf),
        false => Ok(()),
    }
}

fn read_at<T: ByteValued + Default>(
    file: &mut (impl Read + Seek),
    place: u64,
) -> Result<T, KernelError> {
    let mut value = T::default();
    file.seek(SeekFrom::Start(place)).map_err(FileError::Read)?;
    let read = file.read_exact(value.as_mut_slice());
    read.map_err(|_| KernelError::Elf)?;
    Ok(value)
}

/// The loader names the step that failed, not what helps; the user is told the latter.
fn not_loaded(error: linux_loader::loader::Error) -> KernelError {
    log::debug!("{error}");
    KernelError::Elf
}

/// The 64-bit entry of Linux is a physical address inside of what was loaded; the entry of
/// other kernels (FreeBSD) is virtual, and those want PVH.
fn choose_entry(loaded: &KernelLoaderResult, protocol: Protocol) -> Result<Entry, KernelError> {
    let rip = loaded.kernel_load.0;
    let is_physical = (layout::HIGH_RAM_START..loaded.kernel_end).contains(&rip);
    let pvh = match loaded.pvh_boot_cap {
        PvhBootCapability::PvhEntryPresent(entry) => Some(Entry::Pvh { rip: entry.0 }),
        _ => None,
    };
    match protocol {
        Protocol::Linux64 => Ok(Entry::Linux64 { rip }),
        Protocol::Auto if is_physical => Ok(Entry::Linux64 { rip }),
        Protocol::Auto | Protocol::Pvh => pvh.ok_or(KernelError::NoPvhEntry),
    }
}

/// Loads a bzImage: unpacked on the host and loaded as ELF where we know the compressor
/// (decision 0003 has the measurement), else by the kernel's own decompressor.
fn load_bzimage(memory: &Memory, file: &[u8], protocol: Protocol) -> Result<Kernel, KernelError> {
    let image = BzImage::parse(file)?;
    let kernel = match Compression::of(image.payload) {
        Some(compression) => load_payload(memory, &image, compression, protocol)?,
        None => load_packed(memory, &image)?,
    };
    Ok(Kernel {
        command_line_limit: image.header.cmdline_size as usize,
        setup_header: Some(image.header),
        ..kernel
    })
}

fn load_payload(
    memory: &Memory,
    image: &BzImage<'_>,
    compression: Compression,
    protocol: Protocol,
) -> Result<Kernel, KernelError> {
    let name = compression.name();
    let elf = compression
        .unpack(image.payload)
        .map_err(|_| KernelError::Unpack(name))?;
    let kernel = load_elf(memory, &mut Cursor::new(elf.as_slice()), protocol)?;
    Ok(Kernel {
        description: format!("bzImage, {name} payload unpacked on the host"),
        ..kernel
    })
}

/// Puts the protected-mode part where it wants to be; its 64-bit entry is 0x200 inside.
fn load_packed(memory: &Memory, image: &BzImage<'_>) -> Result<Kernel, KernelError> {
    const ENTRY_64: u64 = 0x200;
    let base = image.header.pref_address.max(layout::HIGH_RAM_START);
    let end = base.saturating_add(image.header.init_size.into());
    let kernel = Kernel {
        entry: Entry::Linux64 {
            rip: base.saturating_add(ENTRY_64),
        },
        end,
        setup_header: None,
        command_line_limit: DEFAULT_COMMAND_LINE_LIMIT,
        description: "bzImage, unpacked by itself".to_owned(),
    };
    refuse_too_large(memory, &kernel)?;
    memory
        .write_slice(image.protected_mode, GuestAddress(base))
        .map_err(|_| too_large(memory, end))?;
    Ok(kernel)
}

fn refuse_too_large(memory: &Memory, kernel: &Kernel) -> Result<(), KernelError> {
    let top = memory::end(memory).min(layout::DEVICE_HOLE.base);
    if kernel.end <= top {
        return Ok(());
    }
    Err(too_large(memory, kernel.end))
}

fn too_large(memory: &Memory, end: u64) -> KernelError {
    KernelError::TooLarge {
        need: end.div_ceil(1 << 20),
        have: memory::end(memory) >> 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many notes, each of `size` bytes.
    fn notes(count: u16, size: u64) -> Cursor<Vec<u8>> {
        let header = Elf64_Ehdr {
            e_phoff: 64,
            e_phentsize: 56,
            e_phnum: count,
            ..Default::default()
        };
        let note = Elf64_Phdr {
            p_type: PT_NOTE,
            p_filesz: size,
            ..Default::default()
        };
        let notes = note.as_slice().repeat(count.into());
        Cursor::new([header.as_slice(), &notes].concat())
    }

    #[test]
    fn what_a_loader_would_read_for_hours_is_refused() {
        let is_refused = |count, size| refuse_excess(&mut notes(count, size)).is_err();
        assert!(!is_refused(4, 16 << 10));
        assert!(is_refused(4, 1 << 32));
        assert!(is_refused(2, u64::MAX));
        assert!(is_refused(129, 0));
    }

    #[test]
    fn headers_beyond_the_end_are_refused() {
        let mut cut = notes(2, 0).into_inner();
        cut.pop();
        assert!(refuse_excess(&mut Cursor::new(cut)).is_err());
    }
}
