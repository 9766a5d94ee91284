//! What the host's page cache can do at once, so that it is not worth a ring.
//!
//! A read of cached data and a write into the cache are copies. A ring would hand most
//! writes to a thread, since few file systems promise not to wait; that costs far more than
//! the copy (`cargo bench`, "block"). So writes are done here until one did wait.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::{Action, Job};

/// The page cache in front of a file.
pub struct PageCache {
    file: Arc<File>,
    serves_reads: bool,
    serves_writes: bool,
    /// How many writes are left to the ring, since the last one here had to wait.
    pause: u16,
}

/// A write that takes longer has waited for the medium.
const SLOW: Duration = Duration::from_millis(2);
/// How many writes the ring gets before one is tried here again.
const PAUSE: u16 = 512;

impl PageCache {
    /// The cache of `file`, unused if it was opened to pass by it.
    pub fn new(file: Arc<File>) -> Self {
        let flags = rustix::fs::fcntl_getfl(&file).unwrap_or(OFlags::DIRECT);
        let is_used = !flags.contains(OFlags::DIRECT);
        Self {
            file,
            serves_reads: is_used,
            serves_writes: is_used,
            pause: 0,
        }
    }

    /// Transfers what needs no waiting; returns how many bytes, zero if the ring is better.
    pub fn transfer<T>(&mut self, job: &Job<T>) -> usize {
        match job.action {
            Action::Read if self.serves_reads => self.read(job),
            Action::Write { durable: false } if self.serves_writes => self.write(job),
            _ => 0,
        }
    }

    fn read<T>(&mut self, job: &Job<T>) -> usize {
        let buffers = &job.buffers;
        let result = buffers.read_from(&self.file, job.offset, libc::RWF_NOWAIT);
        result.unwrap_or_else(|error| {
            // Where the file system has no such thing, it is not asked again.
            self.serves_reads = error.raw_os_error() != Some(libc::EOPNOTSUPP);
            0
        })
    }

    fn write<T>(&mut self, job: &Job<T>) -> usize {
        if let Some(rest) = self.pause.checked_sub(1) {
            self.pause = rest;
            return 0;
        }
        let begin = Instant::now();
        let result = job.buffers.write_to(&self.file, job.offset, 0);
        self.note_write(begin.elapsed());
        // What went wrong goes wrong in the ring again, and is told from there.
        result.unwrap_or(0)
    }

    fn note_write(&mut self, duration: Duration) {
        if duration > SLOW {
            self.pause = PAUSE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use vm_memory::{Bytes, GuestAddress};
    use vmm_sys_util::tempfile::TempFile;

    use super::*;
    use crate::Memory;
    use crate::virtio::block::guest_buffers::GuestBuffers;
    use crate::virtio::block::segments::Segment;

    fn job(action: Action) -> Job<()> {
        let memory = Memory::from_ranges(&[(GuestAddress(0), 4096)]).unwrap();
        memory.write_slice(&[7; 512], GuestAddress(0)).unwrap();
        let segment = Segment {
            address: GuestAddress(0),
            len: 512,
        };
        Job {
            action,
            offset: 0,
            buffers: GuestBuffers::new(&Arc::new(memory), &[segment]).unwrap(),
            ticket: (),
        }
    }

    fn cache() -> PageCache {
        let file = TempFile::new().unwrap().into_file();
        file.write_all_at(&[1; 512], 0).unwrap();
        PageCache::new(Arc::new(file))
    }

    #[test]
    fn a_write_is_done_at_once_unless_it_is_to_be_durable() {
        let mut cache = cache();
        assert_eq!(cache.transfer(&job(Action::Write { durable: false })), 512);
        assert_eq!(cache.transfer(&job(Action::Write { durable: true })), 0);
    }

    #[test]
    fn after_a_write_that_waited_the_ring_gets_the_next_ones() {
        let mut cache = cache();
        cache.note_write(SLOW * 2);
        let write = job(Action::Write { durable: false });
        let done = (0..=PAUSE).map(|_| cache.transfer(&write));
        assert_eq!(done.filter(|count| *count > 0).count(), 1);
    }
}
