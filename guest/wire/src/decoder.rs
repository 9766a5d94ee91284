//! Bytes, chopped in any way, become frames.

use crate::frame::{Frame, FrameError, HEADER_SIZE, Header};

/// Puts frames together from whatever pieces they come in.
///
/// It holds what was pushed and not yet taken: whoever takes all frames before the next push
/// bounds that by one frame and one piece. A length that a peer claims is checked, and
/// memory is taken as its bytes come.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// How much of `bytes` has been taken.
    taken: usize,
}

impl Decoder {
    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// The next frame, if it is all there.
    ///
    /// # Errors
    /// The bytes are no frame, and nothing after them can be understood.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<HEADER_SIZE>() else {
            return Ok(None);
        };
        let header = Header::parse(*header)?;
        let Some(payload) = rest.get(..header.length) else {
            return Ok(None);
        };
        self.taken = self
            .taken
            .saturating_add(HEADER_SIZE.saturating_add(header.length));
        Ok(Some(Frame::new(header.stream, header.kind, payload)))
    }

    /// Whether it holds the beginning of a frame whose end is missing.
    pub fn is_amid_frame(&self) -> bool {
        self.taken < self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, MAX_PAYLOAD, Part, Stream};

    type Owned = (Stream, Kind, Vec<u8>);

    fn frames() -> Vec<Owned> {
        let whole = Stream::new(0, Part::Whole);
        vec![
            (whole, Kind::Open, br#"{"argv":["true"]}"#.to_vec()),
            (Stream::new(0, Part::Input), Kind::Data, vec![0; 300]),
            (Stream::new(0, Part::Input), Kind::End, vec![]),
            (whole, Kind::Signal, 15_u32.to_le_bytes().to_vec()),
        ]
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        for (stream, kind, payload) in &frames() {
            let frame = Frame::new(*stream, *kind, payload);
            frame.encode(&mut bytes).unwrap();
        }
        bytes
    }

    fn take_all(decoder: &mut Decoder) -> Vec<Owned> {
        let mut taken = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            taken.push((frame.stream, frame.kind, frame.payload.to_vec()));
        }
        taken
    }

    #[test]
    fn any_chopping_gives_the_same_frames() {
        let bytes = encoded();
        for size in [1, 2, 7, HEADER_SIZE, 64, bytes.len()] {
            let mut decoder = Decoder::default();
            let taken: Vec<_> = bytes
                .chunks(size)
                .flat_map(|piece| {
                    decoder.push(piece);
                    take_all(&mut decoder)
                })
                .collect();
            assert_eq!(taken, frames(), "in pieces of {size}");
            assert!(!decoder.is_amid_frame());
        }
    }

    #[test]
    fn a_frame_without_its_end_is_none() {
        let mut decoder = Decoder::default();
        decoder.push(&encoded()[..20]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.is_amid_frame());
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&[0, 0, 0, 0, 99, 0, 0, 0, 0]);
        assert_eq!(decoder.next_frame(), Err(FrameError::Kind(99)));
    }

    #[test]
    fn a_length_that_is_claimed_takes_no_memory() {
        let mut decoder = Decoder::default();
        let claimed = u32::try_from(MAX_PAYLOAD).unwrap().to_le_bytes();
        decoder.push(&[[0, 0, 0, 0, 2].as_slice(), &claimed].concat());
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.bytes.capacity() < 64);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let mut decoder = Decoder::default();
        decoder.push(&[0, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0x7f]);
        let error = decoder.next_frame().unwrap_err();
        assert_eq!(error, FrameError::TooLong(0x7fff_ffff));
    }
}
