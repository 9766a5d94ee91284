//! The legacy frame of lz4, as the kernel's build makes it (`lz4 -l`): a magic number, then
//! blocks that stand for themselves.
//!
//! A reader of frames has each byte three times on its way; here a block is unpacked where
//! it belongs.

use std::io;

use lz4_flex::block::decompress_into;

/// What a frame begins with; a frame may follow another.
const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// What a block unpacks to at most.
const BLOCK: usize = 8 << 20;

/// Unpacks `payload` to exactly `size` bytes; what lies behind them is not looked at.
///
/// # Errors
/// The stream is damaged, or unpacks to another size.
pub fn unpack(payload: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut unpacked = vec![0; size];
    let (mut rest, mut filled) = (payload, 0);
    while filled < size {
        let (word, after) = rest.split_first_chunk().ok_or_else(cut_off)?;
        rest = after;
        if *word == MAGIC {
            continue;
        }
        let packed = usize::try_from(u32::from_le_bytes(*word)).map_err(io::Error::other)?;
        let (block, after) = rest.split_at_checked(packed).ok_or_else(cut_off)?;
        let room = &mut unpacked[filled..];
        let most = room.len().min(BLOCK);
        filled += decompress_into(block, &mut room[..most]).map_err(io::Error::other)?;
        rest = after;
    }
    Ok(unpacked)
}

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::block::compress;

    fn frame(blocks: &[&[u8]]) -> Vec<u8> {
        let mut frame = MAGIC.to_vec();
        for block in blocks {
            let packed = compress(block);
            frame.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            frame.extend(packed);
        }
        frame
    }

    #[test]
    fn blocks_and_frames_follow_one_another() {
        let (first, second) = (vec![7; BLOCK], b"the rest of it".repeat(100));
        let payload = [frame(&[&first]), frame(&[&second, &second])].concat();
        let whole = [first, second.clone(), second].concat();
        assert_eq!(unpack(&payload, whole.len()).unwrap(), whole);
    }

    #[test]
    fn what_follows_is_not_looked_at() {
        let payload = [frame(&[b"kernel"]), vec![0xff; 4]].concat();
        assert_eq!(unpack(&payload, 6).unwrap(), b"kernel");
    }

    #[test]
    fn a_stream_that_is_cut_off_is_an_error() {
        let payload = frame(&[&[7; 1000]]);
        for length in 0..payload.len() {
            assert!(unpack(&payload[..length], 1000).is_err());
        }
    }

    #[test]
    fn a_block_larger_than_its_room_is_an_error() {
        assert!(unpack(&frame(&[b"kernel"]), 5).is_err());
        assert!(unpack(&frame(&[&vec![7; BLOCK + 1]]), BLOCK + 1).is_err());
    }

    #[test]
    fn blocks_of_nothing_come_to_an_end() {
        let empty = frame(&[&[][..]; 1000]);
        assert!(unpack(&empty, 1).is_err());
    }
}
