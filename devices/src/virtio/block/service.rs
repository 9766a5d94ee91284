//! An active disk: takes requests from the queues, has them done, and answers them.

use std::io;
use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use super::SerialNumber;
use super::bounce;
use super::disk::Disk;
use super::engine::{Action, Engine, Finished, Job};
use super::plan::{Plan, Planner, Status};
use super::request::{Malformed, Request};
use super::segments::Segments;
use crate::Memory;
use crate::virtio::{Activation, Progress, RingError, Virtqueue};

/// Whom to answer.
#[derive(Clone, Copy)]
pub struct Ticket {
    queue: usize,
    head: u16,
    status: GuestAddress,
    /// How many bytes of the data are filled if all goes well.
    filled: u32,
}

/// What an active disk needs.
pub struct Service {
    /// What the driver handed over.
    pub activation: Activation,
    /// The disk.
    pub disk: Arc<Disk>,
    /// What it says when asked for its number.
    pub serial: SerialNumber,
    /// Who transfers the data.
    pub engine: Box<dyn Engine<Ticket>>,
    /// Guest memory, kept by every job.
    pub memory: Arc<Memory>,
    /// Whether every write is to be durable before it is answered.
    pub durable: bool,
    /// Whether requests wait in the queues for room in the engine.
    pub starved: bool,
    /// Whether the host's user knows that the disk has errors.
    pub is_told: bool,
}

impl Service {
    /// What the driver has negotiated.
    pub fn driver_features(&self) -> u64 {
        self.activation.driver_features
    }

    /// Serves queue `index`.
    ///
    /// # Errors
    /// A ring breaks the protocol.
    pub fn serve(&mut self, index: usize) -> Result<Progress, RingError> {
        let progress = self.drain(index);
        self.notify()?;
        progress
    }

    /// Answers what the engine has done, and goes on with the queues that waited for it.
    ///
    /// # Errors
    /// A ring breaks the protocol.
    pub fn serve_engine(&mut self) -> Result<Progress, RingError> {
        self.answer_finished()?;
        let mut progress = Progress::Done;
        if std::mem::take(&mut self.starved) {
            for index in 0..self.activation.queues.len() {
                if self.drain(index)? == Progress::More {
                    // Nobody rings for those requests again.
                    self.starved = true;
                    progress = Progress::More;
                }
            }
        }
        self.notify()?;
        Ok(progress)
    }

    /// Waits for every request that was begun, and answers it.
    pub fn finish(&mut self) {
        while self.engine.in_flight() > 0 {
            let finished = self.engine.wait().map_err(|error| error.to_string());
            let answered = self.answer_finished().map_err(|error| error.to_string());
            if let Err(error) = finished.and(answered) {
                return log::warn!("a disk stops with requests in flight: {error}");
            }
        }
    }

    fn drain(&mut self, index: usize) -> Result<Progress, RingError> {
        let Some(queue) = self.queue(index) else {
            return Ok(Progress::Done);
        };
        let budget = queue.size();
        queue.suppress_kicks()?;
        loop {
            let is_spent = self.start_some(index, budget)?;
            self.engine.submit();
            self.answer_finished()?;
            if is_spent {
                return Ok(Progress::More);
            }
            if !self.engine.has_room() {
                self.starved = true;
                return Ok(Progress::Done);
            }
            let is_more = match self.queue(index) {
                Some(queue) => queue.want_kicks()?,
                None => false,
            };
            if !is_more {
                return Ok(Progress::Done);
            }
        }
    }

    /// Starts what is available and the engine has room for, `budget` requests at most;
    /// whether those were that many.
    fn start_some(&mut self, index: usize, budget: u16) -> Result<bool, RingError> {
        for _ in 0..budget {
            if !self.engine.has_room() {
                return Ok(false);
            }
            let Some((head, request)) = self.next_request(index)? else {
                return Ok(false);
            };
            match request {
                Ok(request) => self.start(index, head, request)?,
                Err(malformed) => self.answer_malformed(index, head, malformed)?,
            }
        }
        Ok(true)
    }

    #[allow(clippy::type_complexity, reason = "what a chain is, or why it is none")]
    fn next_request(
        &mut self,
        index: usize,
    ) -> Result<Option<(u16, Result<Request, Malformed>)>, RingError> {
        let memory = self.memory.clone();
        let Some(queue) = self.queue(index) else {
            return Ok(None);
        };
        Ok(queue.pop()?.map(|chain| {
            let head = chain.head_index();
            (head, Request::parse(&memory, chain))
        }))
    }

    fn start(&mut self, queue: usize, head: u16, request: Request) -> Result<(), RingError> {
        let mut ticket = Ticket {
            queue,
            head,
            status: request.status,
            filled: 0,
        };
        match self.planner().plan(request) {
            Plan::End(status) => self.answer(ticket, status),
            Plan::Identify(data) => self.identify(ticket, data),
            Plan::Bounce {
                action,
                offset,
                data,
            } => self.bounce(ticket, action, offset, data),
            Plan::Run {
                action,
                offset,
                buffers,
                filled,
            } => {
                ticket.filled = filled;
                self.engine.start(Job {
                    action,
                    offset,
                    buffers,
                    ticket,
                });
                Ok(())
            }
        }
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            disk: &self.disk,
            memory: &self.memory,
            durable: self.durable,
        }
    }

    fn identify(&mut self, mut ticket: Ticket, mut data: Segments) -> Result<(), RingError> {
        let room = usize::try_from(data.len()).unwrap_or(usize::MAX);
        let serial = self.serial.0.get(..room).unwrap_or(&self.serial.0);
        let status = match data.write(&self.memory, serial) {
            Some(()) => Status::Ok,
            None => Status::IoError,
        };
        ticket.filled = u32::try_from(serial.len()).unwrap_or(0);
        self.answer(ticket, status)
    }

    fn bounce(
        &mut self,
        mut ticket: Ticket,
        action: Action,
        offset: u64,
        mut data: Segments,
    ) -> Result<(), RingError> {
        let (file, memory) = (self.disk.file(), &self.memory);
        let len = u32::try_from(data.len()).unwrap_or(0);
        let result = match action {
            Action::Read => {
                ticket.filled = len;
                bounce::read(file, offset, memory, &mut data)
            }
            _ => bounce::write(file, offset, memory, &mut data).and_then(|()| self.keep_durable()),
        };
        let status = self.status_of(result);
        self.answer(ticket, status)
    }

    fn keep_durable(&self) -> io::Result<()> {
        if self.durable {
            rustix::fs::fdatasync(self.disk.file())?;
        }
        Ok(())
    }

    fn answer_finished(&mut self) -> Result<(), RingError> {
        while let Some(finished) = self.engine.finished() {
            let ticket = finished.0.ticket;
            let status = self.conclude(finished);
            self.answer(ticket, status)?;
        }
        Ok(())
    }

    /// How a job ends, after doing by hand what the file system cannot do.
    fn conclude(&mut self, (job, result): Finished<Ticket>) -> Status {
        let is_refused = is_unsupported(&result);
        let result = match job.action {
            Action::Discard { .. } if is_refused => return Status::Unsupported,
            Action::Zero { len, .. } if is_refused => self
                .disk
                .write_zeroes(job.offset, len)
                .and_then(|()| self.keep_durable()),
            Action::Discard { .. } | Action::Zero { .. } => {
                result.and_then(|()| self.keep_durable())
            }
            Action::Read | Action::Write { .. } | Action::Sync => result,
        };
        self.status_of(result)
    }

    /// The status for `result`; the host's user is told of the first error, the guest of all.
    fn status_of(&mut self, result: io::Result<()>) -> Status {
        let Err(error) = result else {
            return Status::Ok;
        };
        if !std::mem::replace(&mut self.is_told, true) {
            let name = self.disk.name();
            log::warn!("disk {name}: {error}; the guest sees an I/O error");
        }
        Status::IoError
    }

    fn answer_malformed(
        &mut self,
        queue: usize,
        head: u16,
        malformed: Malformed,
    ) -> Result<(), RingError> {
        match malformed.status {
            Some(status) => {
                let ticket = Ticket {
                    queue,
                    head,
                    status,
                    filled: 0,
                };
                self.answer(ticket, Status::IoError)
            }
            None => self.complete(queue, head, 0),
        }
    }

    fn answer(&mut self, ticket: Ticket, status: Status) -> Result<(), RingError> {
        let filled = match status {
            Status::Ok => ticket.filled,
            _ => 0,
        };
        let written = match self.memory.write_obj(status.to_byte(), ticket.status) {
            Ok(()) => filled.saturating_add(1),
            Err(_) => 0,
        };
        self.complete(ticket.queue, ticket.head, written)
    }

    fn complete(&mut self, queue: usize, head: u16, written: u32) -> Result<(), RingError> {
        match self.queue(queue) {
            Some(queue) => queue.complete(head, written),
            None => Ok(()),
        }
    }

    fn notify(&mut self) -> Result<(), RingError> {
        let mut queues = self.activation.queues.iter_mut().flatten();
        queues.try_for_each(Virtqueue::notify)
    }

    fn queue(&mut self, index: usize) -> Option<&mut Virtqueue> {
        self.activation.queues.get_mut(index)?.as_mut()
    }
}

fn is_unsupported(result: &io::Result<()>) -> bool {
    let code = result.as_ref().err().and_then(io::Error::raw_os_error);
    code == Some(libc::EOPNOTSUPP)
}
