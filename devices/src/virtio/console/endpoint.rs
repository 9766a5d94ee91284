//! The host's end of a port: where output goes, where input comes from.
//!
//! It knows no queue and no guest.

mod file;
mod pty;
mod socket;
mod stdio;
mod stream;

pub use file::OutputFile;
pub use pty::Pty;
pub use socket::{Socket, SocketError};
pub use stdio::Stdio;
pub use stream::Stream;

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

use crate::virtio::HostFd;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// How many characters a line has.
    pub columns: u16,
    /// How many lines there are.
    pub rows: u16,
}

impl WindowSize {
    /// The size of `terminal`, if it is one that knows it.
    pub fn of(terminal: impl AsFd) -> Option<Self> {
        let size = tcgetwinsize(terminal).ok()?;
        let known = size.ws_col > 0 && size.ws_row > 0;
        known.then_some(Self {
            columns: size.ws_col,
            rows: size.ws_row,
        })
    }
}

/// The host's end of a port.
///
/// No method may wait: the disks are served by the same thread. Input is tried again after
/// one of `host_fds` that are watched for it became ready, and output likewise; and both
/// whenever the guest has room for some, or some to give.
pub trait Endpoint: Send {
    /// The host files to be watched, the same all its life long. One that stands for several
    /// is watched for both.
    fn host_fds(&self) -> Vec<HostFd>;

    /// Looks after itself once one of `host_fds` that are watched for input became ready: takes the next client,
    /// drops one that has gone. Makes one such change in a call, so that none goes unseen.
    fn update(&mut self) {}

    /// Fills the beginning of `buffer` with input; returns how much there was.
    fn read(&mut self, buffer: &mut [u8]) -> usize;

    /// Takes output from the beginning of `bytes`; returns how much there was room for.
    ///
    /// Where nobody is there to take it, all of it is discarded.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// Whether somebody is there.
    fn is_connected(&self) -> bool {
        true
    }

    /// The size of the terminal there, if it is one.
    fn size(&self) -> Option<WindowSize> {
        None
    }
}
