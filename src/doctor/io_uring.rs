//! Whether this process may set up an io_uring.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use serde::Serialize;

/// What became of setting one up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IoUring {
    /// Whether it works.
    pub usable: bool,
    /// `kernel.io_uring_disabled`, where the kernel has it (since Linux 6.6).
    pub disabled: Option<u8>,
    /// Why it does not work.
    pub problem: Option<String>,
}

/// Sets one up, and closes it again.
pub fn examine() -> IoUring {
    let sysctl = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    let disabled = sysctl.and_then(|text| text.trim().parse().ok());
    let failure = set_up().err();
    IoUring {
        usable: failure.is_none(),
        disabled,
        problem: failure.map(|error| explain(&error, disabled)),
    }
}

fn set_up() -> io::Result<OwnedFd> {
    const ENTRIES: libc::c_uint = 1;
    // `struct io_uring_params`: zeroed for the defaults.
    let mut parameters = [0u64; 15];
    // SAFETY: the kernel reads and writes the 120 bytes of the structure, all of this array.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut parameters) };
    match RawFd::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn explain(error: &io::Error, disabled: Option<u8>) -> String {
    match (error.raw_os_error(), disabled) {
        (Some(libc::ENOSYS), _) => "the kernel has none, or a seccomp filter hides it".to_owned(),
        (Some(libc::EPERM), Some(2)) => {
            "switched off: sudo sysctl kernel.io_uring_disabled=0".to_owned()
        }
        (Some(libc::EPERM), Some(1)) => {
            "only for CAP_SYS_ADMIN and the group of kernel.io_uring_group: \
             sudo sysctl kernel.io_uring_disabled=0"
                .to_owned()
        }
        (Some(libc::EPERM), _) => "a seccomp filter forbids it".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: i32, disabled: Option<u8>) -> String {
        explain(&io::Error::from_raw_os_error(errno), disabled)
    }

    #[test]
    fn a_refusal_names_the_switch_or_the_filter() {
        assert!(explained(libc::EPERM, Some(2)).contains("sysctl"));
        assert!(explained(libc::EPERM, Some(0)).contains("seccomp"));
    }

    #[test]
    fn what_is_reported_is_one_of_two() {
        let report = examine();
        assert_eq!(report.usable, report.problem.is_none());
    }
}
