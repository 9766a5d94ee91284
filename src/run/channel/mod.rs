//! Channels: byte streams between two instances, and nothing else between them.
//!
//! A command connects to a socket. The first connection of one instance is joined with the
//! first of the other, the second with the second, whatever wall each is behind
//! (decision 0019).
//!
//! - [`name`]: what a channel may be called
//! - [`door`]: where the commands of an instance connect
//! - [`seat`]: who may be at a channel, and how two processes of ours find each other
//! - [`post`]: how connections come from one of them to the other
//! - [`joint`]: two connections as one
//! - [`meeting`]: all of them, in their order
//! - [`attendant`]: the thread that serves a channel

mod attendant;
mod door;
mod joint;
mod meeting;
mod name;
mod post;
mod seat;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};

use super::instance::Entry;
use attendant::Attendant;
use seat::Seat;

pub use door::Doors;
pub use name::{ChannelName, ChannelNameError};
pub use seat::clear;

/// How many channels an instance may have: each of their connections is an open file.
const MAX_CHANNELS: usize = 16;

/// Why a channel cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Two are at it.
    #[error("channel {name} has two ends already, {first} and {second}: choose another name")]
    Full {
        /// Which one.
        name: ChannelName,
        /// An instance at it.
        first: String,
        /// The other.
        second: String,
    },
    /// An instance cannot be both of its ends.
    #[error("channel {0} is named twice: its other end is another instance's")]
    Twice(ChannelName),
    /// There are too many.
    #[error("{0} channels, of which an instance may have {MAX_CHANNELS}")]
    TooMany(usize),
    /// The host does not let us.
    #[error("cannot open channel {0}")]
    Open(ChannelName, #[source] io::Error),
}

/// The channels of an instance. Dropped, they are closed.
#[derive(Default)]
pub struct Channels {
    doors: Option<Doors>,
    attendants: Vec<(ChannelName, Attendant)>,
    serving: Vec<JoinHandle<()>>,
    leaving: Option<Arc<OwnedFd>>,
}

impl Channels {
    /// Takes an end of each of `names` for the instance of `entry`. From now on, its commands
    /// can connect.
    ///
    /// # Errors
    /// One cannot be had; none is taken.
    pub fn open(names: &[ChannelName], entry: &Entry) -> Result<Self, ChannelError> {
        let Some(first) = names.first() else {
            return Ok(Self::default());
        };
        check(names)?;
        let failed = |name: &ChannelName| {
            let name = name.clone();
            |error| ChannelError::Open(name, error)
        };
        let doors = Doors::make(entry.directory()).map_err(failed(first))?;
        let leaving = eventfd(0, EventfdFlags::CLOEXEC);
        let leaving = Arc::new(leaving.map_err(|error| failed(first)(error.into()))?);
        let mut channels = Self {
            doors: Some(doors.clone()),
            attendants: Vec::new(),
            serving: Vec::new(),
            leaving: Some(leaving.clone()),
        };
        for name in names {
            let seat = Seat::take(entry.runtime(), name, entry.name())?;
            let attendant = doors
                .open(name)
                .and_then(|door| Attendant::new(seat, door, leaving.clone()));
            let attendant = attendant.map_err(failed(name))?;
            channels.attendants.push((name.clone(), attendant));
        }
        Ok(channels)
    }

    /// Where the commands of the instance connect, if it has channels.
    pub fn doors(&self) -> Option<&Doors> {
        self.doors.as_ref()
    }

    /// Lets in who has connected: before this, this process needs no thread for it.
    ///
    /// # Errors
    /// The host has no thread left.
    pub fn serve(&mut self) -> Result<(), ChannelError> {
        for (name, attendant) in self.attendants.drain(..) {
            let thread = thread::Builder::new().name("channel".to_owned());
            match thread.spawn(move || attendant.run()) {
                Ok(thread) => self.serving.push(thread),
                Err(error) => return Err(ChannelError::Open(name, error)),
            }
        }
        Ok(())
    }
}

impl Drop for Channels {
    /// Waits until what the commands have said has arrived, and no longer than is polite.
    fn drop(&mut self) {
        if let Some(leaving) = &self.leaving {
            let _ = rustix::io::write(leaving, &1_u64.to_ne_bytes());
        }
        for thread in self.serving.drain(..) {
            let _ = thread.join();
        }
        if let Some(doors) = &self.doors {
            doors.remove();
        }
    }
}

fn check(names: &[ChannelName]) -> Result<(), ChannelError> {
    if names.len() > MAX_CHANNELS {
        return Err(ChannelError::TooMany(names.len()));
    }
    let mut sorted: Vec<&ChannelName> = names.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ChannelError::Twice(pair[0].clone())),
        None => Ok(()),
    }
}

/// The address of the socket `name` in `directory`: one has room for 107 bytes, and this way a
/// directory may have any name.
fn address(directory: &File, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", directory.as_raw_fd())
}

#[cfg(test)]
mod tests;
