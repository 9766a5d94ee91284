//! KVM's own counters, from its binary statistics file (KVM API, `KVM_GET_STATS_FD`).

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::FileExt;

use kvm_bindings::KVMIO;
use vmm_sys_util::ioctl_io_nr;

ioctl_io_nr!(KVM_GET_STATS_FD, KVMIO, 0xce);

/// One counter of a VM or a vCPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// KVM's name for it.
    pub name: String,
    /// Its value; the first bucket of a histogram.
    pub value: u64,
}

/// The file of counters of a VM or a vCPU. It can be read while the vCPU runs; the VM's memory
/// in the kernel stays as long as the file does.
pub struct StatisticsFile(File);

/// `struct kvm_stats_header`.
struct Header {
    name_size: usize,
    count: usize,
    descriptors: u64,
    data: u64,
}

impl StatisticsFile {
    /// Opens the file of the VM or vCPU behind `fd`.
    ///
    /// # Errors
    /// The host's KVM has none (before Linux 5.14).
    pub(super) fn open(fd: RawFd) -> io::Result<Self> {
        // SAFETY: the request takes no argument and returns a new file descriptor.
        let stats = unsafe { libc::ioctl(fd, KVM_GET_STATS_FD()) };
        if stats < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Self(unsafe { File::from_raw_fd(stats) }))
    }

    /// All counters, as they stand.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&self) -> io::Result<Vec<Statistic>> {
        let header = read_header(&self.0)?;
        (0..header.count)
            .map(|index| read_one(&self.0, &header, index))
            .collect()
    }
}

fn read_header(file: &File) -> io::Result<Header> {
    let mut bytes = [0; 24];
    file.read_exact_at(&mut bytes, 0)?;
    let field = |index: usize| u32_at(&bytes, index * 4);
    Ok(Header {
        name_size: field(1) as usize,
        count: field(2) as usize,
        descriptors: field(4).into(),
        data: field(5).into(),
    })
}

fn read_one(file: &File, header: &Header, index: usize) -> io::Result<Statistic> {
    // `struct kvm_stats_desc`: flags, exponent, size, offset, bucket_size, then the name.
    const FIXED: usize = 16;
    let mut descriptor = vec![0; FIXED + header.name_size];
    let place = header.descriptors + (index * descriptor.len()) as u64;
    file.read_exact_at(&mut descriptor, place)?;
    let offset = u64::from(u32_at(&descriptor, 8));
    let mut value = [0; 8];
    file.read_exact_at(&mut value, header.data + offset)?;
    let name = descriptor.split_off(FIXED);
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Statistic {
        name: String::from_utf8_lossy(name).into_owned(),
        value: u64::from_ne_bytes(value),
    })
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..offset + 4).unwrap_or_default();
    u32::from_ne_bytes(field.try_into().unwrap_or_default())
}
