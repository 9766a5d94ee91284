//! Bytes to another instance, by the channel that both were given (docs/contract.md, 25).
//!
//! Who measures connects, says in a byte what is wanted, and goes on; whoever is at the other end
//! [`serve`]s one such connection after the other.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use wire::Measured;

use super::failure::Failure;
use super::latencies::timed;
use super::place::Place;
use super::watch::Watch;

/// How long either side waits for the other before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// What an operation of [`throughput`] sends, in bytes.
const BLOCK: usize = 64 << 10;

/// Each byte comes back.
const ECHO: u8 = b'e';
/// So many bytes follow as eight more say, and one comes back.
const TAKE: u8 = b't';

type Outcome = Result<Measured, Failure>;

/// A byte to the other instance and back.
pub fn round_trip(_: &mut Place, operations: u64) -> Outcome {
    let mut there = connected()?;
    let begun = there.write_all(&[ECHO]);
    begun.map_err(Failure::to("write to the channel"))?;
    // Not before the other side is there.
    pass_a_byte(&mut there)?;
    timed(operations, |_| pass_a_byte(&mut there))
}

fn pass_a_byte(there: &mut UnixStream) -> Result<(), Failure> {
    let written = there.write_all(&[1]);
    let passed = written.and_then(|()| there.read_exact(&mut [0]));
    passed.map_err(Failure::to("pass a byte by the channel"))
}

/// 64 KiB after 64 KiB to the other instance, until it has them all.
pub fn throughput(_: &mut Place, operations: u64) -> Outcome {
    let mut there = connected()?;
    // Not before the other side is there.
    take(&mut there, 1)?;
    let watch = Watch::start();
    take(&mut there, operations)?;
    Ok(Measured {
        bytes: operations * BLOCK as u64,
        ..watch.stop(operations)
    })
}

/// Has so many blocks taken.
fn take(there: &mut UnixStream, blocks: u64) -> Result<(), Failure> {
    let (block, bytes) = ([0xa5; BLOCK], blocks * BLOCK as u64);
    let sent = there
        .write_all(&[TAKE])
        .and_then(|()| there.write_all(&bytes.to_le_bytes()))
        .and_then(|()| (0..blocks).try_for_each(|_| there.write_all(&block)));
    let heard = sent.and_then(|()| there.read_exact(&mut [0]));
    heard.map_err(Failure::to("send bytes by the channel"))
}

fn connected() -> Result<UnixStream, Failure> {
    let path = path().ok_or(Failure::NotHere(
        "there is no channel here (--channel) to another instance",
    ))?;
    let connected = UnixStream::connect(path).and_then(|there| {
        there.set_read_timeout(Some(PATIENCE))?;
        there.set_write_timeout(Some(PATIENCE))?;
        Ok(there)
    });
    connected.map_err(Failure::to("connect to the channel"))
}

/// The first channel of this instance.
fn path() -> Option<OsString> {
    let is_channel = |(name, _): &(OsString, OsString)| {
        let name = name.to_str();
        name.is_some_and(|name| name.starts_with("VMM_CHANNEL_"))
    };
    std::env::vars_os().find(is_channel).map(|(_, path)| path)
}

/// Does what the other instance asks for, one connection after the other.
///
/// # Errors
/// There is no channel, or nobody can be connected to by it.
pub fn serve() -> io::Result<()> {
    let path = path().ok_or_else(|| io::Error::other("there is no channel here"))?;
    loop {
        // It is the other side's to end it, at any time.
        let _ = serve_one(UnixStream::connect(&path)?);
    }
}

fn serve_one(mut there: UnixStream) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        let mut wanted = [0];
        there.read_exact(&mut wanted)?;
        match wanted {
            [TAKE] => {
                let mut bytes = [0; 8];
                there.read_exact(&mut bytes)?;
                let mut left = u64::from_le_bytes(bytes);
                while left > 0 {
                    let most = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
                    let part = block.get_mut(..most).unwrap_or_default();
                    there.read_exact(part)?;
                    left -= most as u64;
                }
                there.write_all(&[1])?;
            }
            _ => loop {
                there.read_exact(&mut wanted)?;
                there.write_all(&wanted)?;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Both ends of a connection, the second served.
    fn served() -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        thread::spawn(|| serve_one(theirs));
        ours
    }

    #[test]
    fn bytes_come_back() {
        let mut there = served();
        there.write_all(&[ECHO]).unwrap();
        for _ in 0..3 {
            pass_a_byte(&mut there).unwrap();
        }
    }

    #[test]
    fn blocks_are_taken_and_then_that_is_said() {
        let mut there = served();
        for blocks in [1, 3] {
            take(&mut there, blocks).unwrap();
        }
    }

    #[test]
    fn without_a_channel_the_reason_is_told() {
        let refused = round_trip(&mut Place::below("/nowhere".as_ref()), 1);
        let sentence = refused.unwrap_err().sentence();
        assert!(sentence.contains("--channel"), "{sentence}");
    }
}
