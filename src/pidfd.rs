//! A process, held by a file descriptor: a number that is used again by another process cannot
//! fool us.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::ptr::null;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};

/// A process, our child.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    fd: OwnedFd,
}

impl Process {
    /// That of this number: nobody but us may wait for it.
    ///
    /// # Errors
    /// There is none, or the host has no file descriptor left.
    pub fn open(pid: Pid) -> io::Result<Self> {
        let fd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, fd })
    }

    /// Takes `child` over, which is killed if that cannot be done.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn of(mut child: Child) -> io::Result<Self> {
        Self::open(Pid::from_child(&child)).inspect_err(|_| {
            // Nobody would ever hear of its end.
            let _ = child.kill();
            let _ = child.wait();
        })
    }

    /// Its number, as the host counts.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable once it has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Sends it the signal of this number, a real-time one as well; one that has ended hears
    /// nothing.
    ///
    /// # Errors
    /// The number is no signal's, or the signal is not ours to send.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        match send(&self.fd, number) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Waits for its end, which can be told only once.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            match waitid(WaitId::PidFd(self.fd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => return Ok(exit_status(&status)),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Ends it, if it has not ended, and lets nothing of it stay.
    pub fn kill(&self) {
        let _ = self.signal(libc::SIGKILL);
        let _ = self.wait();
    }
}

/// `pidfd_send_signal(2)`, which has no wrapper that takes every number.
fn send(process: &OwnedFd, signal: i32) -> io::Result<()> {
    let fd = process.as_raw_fd();
    let no_info = null::<libc::siginfo_t>();
    // SAFETY: without information about the signal it reads no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let signal = status.terminating_signal();
    let code = status.exit_status().unwrap_or_default();
    // wait(2): the low byte is the signal's number, the next one the status.
    ExitStatus::from_raw(signal.unwrap_or(code << 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn process(script: &str) -> Process {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        Process::of(child).unwrap()
    }

    #[test]
    fn its_status_is_told() {
        assert_eq!(process("exit 5").wait().unwrap().code(), Some(5));
    }

    #[test]
    fn every_signal_can_be_sent() {
        for signal in [libc::SIGTERM, libc::SIGRTMIN(), libc::SIGRTMAX()] {
            let process = process("exec sleep 1000");
            process.signal(signal).unwrap();
            assert_eq!(process.wait().unwrap().signal(), Some(signal));
        }
    }

    #[test]
    fn one_that_has_ended_hears_nothing() {
        let process = process("exit 0");
        process.wait().unwrap();
        process.signal(libc::SIGTERM).unwrap();
    }

    #[test]
    fn a_number_that_is_no_signal_is_refused() {
        let process = process("exec sleep 1000");
        assert!(process.signal(65).is_err());
        process.kill();
    }
}
