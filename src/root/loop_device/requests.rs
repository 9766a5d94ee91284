//! The three requests of loop.h that are used. It decides nothing.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::AsRawFd;

use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO, LO_FLAGS_READ_ONLY, LOOP_CONFIGURE, LOOP_CTL_GET_FREE,
    LOOP_GET_STATUS64, loop_config, loop_info64,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Result;
use rustix::ioctl::{Getter, Ioctl, IoctlOutput, Opcode, Setter, ioctl};

/// The bit of `lo_flags` that says that nobody writes by this device.
pub(super) const READ_ONLY: u32 = LO_FLAGS_READ_ONLY as u32;
const AUTOCLEAR: u32 = LO_FLAGS_AUTOCLEAR as u32;
const DIRECT_IO: u32 = LO_FLAGS_DIRECT_IO as u32;

/// The number of a device that shows no file now; the kernel makes one if there is none.
pub(super) fn free_number(control: &File) -> Result<u32> {
    // SAFETY: the request is what its type says.
    unsafe { ioctl(control, GetFree) }
}

/// What `device` shows.
pub(super) fn status(device: &File) -> Result<loop_info64> {
    // SAFETY: loop.h: LOOP_GET_STATUS64 writes one loop_info64.
    let request = unsafe { Getter::<{ LOOP_GET_STATUS64 }, loop_info64>::new() };
    // SAFETY: the request owns what it writes to.
    unsafe { ioctl(device, request) }
}

/// Has `device` show `backing` from now until its last user has gone.
pub(super) fn configure(device: &File, backing: &File, read_only: bool) -> Result<()> {
    let mut config = empty_config();
    config.fd = backing.as_raw_fd().unsigned_abs();
    config.info.lo_flags = AUTOCLEAR;
    if read_only {
        config.info.lo_flags |= READ_ONLY;
    }
    if takes_direct_io(backing) {
        config.info.lo_flags |= DIRECT_IO;
    }
    // SAFETY: loop.h: LOOP_CONFIGURE reads one loop_config.
    let request = unsafe { Setter::<{ LOOP_CONFIGURE }, loop_config>::new(config) };
    // SAFETY: the request owns what is read.
    unsafe { ioctl(device, request) }
}

/// Whether the file can be read past the page cache. The kernel asks the file system; an
/// overlay says yes for a file of a tmpfs, and fails the reads (Linux 6.1).
fn takes_direct_io(backing: &File) -> bool {
    #[repr(align(4096))]
    struct Block([u8; 4096]);
    let path = format!("/proc/self/fd/{}", backing.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let mut block = Block([0; 4096]);
    let opened = rustix::fs::open(path, flags, Mode::empty());
    opened.is_ok_and(|file| rustix::io::pread(&file, &mut block.0, 0).is_ok())
}

fn empty_config() -> loop_config {
    // SAFETY: loop.h: numbers and arrays of numbers, for which zero means "not set".
    unsafe { std::mem::zeroed() }
}

/// Answered by its return value, which rustix has no pattern for.
struct GetFree;

// SAFETY: loop.h: LOOP_CTL_GET_FREE takes nothing, and returns a number that is not negative.
unsafe impl Ioctl for GetFree {
    type Output = u32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        LOOP_CTL_GET_FREE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(returned: IoctlOutput, _: *mut c_void) -> Result<u32> {
        Ok(returned.unsigned_abs())
    }
}
