//! Signals as events: blocked in every thread, read from a file descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Those that are not ours but the command's, whoever of us they are sent to.
pub const PASSED_ON: [i32; 6] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTERM,
];

/// Signals that arrive as events of a file descriptor.
pub struct SignalFd(File);

impl SignalFd {
    /// Takes `signals` from this thread, and from all that it starts later, and makes them
    /// readable here.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let set = block(signals);
        let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
        // SAFETY: the set is initialized, and -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// The next signal that has arrived.
    pub fn take(&self) -> Option<i32> {
        // `struct signalfd_siginfo` begins with the signal's number.
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        (&self.0).read_exact(&mut info).ok()?;
        let number = info.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        i32::try_from(number?).ok()
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for SignalFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<SignalFd> for OwnedFd {
    fn from(signals: SignalFd) -> Self {
        signals.0.into()
    }
}

/// Blocks `signals` in this thread and in all that it starts later; returns them as a set.
pub fn block(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initializes what it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it has just been initialized.
    let mut set = unsafe { set.assume_init() };
    for signal in signals {
        // SAFETY: `set` is an initialized signal set; a wrong number is only refused.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    // SAFETY: the set is initialized, and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_becomes_readable_instead_of_ending_the_process() {
        let signals = SignalFd::new(&[libc::SIGUSR2]).unwrap();
        assert_eq!(signals.take(), None);
        // SAFETY: the signal goes to this thread, which has blocked it.
        unsafe { libc::raise(libc::SIGUSR2) };
        assert_eq!(signals.take(), Some(libc::SIGUSR2));
    }
}
