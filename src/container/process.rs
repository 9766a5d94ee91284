//! A process of a container, held by a file descriptor: a number that is used again by another
//! process cannot fool us.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal,
    waitid,
};

use super::ContainerError;

/// A process, our child.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    fd: OwnedFd,
}

impl Process {
    /// That of this number: nobody but us may wait for it.
    pub(super) fn open(pid: i32) -> Result<Self, ContainerError> {
        let failed = |error| ContainerError::Process(pid, error);
        let number = Pid::from_raw(pid).ok_or_else(|| failed(Errno::SRCH.into()))?;
        let fd = pidfd_open(number, PidfdFlags::empty()).map_err(|e| failed(e.into()))?;
        Ok(Self { pid: number, fd })
    }

    /// Its number, as the host counts.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable once it has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended, or the number is no signal's.
    pub fn signal(&self, number: i32) -> Result<(), ContainerError> {
        let signal = Signal::from_named_raw(number).ok_or(Errno::INVAL);
        signal
            .and_then(|signal| pidfd_send_signal(&self.fd, signal))
            .map_err(|errno| self.failed(errno))
    }

    /// Waits for its end, which can be told only once.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn wait(&self) -> Result<ExitStatus, ContainerError> {
        loop {
            match waitid(WaitId::PidFd(self.fd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => return Ok(exit_status(&status)),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
        }
    }

    /// Ends it, if it has not ended, and lets nothing of it stay.
    pub(super) fn kill(&self) {
        let _ = pidfd_send_signal(&self.fd, Signal::KILL);
        let _ = self.wait();
    }

    fn failed(&self, errno: Errno) -> ContainerError {
        ContainerError::Process(self.pid.as_raw_nonzero().get(), io::Error::from(errno))
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let signal = status.terminating_signal();
    let code = status.exit_status().unwrap_or_default();
    // wait(2): the low byte is the signal's number, the next one the status.
    ExitStatus::from_raw(signal.unwrap_or(code << 8))
}
