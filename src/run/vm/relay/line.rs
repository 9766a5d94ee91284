//! How a session's end is told to whoever waits for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use wire::Exited;

/// How a session ended: by its command, or for a reason that is not the command's.
pub type End = Result<Exited, String>;

/// The end of a line that tells. Whatever happens to it, something is told.
pub struct Teller(Arc<Line>);

/// A line on which the end of one session is told, once.
pub struct Line {
    end: Mutex<Option<End>>,
    event: OwnedFd,
}

impl Line {
    /// A line on which nothing has been told.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            end: Mutex::default(),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// The end that tells.
    pub fn teller(self: &Arc<Self>) -> Teller {
        Teller(self.clone())
    }

    fn tell(&self, end: End) {
        let mut told = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert(end);
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// What has been told.
    pub fn told(&self) -> Option<End> {
        let told = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    /// Waits until it is told.
    pub fn wait(&self) -> End {
        loop {
            if let Some(end) = self.wait_until(None) {
                return end;
            }
        }
    }

    /// Waits until it is told, and no longer than `time`.
    pub fn wait_for(&self, time: Duration) -> Option<End> {
        self.wait_until(Timespec::try_from(time).ok())
    }

    fn wait_until(&self, time: Option<Timespec>) -> Option<End> {
        // If a signal interrupts this, it is as if nothing had been told yet.
        let _ = poll(
            &mut [PollFd::new(&self.event, PollFlags::IN)],
            time.as_ref(),
        );
        self.told()
    }
}

impl Teller {
    /// Tells the end; only the first one counts.
    pub fn tell(&self, end: End) {
        self.0.tell(end);
    }

    /// Whether it has been told.
    pub fn has_told(&self) -> bool {
        self.0.told().is_some()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err("the guest is gone".to_owned()));
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
