//! One stream: a file of this process on one side, frames with credit on the other.

use devices::host_io::{HostInput, HostOutput};
use rustix::event::{PollFd, PollFlags};
use wire::{Credit, Intake, Kind, MAX_DATA, Outbox, Overrun, Stream};

/// Bytes to the guest.
pub struct Feed {
    stream: Stream,
    input: Option<HostInput>,
    credit: Credit,
}

impl Feed {
    /// Reads `input` for `stream`.
    pub fn new(stream: Stream, input: HostInput) -> Self {
        Self {
            stream,
            input: Some(input),
            credit: Credit::default(),
        }
    }

    /// The guest takes so many bytes more.
    pub fn add_credit(&mut self, bytes: u32) {
        self.credit
            .add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Nobody in the guest reads any more.
    pub fn stop(&mut self) {
        self.input = None;
    }

    /// Whether nothing more goes to the guest.
    pub fn has_ended(&self) -> bool {
        self.input.is_none()
    }

    /// Moves what there is, as far as there is credit and room.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        let mut buffer = [0; MAX_DATA];
        while let (Some(input), true) = (&mut self.input, self.credit.available() > 0) {
            if !outbox.has_room() {
                return;
            }
            let count = input.read(&mut buffer[..self.credit.available()]);
            if count > 0 {
                let _ = self.credit.spend(count);
                outbox.say(self.stream, Kind::Data, &buffer[..count]);
            } else if input.has_ended() {
                outbox.say(self.stream, Kind::End, &[]);
                self.input = None;
            } else {
                return;
            }
        }
    }

    /// What to wait for.
    pub fn interest(&self, outbox: &Outbox) -> Option<PollFd<'_>> {
        let input = self.input.as_ref()?;
        let may_read = self.credit.available() > 0 && outbox.has_room();
        may_read.then(|| PollFd::new(input, PollFlags::IN))
    }
}

/// Bytes from the guest.
pub struct Tap {
    intake: Intake,
    output: Option<HostOutput>,
    ended: bool,
}

impl Tap {
    /// Writes what comes for `stream` to `output`.
    pub fn new(stream: Stream, output: HostOutput) -> Self {
        Self {
            intake: Intake::new(stream),
            output: Some(output),
            ended: false,
        }
    }

    /// Takes bytes from the guest.
    ///
    /// # Errors
    /// There are more than it has credit for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Overrun> {
        self.intake.take(bytes)?;
        if self.output.is_none() {
            self.intake.discard();
        }
        Ok(())
    }

    /// There is no more to come: the file is closed when it has taken what is there.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the file has taken everything, or takes nothing any more.
    pub fn has_ended(&self) -> bool {
        self.is_closed() || (self.ended && self.is_empty())
    }

    /// Whether the file is closed, which the next move does at the end.
    pub fn is_closed(&self) -> bool {
        self.output.is_none()
    }

    /// Moves what has come, as far as the file takes it.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        if !self.is_empty() {
            self.write(outbox);
            self.intake.give_credit(outbox);
        }
        if self.has_ended() {
            self.output = None;
        }
    }

    fn write(&mut self, outbox: &mut Outbox) {
        let Some(output) = &mut self.output else {
            return;
        };
        match output.try_write(self.intake.pending()) {
            Ok(count) => self.intake.passed(count),
            Err(error) => {
                log::debug!("{} is not read any more: {error}", self.intake.stream());
                // Whoever writes in the guest learns it as on a pipe: by SIGPIPE.
                outbox.say(self.intake.stream(), Kind::End, &[]);
                self.output = None;
                self.intake.discard();
            }
        }
    }

    /// Whether all that has come was passed on.
    pub fn is_empty(&self) -> bool {
        self.intake.is_empty()
    }

    /// What to wait for.
    pub fn interest(&self) -> Option<PollFd<'_>> {
        let output = self.output.as_ref()?;
        (!self.is_empty()).then(|| PollFd::new(output, PollFlags::OUT))
    }
}
