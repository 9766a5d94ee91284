//! More requests than the engine takes at a time.

use std::io;

use super::super::engine::{Finished, Job};
use super::*;

/// An engine with room for one job, which is done when the event loop asks for it.
struct Narrow {
    file: Arc<File>,
    event: EventFd,
    job: Option<Job<Ticket>>,
    is_done: bool,
}

impl Engine<Ticket> for Narrow {
    fn has_room(&self) -> bool {
        self.job.is_none()
    }

    fn start(&mut self, job: Job<Ticket>) {
        self.job = Some(job);
        self.is_done = false;
    }

    fn submit(&mut self) {
        self.event.write(1).unwrap();
    }

    fn finished(&mut self) -> Option<Finished<Ticket>> {
        if std::mem::replace(&mut self.is_done, true) {
            let mut blocking = Blocking::new(self.file.clone());
            blocking.start(self.job.take()?);
            return blocking.finished();
        }
        None
    }

    fn in_flight(&self) -> usize {
        self.job.iter().count()
    }

    fn wait(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn requests_that_find_no_room_in_the_engine_are_served_later() {
    let image = image();
    let mut options = options(image.as_path());
    options.queues = 2;
    let block = Block::with_engine(&options, |disk, event| {
        Box::new(Narrow {
            file: disk.file().clone(),
            event: event.try_clone().unwrap(),
            job: None,
            is_done: false,
        })
    });
    let mut driver = Driver::new(block.unwrap());
    driver.start(ALL_FEATURES);
    let header = driver.store(&header(VIRTIO_BLK_T_IN, 9));
    let room = driver.alloc(513);
    let chain = [Buffer::readable(header, 16), Buffer::writable(room, 513)];
    for queue in [0, 0, 1, 1, 1] {
        driver.ring(queue).add(&chain);
    }
    driver.kick(0);
    driver.kick(1);
    for queue in [0, 0, 1, 1, 1] {
        assert_eq!(driver.wait(queue).len, 513);
    }
}
