//! Host files that bytes come from and go to, without ever waiting for either.
//!
//! It knows no guest. Standard streams are shared with other processes, so O_NONBLOCK is
//! never set on them: each access asks poll first and takes no more than that promised.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{isatty, tcgetpgrp};

/// What a file that is ready takes without blocking: PIPE_BUF of Linux; sockets take more.
const CHUNK: usize = 4096;

/// Edits input in place; returns how many bytes at the beginning are left to be used.
pub type Filter = Box<dyn FnMut(&mut [u8]) -> usize + Send>;

/// A host file that input comes from.
pub struct HostInput {
    file: OwnedFd,
    filter: Option<Filter>,
    is_terminal: bool,
    ended: bool,
}

impl HostInput {
    /// Input from `file`: a terminal, a pipe, a socket, anything.
    pub fn new(file: OwnedFd) -> Self {
        Self {
            is_terminal: isatty(&file),
            file,
            filter: None,
            ended: false,
        }
    }

    /// This process's standard input.
    ///
    /// # Errors
    /// It is closed, or the host has no file descriptor left.
    pub fn stdin() -> io::Result<Self> {
        let file = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self::new(file))
    }

    /// Lets `filter` see all input first.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Fills the beginning of `buffer` with what is there; returns how much that is.
    ///
    /// Zero says that there is nothing now; after the end of the input it stays so.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        while !buffer.is_empty() && self.may_read() {
            match rustix::io::read(&self.file, &mut *buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => match self.filter(buffer.get_mut(..count).unwrap_or_default()) {
                    0 => {}
                    left => return left,
                },
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // A terminal that was hung up, a connection that was reset.
                Err(error) => {
                    log::debug!("input has ended: {error}");
                    self.ended = true;
                }
            }
        }
        0
    }

    /// Whether its end has been read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn may_read(&self) -> bool {
        !self.ended
            && is_ready(self.file.as_fd(), PollFlags::IN)
            && (!self.is_terminal || in_foreground(self.file.as_fd()))
    }

    fn filter(&mut self, input: &mut [u8]) -> usize {
        match &mut self.filter {
            Some(filter) => filter(input),
            None => input.len(),
        }
    }
}

impl AsFd for HostInput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for HostInput {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// A host file that output goes to.
pub struct HostOutput {
    file: OwnedFd,
    told: bool,
}

impl HostOutput {
    /// Output to `file`: a terminal, a pipe, a socket, a regular file.
    pub fn new(file: OwnedFd) -> Self {
        Self {
            file: own_terminal(&file).unwrap_or(file),
            told: false,
        }
    }

    /// This process's standard output.
    ///
    /// # Errors
    /// It is closed, or the host has no file descriptor left.
    pub fn stdout() -> io::Result<Self> {
        let file = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(file))
    }

    /// Writes what the file takes without blocking; returns how much that is.
    ///
    /// If the file takes nothing any more (a pipe without a reader, a full disk), `bytes`
    /// are discarded and count as written; the first time that is logged.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.try_write(bytes).unwrap_or_else(|error| {
            self.tell(error);
            bytes.len()
        })
    }

    /// Writes what the file takes without blocking; returns how much that is.
    ///
    /// # Errors
    /// The file takes nothing any more: a pipe without a reader, a full disk.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut rest = bytes;
        while !rest.is_empty() && is_ready(self.file.as_fd(), PollFlags::OUT) {
            let chunk = rest.get(..CHUNK).unwrap_or(rest);
            match rustix::io::write(&self.file, chunk) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    fn tell(&mut self, error: Errno) {
        if !std::mem::replace(&mut self.told, true) {
            log::warn!("the guest's output is lost: cannot write it: {error}");
        }
    }
}

impl AsFd for HostOutput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for HostOutput {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Whether `file` is ready for one of `events` now, or for telling why it never will be.
fn is_ready(file: BorrowedFd<'_>, events: PollFlags) -> bool {
    readiness(file, events).intersects(events | PollFlags::HUP | PollFlags::ERR)
}

/// Which of `events` (HUP and ERR always among them) `file` is ready for now.
pub(crate) fn readiness(file: BorrowedFd<'_>, events: PollFlags) -> PollFlags {
    let mut files = [PollFd::from_borrowed_fd(file, events)];
    let now = Timespec::default();
    match poll(&mut files, Some(&now)) {
        Ok(_) => files.map(|file| file.revents())[0],
        Err(_) => PollFlags::empty(),
    }
}

/// Whether `terminal` is ours now: the kernel stops a background job that reads it or sets
/// it up.
pub fn in_foreground(terminal: impl AsFd) -> bool {
    // A terminal that does not control us has no foreground that concerns us.
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == getpgrp())
}

/// Opens the terminal `file` anew, so that it can be ours alone and never block.
///
/// A terminal, unlike a pipe, does not promise how much it takes when it is ready. `None`
/// for all that is no terminal, and where there is no /proc.
fn own_terminal(file: &OwnedFd) -> Option<OwnedFd> {
    // A pseudo-terminal's master cannot be opened twice: that makes another one.
    if !isatty(file) || rustix::pty::ptsname(file, Vec::new()).is_ok() {
        return None;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests;
