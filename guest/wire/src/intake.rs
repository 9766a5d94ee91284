//! What has come of a stream and is not passed on: never more than was agreed.

use crate::{Credit, Kind, Outbox, Stream, WINDOW};

/// The receiver's side of a stream.
#[derive(Debug)]
pub struct Intake {
    stream: Stream,
    /// At most a window.
    pending: Vec<u8>,
    /// How much the sender may still send.
    credit: Credit,
    /// What was passed on, and the sender does not know.
    taken: usize,
}

/// The sender does not keep to its credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than the window of {0} was sent")]
pub struct Overrun(pub Stream);

impl Intake {
    /// That of `stream`, of which nothing has come.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            credit: Credit::default(),
            taken: 0,
        }
    }

    /// The stream that it is about.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Takes what the sender has sent.
    ///
    /// # Errors
    /// It is more than the sender has credit for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Overrun> {
        if !self.credit.spend(bytes.len()) {
            return Err(Overrun(self.stream));
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// What is to be passed on.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The first `count` bytes of it were passed on.
    pub fn passed(&mut self, count: usize) {
        let count = count.min(self.pending.len());
        self.pending.drain(..count);
        self.taken = self.taken.saturating_add(count);
    }

    /// Nobody wants what has come.
    pub fn discard(&mut self) {
        self.pending.clear();
    }

    /// Gives the sender credit for what was passed on.
    ///
    /// Not for every few bytes: a message costs as much as thousands of them.
    pub fn give_credit(&mut self, outbox: &mut Outbox) {
        if self.taken == 0 || (self.taken < WINDOW / 4 && !self.is_empty()) {
            return;
        }
        let bytes = u32::try_from(self.taken).unwrap_or(u32::MAX);
        outbox.say(self.stream, Kind::Credit, &bytes.to_le_bytes());
        self.credit.add(std::mem::take(&mut self.taken));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, MAX_DATA, Part};

    const STREAM: Stream = Stream::new(0, Part::Input);

    /// The credit that is given at this moment.
    fn given(intake: &mut Intake) -> Option<u32> {
        let mut outbox = Outbox::default();
        intake.give_credit(&mut outbox);
        let mut bytes = Vec::new();
        outbox.flush(&mut bytes).unwrap();
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        let frame = decoder.next_frame().unwrap()?;
        frame.number()
    }

    #[test]
    fn credit_is_given_for_what_was_passed_on() {
        let mut intake = Intake::new(STREAM);
        intake.take(b"input").unwrap();
        assert_eq!(given(&mut intake), None);
        intake.passed(5);
        assert_eq!(given(&mut intake), Some(5));
    }

    #[test]
    fn a_few_bytes_of_many_are_worth_no_message() {
        let mut intake = Intake::new(STREAM);
        intake.take(&[0; MAX_DATA]).unwrap();
        intake.passed(1);
        assert_eq!(given(&mut intake), None);
    }

    #[test]
    fn who_sends_more_than_agreed_is_found_out() {
        let mut intake = Intake::new(STREAM);
        intake.take(&vec![0; WINDOW]).unwrap();
        assert_eq!(intake.take(&[0]), Err(Overrun(STREAM)));
    }

    #[test]
    fn what_was_given_credit_for_can_be_sent_again() {
        let mut intake = Intake::new(STREAM);
        intake.take(&vec![0; WINDOW]).unwrap();
        intake.passed(WINDOW);
        given(&mut intake);
        assert_eq!(intake.take(&vec![0; WINDOW]), Ok(()));
    }
}
