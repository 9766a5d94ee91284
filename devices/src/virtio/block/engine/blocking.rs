//! Jobs done by this thread, one at a time: works everywhere.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{DEPTH, Engine, Finished, Job};

/// An engine that does each job as it is started.
pub struct Blocking<T> {
    file: Arc<File>,
    finished: VecDeque<Finished<T>>,
}

impl<T> Blocking<T> {
    /// An engine for `file`.
    pub fn new(file: Arc<File>) -> Self {
        let finished = VecDeque::new();
        Self { file, finished }
    }
}

impl<T: Send> Engine<T> for Blocking<T> {
    fn has_room(&self) -> bool {
        self.finished.len() < DEPTH.into()
    }

    fn start(&mut self, mut job: Job<T>) {
        let result = job.run(&self.file);
        self.finished.push_back((job, result));
    }

    fn submit(&mut self) {}

    fn finished(&mut self) -> Option<Finished<T>> {
        self.finished.pop_front()
    }

    fn in_flight(&self) -> usize {
        self.finished.len()
    }

    fn wait(&mut self) -> io::Result<()> {
        Ok(())
    }
}
