//! What a kernel tells of itself.

use std::fs;
use std::io;

use rustix::system::uname;

use super::found::Found;

pub fn release() -> io::Result<Found> {
    Ok(Found::text(uname().release().to_string_lossy()))
}

pub fn build() -> io::Result<Found> {
    Ok(Found::text(uname().version().to_string_lossy()))
}

pub fn host_name() -> io::Result<Found> {
    Found::text(uname().nodename().to_string_lossy()).of_namespace("uts")
}

pub fn boot_id() -> io::Result<Found> {
    line("/proc/sys/kernel/random/boot_id")
}

pub fn clock_source() -> io::Result<Found> {
    line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

pub fn modules() -> io::Result<Found> {
    let count = match fs::read_to_string("/proc/modules") {
        Ok(modules) => modules.lines().count().to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "it has none".to_owned(),
        Err(error) => return Err(error),
    };
    Ok(Found::text(count))
}

/// syslog(2): reads some of the ring buffer, and takes nothing out of it.
const SYSLOG_ACTION_READ_ALL: i32 = 3;

pub fn messages() -> io::Result<Found> {
    let mut buffer = [0_u8; 1024];
    // SAFETY: the kernel writes no more than `buffer.len()` bytes into `buffer`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_syslog,
            SYSLOG_ACTION_READ_ALL,
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    match result {
        0.. => Ok(Found::text("readable")),
        _ if io::Error::last_os_error().kind() == io::ErrorKind::PermissionDenied => {
            Ok(Found::text("refused"))
        }
        _ => Err(io::Error::last_os_error()),
    }
}

fn line(path: &str) -> io::Result<Found> {
    Ok(Found::text(fs::read_to_string(path)?.trim()))
}
