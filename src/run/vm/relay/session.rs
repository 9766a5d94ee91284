//! The host's half of a session: files of this process on one side, frames on the other.

use devices::host_io::{HostInput, HostOutput};
use rustix::event::{PollFd, PollFlags};
use wire::{Credit, Exited, Frame, Intake, Kind, MAX_DATA, Outbox, Overrun, Part, Stream};

use super::line::Teller;
use crate::run::running::Streams;

/// A session at work.
pub struct Session {
    input: Feed,
    outputs: [Tap; 2],
    exited: Option<Exited>,
    line: Teller,
}

impl Session {
    /// Serves session `number` by `streams`; its end is told by `line`.
    pub fn new(number: u32, streams: Streams, line: Teller) -> Self {
        let stream = |part| Stream::new(number, part);
        Self {
            input: Feed::new(stream(Part::Input), HostInput::new(streams.input)),
            outputs: [
                Tap::new(stream(Part::Output), HostOutput::new(streams.output)),
                Tap::new(stream(Part::Error), HostOutput::new(streams.errors)),
            ],
            exited: None,
            line,
        }
    }

    /// Takes what the guest says of it.
    ///
    /// # Errors
    /// The guest does not keep to its credit.
    pub fn take(&mut self, frame: Frame<'_>) -> Result<(), Overrun> {
        let part = frame.stream.part();
        match (frame.kind, part) {
            (Kind::Data, part) => match self.output(part) {
                Some(tap) => tap.take(frame.payload)?,
                None => return Err(Overrun(frame.stream)),
            },
            (Kind::Credit, Part::Input) => self.input.add_credit(frame.number().unwrap_or(0)),
            (Kind::End, Part::Input) => self.input.stop(),
            (Kind::Exited, _) => self.exited = serde_json::from_slice(frame.payload).ok(),
            (Kind::Failed, _) => {
                let text = String::from_utf8_lossy(frame.payload);
                self.fail(printable(&text));
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends it for a reason that is not its command's.
    pub fn fail(&self, reason: String) {
        self.line.tell(Err(reason));
    }

    /// Moves bytes; returns whether the session is over, which its line has then told.
    pub fn pump(&mut self, outbox: &mut Outbox) -> bool {
        self.input.pump(outbox);
        self.outputs.iter_mut().for_each(|tap| tap.pump(outbox));
        let is_empty = self.outputs.iter().all(Tap::is_empty);
        if let (Some(exited), true) = (self.exited, is_empty) {
            self.line.tell(Ok(exited));
        }
        is_empty && self.line.has_told()
    }

    /// What to wait for.
    pub fn interests<'a>(&'a self, outbox: &Outbox) -> Vec<PollFd<'a>> {
        let input = self.input.interest(outbox);
        let outputs = self.outputs.iter().filter_map(Tap::interest);
        input.into_iter().chain(outputs).collect()
    }

    fn output(&mut self, part: Part) -> Option<&mut Tap> {
        let [output, error] = &mut self.outputs;
        match part {
            Part::Output => Some(output),
            Part::Error => Some(error),
            Part::Input | Part::Whole => None,
        }
    }
}

/// What a guest says may be anything; only text reaches the user's terminal from here.
fn printable(text: &str) -> String {
    const MAX: usize = 1024;
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(MAX).collect()
}

/// Bytes to the guest.
struct Feed {
    stream: Stream,
    input: Option<HostInput>,
    credit: Credit,
}

impl Feed {
    fn new(stream: Stream, input: HostInput) -> Self {
        Self {
            stream,
            input: Some(input),
            credit: Credit::default(),
        }
    }

    fn add_credit(&mut self, bytes: u32) {
        self.credit
            .add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Nobody in the guest reads any more.
    fn stop(&mut self) {
        self.input = None;
    }

    fn pump(&mut self, outbox: &mut Outbox) {
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

    fn interest(&self, outbox: &Outbox) -> Option<PollFd<'_>> {
        let input = self.input.as_ref()?;
        let may_read = self.credit.available() > 0 && outbox.has_room();
        may_read.then(|| PollFd::new(input, PollFlags::IN))
    }
}

/// Bytes from the guest.
struct Tap {
    intake: Intake,
    output: Option<HostOutput>,
}

impl Tap {
    fn new(stream: Stream, output: HostOutput) -> Self {
        Self {
            intake: Intake::new(stream),
            output: Some(output),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Overrun> {
        self.intake.take(bytes)?;
        if self.output.is_none() {
            self.intake.discard();
        }
        Ok(())
    }

    fn pump(&mut self, outbox: &mut Outbox) {
        let Some(output) = &mut self.output else {
            return;
        };
        if self.intake.is_empty() {
            return;
        }
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
        self.intake.give_credit(outbox);
    }

    fn is_empty(&self) -> bool {
        self.intake.is_empty()
    }

    fn interest(&self) -> Option<PollFd<'_>> {
        let output = self.output.as_ref()?;
        (!self.is_empty()).then(|| PollFd::new(output, PollFlags::OUT))
    }
}
