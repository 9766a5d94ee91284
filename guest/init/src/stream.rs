//! The streams of a session: a file of ours on one side, frames with credit on the other.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{Shutdown, shutdown};
use wire::{Credit, Intake, Kind, MAX_DATA, Outbox, Overrun, Stream};

/// What a command may leave in its pipes or its terminal when it ends: no pipe of an
/// unprivileged user is larger. Whoever keeps writing after that is not the command.
const MAX_LEFT: usize = 1 << 20;

/// Bytes from a file to the host.
pub struct Source {
    stream: Stream,
    file: Option<File>,
    credit: Credit,
    /// How much more is read, once its command has ended.
    left: Option<usize>,
}

impl Source {
    /// Reads `file`, which does not block, for `stream`.
    pub fn new(stream: Stream, file: OwnedFd) -> Self {
        Self {
            stream,
            file: Some(file.into()),
            credit: Credit::default(),
            left: None,
        }
    }

    /// Takes more credit.
    pub fn add_credit(&mut self, bytes: usize) {
        self.credit.add(bytes);
    }

    /// Reads on only until there is nothing: the command has ended, and what it leaves behind
    /// may hold the file open for ever.
    pub fn drain(&mut self) {
        self.left.get_or_insert(MAX_LEFT);
    }

    /// Whether it has said that it is at its end.
    pub fn has_ended(&self) -> bool {
        self.file.is_none()
    }

    /// Whether the host has passed on all that there was, to its end.
    pub fn is_settled(&self) -> bool {
        self.has_ended() && self.credit.is_whole()
    }

    /// Nobody wants it any more: whoever writes learns that by SIGPIPE.
    pub fn refuse(&mut self) {
        self.file = None;
        self.credit = Credit::default();
    }

    fn close(&mut self, outbox: &mut Outbox) {
        if self.file.take().is_some() {
            outbox.say(self.stream, Kind::End, &[]);
        }
    }

    /// Moves what there is, as far as there is credit and room.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        let mut buffer = [0; MAX_DATA];
        while outbox.has_room() {
            let allowed = self.credit.available().min(self.left.unwrap_or(MAX_DATA));
            let (Some(file), Some(room)) = (&mut self.file, buffer.get_mut(..allowed)) else {
                return;
            };
            if room.is_empty() && self.left != Some(0) {
                return;
            }
            match file.read(room) {
                Ok(count @ 1..) => self.send(buffer.get(..count).unwrap_or_default(), outbox),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.left.is_none() => {
                    return;
                }
                // A terminal that nobody has open any more says EIO.
                Ok(0) | Err(_) => self.close(outbox),
            }
        }
    }

    fn send(&mut self, bytes: &[u8], outbox: &mut Outbox) {
        let _ = self.credit.spend(bytes.len());
        self.left = self.left.map(|left| left.saturating_sub(bytes.len()));
        outbox.say(self.stream, Kind::Data, bytes);
    }

    /// What to wait for.
    pub fn interest(&self, outbox: &Outbox) -> Option<PollFd<'_>> {
        let file = self.file.as_ref()?;
        let may_read = self.credit.available() > 0 && outbox.has_room();
        may_read.then(|| PollFd::new(file, PollFlags::IN))
    }
}

/// How the reader of a sink learns that there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The file is closed.
    Close,
    /// What a user types at a terminal.
    Type,
    /// A socket is closed in this direction.
    ShutDown,
}

/// What ends the input of a terminal: Ctrl-d.
const END_OF_TRANSMISSION: &[u8] = &[4];

/// Bytes from the host to a file.
pub struct Sink {
    intake: Intake,
    file: Option<File>,
    ending: Ending,
    ended: bool,
}

impl Sink {
    /// Writes what comes for `stream` to `file`, which does not block.
    pub fn new(stream: Stream, file: OwnedFd, ending: Ending) -> Self {
        Self {
            intake: Intake::new(stream),
            file: Some(file.into()),
            ending,
            ended: false,
        }
    }

    /// Takes bytes from the host.
    ///
    /// # Errors
    /// There are more than it has credit for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Overrun> {
        self.intake.take(bytes)
    }

    /// There is no more to come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether everything has arrived, or nobody wants it.
    pub fn has_ended(&self) -> bool {
        self.file.is_none()
    }

    /// Moves what has come, as far as the file takes it.
    pub fn pump(&mut self, outbox: &mut Outbox) {
        while let (Some(file), false) = (&mut self.file, self.intake.is_empty()) {
            match file.write(self.intake.pending()) {
                Ok(count) => self.intake.passed(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.refuse(outbox),
            }
        }
        self.intake.give_credit(outbox);
        if self.ended && self.intake.is_empty() {
            self.finish();
        }
    }

    /// Nobody reads any more: the host need not send, either.
    fn refuse(&mut self, outbox: &mut Outbox) {
        self.file = None;
        self.intake.discard();
        if !self.ended {
            outbox.say(self.intake.stream(), Kind::End, &[]);
        }
    }

    fn finish(&mut self) {
        let Some(mut file) = self.file.take() else {
            return;
        };
        match self.ending {
            Ending::Close => {}
            Ending::Type => {
                let _ = file.write(END_OF_TRANSMISSION);
            }
            Ending::ShutDown => {
                let _ = shutdown(&file, Shutdown::Write);
            }
        }
    }

    /// What to wait for: room, or that nobody reads any more.
    pub fn interest(&self) -> Option<PollFd<'_>> {
        let file = self.file.as_ref()?;
        (!self.intake.is_empty()).then(|| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::OUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;
    use wire::{Decoder, Part, WINDOW};

    const STREAM: Stream = Stream::new(0, Part::Input);

    fn said(outbox: &mut Outbox) -> Vec<(Kind, Vec<u8>)> {
        let mut bytes = Vec::new();
        outbox.flush(&mut bytes).unwrap();
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push((frame.kind, frame.payload.to_vec()));
        }
        frames
    }

    fn unblocking(file: impl Into<OwnedFd>) -> OwnedFd {
        let file = file.into();
        rustix::io::ioctl_fionbio(&file, true).unwrap();
        file
    }

    #[test]
    fn a_source_sends_what_its_credit_allows_and_no_more() {
        let (reader, mut writer) = pipe().unwrap();
        let mut source = Source::new(STREAM, unblocking(reader));
        assert!(source.credit.spend(WINDOW - 3));
        writer.write_all(b"abcde").unwrap();
        let mut outbox = Outbox::default();
        source.pump(&mut outbox);
        assert_eq!(said(&mut outbox), [(Kind::Data, b"abc".to_vec())]);
        assert!(source.interest(&outbox).is_none());
        source.add_credit(10);
        source.pump(&mut outbox);
        assert_eq!(said(&mut outbox), [(Kind::Data, b"de".to_vec())]);
    }

    #[test]
    fn a_source_whose_command_has_ended_ends_though_others_hold_it_open() {
        let (reader, mut writer) = pipe().unwrap();
        let mut source = Source::new(STREAM, unblocking(reader));
        writer.write_all(b"last").unwrap();
        source.drain();
        let mut outbox = Outbox::default();
        source.pump(&mut outbox);
        assert_eq!(
            said(&mut outbox),
            [(Kind::Data, b"last".to_vec()), (Kind::End, vec![])]
        );
        assert!(source.has_ended());
    }

    #[test]
    fn a_sink_gives_credit_for_what_was_taken() {
        let (mut reader, writer) = pipe().unwrap();
        let mut sink = Sink::new(STREAM, unblocking(writer), Ending::Close);
        sink.take(b"input").unwrap();
        sink.end();
        let mut outbox = Outbox::default();
        sink.pump(&mut outbox);
        assert_eq!(said(&mut outbox), [(Kind::Credit, vec![5, 0, 0, 0])]);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "input");
    }

    #[test]
    fn a_sink_that_nobody_reads_says_so() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut sink = Sink::new(STREAM, unblocking(writer), Ending::Close);
        sink.take(b"input").unwrap();
        let mut outbox = Outbox::default();
        sink.pump(&mut outbox);
        assert_eq!(said(&mut outbox), [(Kind::End, vec![])]);
        assert!(sink.has_ended());
    }

    #[test]
    fn a_host_that_sends_more_than_agreed_is_found_out() {
        let (_reader, writer) = pipe().unwrap();
        let mut sink = Sink::new(STREAM, unblocking(writer), Ending::Close);
        sink.take(&vec![0; WINDOW]).unwrap();
        assert!(sink.take(&[0]).is_err());
    }
}
