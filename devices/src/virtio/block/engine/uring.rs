//! Jobs done by the kernel, many at a time: io_uring.
//!
//! What the page cache can do at once does not enter the ring; the ring is for what takes
//! time.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};
use rustix::fs::FallocateFlags;
use vmm_sys_util::eventfd::EventFd;

use super::page_cache::PageCache;
use super::{Action, DEPTH, Engine, Finished, Job, PUNCH_HOLE, Step, write_flags, zero_flags};

/// The most threads that the kernel makes for what it cannot do without waiting (flushes,
/// durable writes), for files and for the rest.
const WORKERS: [u32; 2] = [2, 2];

/// An engine on an io_uring of its own.
pub struct Uring<T> {
    ring: IoUring,
    file: Arc<File>,
    cache: PageCache,
    /// The jobs that the kernel may be working on; they stay until it says that it is not.
    jobs: Vec<Option<Job<T>>>,
    free: Vec<u16>,
    finished: VecDeque<Finished<T>>,
}

impl<T: Send> Uring<T> {
    /// An engine for `file` that writes `event` when the kernel has done a job.
    ///
    /// # Errors
    /// The kernel has no io_uring, or forbids it.
    pub fn new(file: Arc<File>, event: &EventFd) -> io::Result<Self> {
        let ring = IoUring::builder().dontfork().build(DEPTH.into())?;
        ring.submitter().register_eventfd(event.as_raw_fd())?;
        // Linux before 5.15 has no limit to set; it has threads enough, then.
        let _ = ring.submitter().register_iowq_max_workers(&mut { WORKERS });
        Ok(Self {
            ring,
            cache: PageCache::new(file.clone()),
            file,
            jobs: (0..DEPTH).map(|_| None).collect(),
            free: (0..DEPTH).collect(),
            finished: VecDeque::new(),
        })
    }

    fn push(&mut self, job: Job<T>) {
        let Some(slot) = self.free.pop() else {
            let full = io::ErrorKind::WouldBlock.into();
            return self.finished.push_back((job, Err(full)));
        };
        let entry = entry(&self.file, &job).user_data(slot.into());
        if let Some(place) = self.jobs.get_mut(usize::from(slot)) {
            *place = Some(job);
        }
        self.push_entry(&entry);
    }

    #[allow(
        unsafe_code,
        reason = "the ring takes addresses, as its system calls do"
    )]
    fn push_entry(&mut self, entry: &Entry) {
        // SAFETY: the file and the buffers of the entry belong to a job in `jobs`, which
        // keeps them until the kernel has returned the entry, even when `self` is dropped.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.expect("the ring has as many entries as there are slots");
    }

    /// Takes what the kernel has done from the ring.
    fn reap(&mut self) {
        while let Some((slot, result)) = self.next_completion() {
            let Some(mut job) = self.take_job(slot) else {
                continue;
            };
            let count = usize::try_from(result)
                .map_err(|_| io::Error::from_raw_os_error(result.saturating_neg()));
            match job.step(count) {
                Step::Done(result) => self.finished.push_back((job, result)),
                Step::Again => {
                    self.push(job);
                    self.submit();
                }
            }
        }
    }
}

impl<T> Uring<T> {
    fn next_completion(&mut self) -> Option<(u64, i32)> {
        let completion = self.ring.completion().next()?;
        Some((completion.user_data(), completion.result()))
    }

    fn take_job(&mut self, slot: u64) -> Option<Job<T>> {
        let slot = u16::try_from(slot).ok()?;
        let job = self.jobs.get_mut(usize::from(slot))?.take()?;
        self.free.push(slot);
        Some(job)
    }

    fn in_kernel(&self) -> usize {
        usize::from(DEPTH).saturating_sub(self.free.len())
    }

    /// Enters the kernel until it has taken all entries, and `want` jobs are done.
    fn enter(&mut self, want: usize) -> io::Result<()> {
        loop {
            match self.ring.submit_and_wait(want) {
                Ok(_) if self.ring.submission().is_empty() => return Ok(()),
                Ok(_) => {}
                Err(error) if is_passing(&error) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the kernel could not take the entries only just now.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}

impl<T: Send> Engine<T> for Uring<T> {
    fn has_room(&self) -> bool {
        !self.free.is_empty() && self.finished.len() < DEPTH.into()
    }

    fn start(&mut self, mut job: Job<T>) {
        let count = self.cache.transfer(&job);
        match job.advance(count) {
            Step::Done(result) if count > 0 => self.finished.push_back((job, result)),
            _ => self.push(job),
        }
    }

    fn submit(&mut self) {
        if self.ring.submission().is_empty() {
            return;
        }
        if let Err(error) = self.enter(0) {
            log::error!("a disk's io_uring is broken: {error}");
        }
    }

    fn finished(&mut self) -> Option<Finished<T>> {
        if self.finished.is_empty() {
            self.reap();
        }
        self.finished.pop_front()
    }

    fn in_flight(&self) -> usize {
        self.in_kernel().saturating_add(self.finished.len())
    }

    fn wait(&mut self) -> io::Result<()> {
        if self.finished.is_empty() && self.in_kernel() > 0 {
            self.enter(1)?;
        }
        Ok(())
    }
}

impl<T> Drop for Uring<T> {
    /// The buffers of what is in flight belong to the kernel until it is done.
    fn drop(&mut self) {
        while self.in_kernel() > 0 {
            if self.enter(1).is_err() {
                // The kernel may still write to the buffers: they are never given back.
                std::mem::forget(std::mem::take(&mut self.jobs));
                return;
            }
            while let Some((slot, _)) = self.next_completion() {
                self.take_job(slot);
            }
        }
    }
}

fn entry<T>(file: &File, job: &Job<T>) -> Entry {
    let fd = types::Fd(file.as_raw_fd());
    let parts = job.buffers.rest();
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    match job.action {
        Action::Read => opcode::Readv::new(fd, parts.as_ptr(), count)
            .offset(job.offset)
            .build(),
        Action::Write { durable } => opcode::Writev::new(fd, parts.as_ptr(), count)
            .offset(job.offset)
            .rw_flags(write_flags(durable))
            .build(),
        Action::Sync => opcode::Fsync::new(fd)
            .flags(types::FsyncFlags::DATASYNC)
            .build(),
        Action::Discard { len } => allocate(fd, PUNCH_HOLE, job.offset, len),
        Action::Zero { len, unmap } => allocate(fd, zero_flags(unmap), job.offset, len),
    }
}

fn allocate(fd: types::Fd, flags: FallocateFlags, offset: u64, len: u64) -> Entry {
    let mode = i32::try_from(flags.bits()).unwrap_or(0);
    opcode::Fallocate::new(fd, len)
        .offset(offset)
        .mode(mode)
        .build()
}
