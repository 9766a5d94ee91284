//! A frame: one thing said over the port.

use serde::{Deserialize, Serialize};

use crate::Stream;

/// How long a header is: the stream, the kind, the length of the payload; little-endian.
pub const HEADER_SIZE: usize = 9;
/// The longest payload. The longest there are: a command with its environment.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// How much of a stream goes into one frame, so that others get their turn.
pub const MAX_DATA: usize = 32 << 10;

/// What a frame says, and what its payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Host to guest: start a command. A [`crate::Launch`] as JSON.
    Open,
    /// Guest to host: somebody has connected to a channel. Its name.
    Connect,
    /// Either way: bytes of a stream.
    Data,
    /// Either way: the stream has no more bytes. Nothing.
    End,
    /// Either way: so many more bytes of the stream are taken. A number (u32).
    Credit,
    /// Host to guest: send a signal to the command. Its number (u32).
    Signal,
    /// Host to guest: the terminal has another size. A [`crate::WindowSize`].
    Resize,
    /// Guest to host: the command has ended. [`Exited`] as JSON.
    Exited,
    /// Guest to host: commands can be started. [`Ready`] as JSON.
    Ready,
    /// Host to guest: end all commands and power off. Nothing.
    PowerOff,
    /// Guest to host: something that was asked for cannot be done, and why: of the whole
    /// guest, or of one session. Text.
    Failed,
}

const KINDS: [Kind; 11] = [
    Kind::Open,
    Kind::Connect,
    Kind::Data,
    Kind::End,
    Kind::Credit,
    Kind::Signal,
    Kind::Resize,
    Kind::Exited,
    Kind::Ready,
    Kind::PowerOff,
    Kind::Failed,
];

impl Kind {
    /// The kind with the number that stands in a header.
    pub fn from_number(number: u8) -> Option<Self> {
        KINDS.get(usize::from(number)).copied()
    }

    /// The number that stands in a header.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exited {
    /// Its exit status, or 128 and the signal that ended it.
    pub status: u8,
    /// Whether a process of the guest was killed because there was no memory.
    pub oom: bool,
}

/// A guest that has come up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The release of its kernel.
    pub kernel: String,
}

/// One thing said over the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is about.
    pub stream: Stream,
    /// What is said.
    pub kind: Kind,
    /// With what.
    pub payload: &'a [u8],
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// There is no such kind.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// There is no such session.
    #[error("a frame of the impossible session {0}")]
    Session(u32),
    /// The payload is too long to be one.
    #[error("a payload of {0} bytes, which is more than {MAX_PAYLOAD}")]
    TooLong(usize),
}

impl<'a> Frame<'a> {
    /// `kind` about `stream`, with `payload`.
    pub fn new(stream: Stream, kind: Kind, payload: &'a [u8]) -> Self {
        Self {
            stream,
            kind,
            payload,
        }
    }

    /// Appends the frame to `out`.
    ///
    /// # Errors
    /// The payload is longer than [`MAX_PAYLOAD`]; nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let too_long = FrameError::TooLong(self.payload.len());
        let length = u32::try_from(self.payload.len()).map_err(|_| too_long)?;
        if self.payload.len() > MAX_PAYLOAD {
            return Err(too_long);
        }
        out.reserve(HEADER_SIZE.saturating_add(self.payload.len()));
        out.extend(self.stream.number().to_le_bytes());
        out.push(self.kind.number());
        out.extend(length.to_le_bytes());
        out.extend(self.payload);
        Ok(())
    }

    /// The number that is the payload of Credit and Signal.
    pub fn number(&self) -> Option<u32> {
        self.payload.try_into().ok().map(u32::from_le_bytes)
    }
}

/// A header that has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub stream: Stream,
    pub kind: Kind,
    pub length: usize,
}

impl Header {
    pub(crate) fn parse(bytes: [u8; HEADER_SIZE]) -> Result<Self, FrameError> {
        let [a, b, c, d, kind, e, f, g, h] = bytes;
        let stream = Stream::from_number(u32::from_le_bytes([a, b, c, d]));
        let kind = Kind::from_number(kind).ok_or(FrameError::Kind(kind))?;
        let length = u32::from_le_bytes([e, f, g, h]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if stream.session() >= Stream::MAX_SESSIONS {
            return Err(FrameError::Session(stream.session()));
        }
        if length > MAX_PAYLOAD {
            return Err(FrameError::TooLong(length));
        }
        Ok(Self {
            stream,
            kind,
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;

    const STREAM: Stream = Stream::new(1, Part::Input);

    #[test]
    fn every_kind_survives_its_number() {
        for kind in KINDS {
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::from_number(KINDS.len() as u8), None);
    }

    #[test]
    fn a_frame_is_a_header_and_its_payload() {
        let mut bytes = Vec::new();
        let frame = Frame::new(STREAM, Kind::Data, b"ab");
        frame.encode(&mut bytes).unwrap();
        assert_eq!(bytes, [4, 0, 0, 0, 2, 2, 0, 0, 0, b'a', b'b']);
    }

    #[test]
    fn a_payload_that_is_too_long_is_refused_and_leaves_nothing() {
        let mut bytes = Vec::new();
        let payload = vec![0; MAX_PAYLOAD + 1];
        let error = Frame::new(STREAM, Kind::Data, &payload).encode(&mut bytes);
        assert_eq!(error, Err(FrameError::TooLong(MAX_PAYLOAD + 1)));
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_number_is_four_bytes_and_nothing_else() {
        let number = |payload| Frame::new(STREAM, Kind::Credit, payload).number();
        assert_eq!(number(&[1, 2, 0, 0]), Some(513));
        assert_eq!(number(&[1, 2, 0]), None);
    }

    #[test]
    fn the_session_is_in_range() {
        let over = Stream::new(Stream::MAX_SESSIONS, Part::Whole).number();
        let mut bytes = [0; HEADER_SIZE];
        bytes[..4].copy_from_slice(&over.to_le_bytes());
        let error = Header::parse(bytes).unwrap_err();
        assert_eq!(error, FrameError::Session(Stream::MAX_SESSIONS));
    }
}
