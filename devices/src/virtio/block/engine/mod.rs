//! Who carries jobs out on a file: the kernel's io_uring, or this thread.
//!
//! An engine knows files and guest memory, but no request and no queue.

mod blocking;
mod page_cache;
mod uring;

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::FallocateFlags;

pub use blocking::Blocking;
pub use uring::Uring;

use super::guest_buffers::GuestBuffers;

/// How many jobs an engine takes at a time.
pub const DEPTH: u16 = 256;

/// What to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read into the buffers.
    Read,
    /// Write what is in the buffers; if `durable`, down to the medium.
    Write {
        /// Whether it is done only once it is durable.
        durable: bool,
    },
    /// Make durable what was written before.
    Sync,
    /// Give the space of `len` bytes back; they read as zeroes.
    Discard {
        /// How many bytes.
        len: u64,
    },
    /// Let `len` bytes read as zeroes.
    Zero {
        /// How many bytes.
        len: u64,
        /// Whether their space may be given back.
        unmap: bool,
    },
}

/// An action with where and what; `T` says whom to tell.
pub struct Job<T> {
    /// What to do.
    pub action: Action,
    /// Where in the file.
    pub offset: u64,
    /// From where, or to where.
    pub buffers: GuestBuffers,
    /// Whom to tell.
    pub ticket: T,
}

/// A job that is done, with how it went.
pub type Finished<T> = (Job<T>, io::Result<()>);

/// Carries jobs out, in any order.
pub trait Engine<T>: Send {
    /// Whether another job can be started.
    fn has_room(&self) -> bool;

    /// Takes a job; it may wait for `submit`. Call only if there is room.
    fn start(&mut self, job: Job<T>);

    /// Hands the jobs started to whoever does them.
    fn submit(&mut self);

    /// The next job that is done, if there is one.
    fn finished(&mut self) -> Option<Finished<T>>;

    /// How many jobs were started and not returned by `finished`.
    fn in_flight(&self) -> usize;

    /// Waits until `finished` has something to return, if a job is in flight.
    ///
    /// # Errors
    /// It never will have.
    fn wait(&mut self) -> io::Result<()>;
}

/// What a partial transfer leaves to do.
#[derive(Debug)]
enum Step {
    Again,
    Done(io::Result<()>),
}

impl<T> Job<T> {
    /// Takes the result of one attempt.
    fn step(&mut self, result: io::Result<usize>) -> Step {
        match (self.action, result) {
            (_, Err(error)) if error.kind() == io::ErrorKind::Interrupted => Step::Again,
            (_, Err(error)) => Step::Done(Err(error)),
            // The file has become shorter than it was.
            (Action::Read | Action::Write { .. }, Ok(0)) => {
                Step::Done(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            (Action::Read | Action::Write { .. }, Ok(count)) => self.advance(count),
            (_, Ok(_)) => Step::Done(Ok(())),
        }
    }

    fn advance(&mut self, count: usize) -> Step {
        self.offset = self.offset.saturating_add(count as u64);
        self.buffers.advance(count);
        if self.buffers.is_empty() {
            Step::Done(Ok(()))
        } else {
            Step::Again
        }
    }

    /// Does the whole job on this thread.
    fn run(&mut self, file: &File) -> io::Result<()> {
        loop {
            let result = self.attempt(file);
            if let Step::Done(result) = self.step(result) {
                return result;
            }
        }
    }

    fn attempt(&self, file: &File) -> io::Result<usize> {
        match self.action {
            Action::Read => self.buffers.read_from(file, self.offset, 0),
            Action::Write { durable } => {
                self.buffers
                    .write_to(file, self.offset, write_flags(durable))
            }
            Action::Sync => Ok(rustix::fs::fdatasync(file).map(|()| 0)?),
            Action::Discard { len } => self.allocate(file, PUNCH_HOLE, len),
            Action::Zero { len, unmap } => self.allocate(file, zero_flags(unmap), len),
        }
    }

    fn allocate(&self, file: &File, flags: FallocateFlags, len: u64) -> io::Result<usize> {
        Ok(rustix::fs::fallocate(file, flags, self.offset, len).map(|()| 0)?)
    }
}

const PUNCH_HOLE: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
const ZERO_RANGE: FallocateFlags = FallocateFlags::ZERO_RANGE.union(FallocateFlags::KEEP_SIZE);

fn zero_flags(unmap: bool) -> FallocateFlags {
    if unmap { PUNCH_HOLE } else { ZERO_RANGE }
}

fn write_flags(durable: bool) -> i32 {
    if durable { libc::RWF_DSYNC } else { 0 }
}

/// The best engine that the host has: io_uring, which rings `event` when a job is done, or
/// this thread.
pub fn best<T: Send + 'static>(
    file: &Arc<File>,
    event: &vmm_sys_util::eventfd::EventFd,
) -> Box<dyn Engine<T>> {
    match Uring::new(file.clone(), event) {
        Ok(engine) => Box::new(engine),
        Err(error) => {
            log::info!("no io_uring ({error}): the disk is used by system calls that wait");
            Box::new(Blocking::new(file.clone()))
        }
    }
}
