//! A new pseudo-terminal, for a program on the host to open.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::event::PollFlags;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::{Endpoint, WindowSize};
use crate::host_io::readiness;
use crate::virtio::HostFd;

const FLAGS: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);

/// The master of a pseudo-terminal; it survives that the other side comes and goes.
///
/// While nobody has the other side open, output is discarded.
pub struct Pty {
    master: OwnedFd,
    path: PathBuf,
}

impl Pty {
    /// Makes a pseudo-terminal.
    ///
    /// # Errors
    /// The host has none left, or no devpts.
    pub fn open() -> io::Result<Self> {
        let master = openpt(FLAGS)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        // The master is ours alone: nobody else sees that it does not block.
        rustix::io::ioctl_fionbio(&master, true)?;
        let path = OsString::from_vec(ptsname(&master, Vec::new())?.into_bytes());
        make_raw(ioctl_tiocgptpeer(&master, FLAGS)?)?;
        Ok(Self {
            master,
            path: path.into(),
        })
    }

    /// What the other side is opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Without this the terminal would echo all output as input.
///
/// That the slave is closed again also matters: until the first close, the master cannot
/// be told from one with somebody on the other side.
fn make_raw(slave: OwnedFd) -> rustix::io::Result<()> {
    let mut settings = tcgetattr(&slave)?;
    settings.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &settings)
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

impl Endpoint for Pty {
    fn host_fds(&self) -> Vec<HostFd> {
        vec![HostFd::both(&self.master)]
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        // An error is that nothing is there, or nobody.
        rustix::io::read(&self.master, buffer).unwrap_or(0)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        if self.is_connected() {
            rustix::io::write(&self.master, bytes).unwrap_or(0)
        } else {
            bytes.len()
        }
    }

    fn is_connected(&self) -> bool {
        !readiness(self.master.as_fd(), PollFlags::empty()).contains(PollFlags::HUP)
    }

    fn size(&self) -> Option<WindowSize> {
        WindowSize::of(&self.master)
    }
}
