//! The host's half of a session: files of this process on one side, frames on the other.

use devices::host_io::{HostInput, HostOutput};
use rustix::event::PollFd;
use wire::{Exited, Frame, Kind, Outbox, Overrun, Part, Stream};

use super::line::Teller;
use super::stream::{Feed, Tap};
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
