//! Tells when the window changes its size: SIGWINCH, as a file.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use vmm_sys_util::signal::{self, block_signal, create_sigset};

/// Returns a file that is readable after the terminal changed its size.
///
/// The signal is blocked in this thread and those that it starts, so this is to be called
/// before any thread is: one that does not block it would take it away.
///
/// # Errors
/// The host has no file descriptor left.
pub fn watch_resize() -> io::Result<OwnedFd> {
    match block_signal(libc::SIGWINCH) {
        Ok(()) | Err(signal::Error::SignalAlreadyBlocked(_)) => {}
        Err(error) => return Err(io::Error::other(error.to_string())),
    }
    let signals = create_sigset(&[libc::SIGWINCH])?;
    let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
    // SAFETY: `signals` is an initialized set that lives until the call returns.
    let fd = unsafe { libc::signalfd(-1, &raw const signals, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the file descriptor is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::host_io::HostInput;

    #[test]
    fn a_change_of_size_makes_the_file_readable_once() {
        let mut signals = HostInput::new(watch_resize().unwrap());
        let mut buffer = [0; 1024];
        assert_eq!(signals.read(&mut buffer), 0);
        // SAFETY: the call touches no memory.
        unsafe { libc::raise(libc::SIGWINCH) };
        assert!(signals.read(&mut buffer) > 0);
        assert_eq!(signals.read(&mut buffer), 0);
    }
}
