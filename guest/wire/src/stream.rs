//! Which of the many streams over the one port a frame is about.

use std::fmt;

/// A part of a session, as one number.
///
/// The session is in the upper bits. Its number is chosen by whoever opens it: the host
/// takes those below [`Stream::GUEST_SESSIONS`], the guest (for a channel) the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream(u32);

/// The parts of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Bytes to the command's standard input, or to whoever is at the guest's end of a channel.
    Input,
    /// Bytes from its standard output, or from the guest's end of a channel.
    Output,
    /// Bytes from its standard error.
    Error,
    /// The session as a whole: its begin, its end and its signals.
    Whole,
}

const PART_BITS: u32 = 2;
const PART_MASK: u32 = (1 << PART_BITS) - 1;

impl Stream {
    /// The first session number that is the guest's to give.
    pub const GUEST_SESSIONS: u32 = 1 << 24;
    /// One more than the last session number of either side.
    pub const MAX_SESSIONS: u32 = 1 << 25;

    /// `part` of `session`.
    pub const fn new(session: u32, part: Part) -> Self {
        let part = match part {
            Part::Input => 0,
            Part::Output => 1,
            Part::Error => 2,
            Part::Whole => 3,
        };
        Self(session << PART_BITS | part)
    }

    /// The stream with the number that stands in a header.
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number that stands in a header.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The session.
    pub fn session(self) -> u32 {
        self.0 >> PART_BITS
    }

    /// Which part of it.
    pub fn part(self) -> Part {
        match self.0 & PART_MASK {
            0 => Part::Input,
            1 => Part::Output,
            2 => Part::Error,
            _ => Part::Whole,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part() {
            Part::Input => "input",
            Part::Output => "output",
            Part::Error => "error output",
            Part::Whole => "whole",
        };
        write!(f, "{part} of session {}", self.session())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_survives_its_number() {
        let parts = [Part::Input, Part::Output, Part::Error, Part::Whole];
        for (session, part) in [0, 1, Stream::MAX_SESSIONS - 1]
            .into_iter()
            .flat_map(|session| parts.map(|part| (session, part)))
        {
            let stream = Stream::from_number(Stream::new(session, part).number());
            assert_eq!((stream.session(), stream.part()), (session, part));
        }
    }
}
