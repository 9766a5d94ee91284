//! Any bytes from the other side of the port: however they are chopped they are the same frames,
//! and end at the same place, and each frame survives being said again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Decoder, Frame, FrameError, Launch, MAX_PAYLOAD, Setup, Stream, WindowSize};

type Frames = (Vec<Vec<u8>>, Option<FrameError>);

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = decode(bytes, bytes.len().max(1));
    assert!(whole == decode(bytes, usize::from(size).max(1)));
});

/// The frames in `bytes`, encoded again, when they come in pieces of `size`.
fn decode(bytes: &[u8], size: usize) -> Frames {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(size) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(again(frame)),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn again(frame: Frame<'_>) -> Vec<u8> {
    assert!(frame.payload.len() <= MAX_PAYLOAD);
    assert!(frame.stream.session() < Stream::MAX_SESSIONS);
    // What a payload may be: refused or taken, never worse.
    let _ = (frame.number(), WindowSize::parse(frame.payload));
    let _ = serde_json::from_slice::<Launch>(frame.payload);
    let _ = serde_json::from_slice::<Setup>(frame.payload);
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("it has just been decoded");
    bytes
}
