//! Two that take turns on one CPU: each time, the kernel puts the other in its place.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::io::{read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::futex;
use wire::Measured;

use super::affinity::Pinned;
use super::child::{Child, end_with_parent};
use super::failure::Failure;
use super::place::Place;
use super::watch::Watch;

/// A byte to another process and back: two switches, each to another address space.
pub fn pipe(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let _pinned = Pinned::to_first()?;
    let (theirs, output) = new_pipe()?;
    let (input, back) = new_pipe()?;
    // What they take with them is no longer ours: if they end, we see the end of the file.
    let child = Child::fork(move || {
        end_with_parent() && (0..=operations).all(|_| pass(&theirs, &back).is_ok())
    })?;
    let round = || {
        write(&output, &[1]).map_err(Failure::to("write into a pipe"))?;
        receive(&input).map_err(Failure::to("hear from the other process"))
    };
    round()?;
    let watch = Watch::start();
    for _ in 0..operations {
        round()?;
    }
    let elapsed = watch.elapsed();
    child.wait()?;
    Ok(watch.stop_at(elapsed, operations))
}

fn new_pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    pipe_with(PipeFlags::CLOEXEC).map_err(Failure::to("make a pipe"))
}

fn pass(input: &OwnedFd, output: &OwnedFd) -> io::Result<()> {
    receive(input)?;
    write(output, &[1])?;
    Ok(())
}

fn receive(input: &OwnedFd) -> io::Result<()> {
    match read(input, &mut [0_u8])? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// A word to another thread and back: two switches within one address space.
pub fn futex(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let _pinned = Pinned::to_first()?;
    let turn = Turn(AtomicU32::new(OURS));
    thread::scope(|scope| {
        thread::Builder::new()
            .spawn_scoped(scope, || {
                (0..=operations).for_each(|_| turn.take_and_give(THEIRS, OURS));
            })
            .map_err(Failure::to("start a thread"))?;
        turn.take_and_give(OURS, THEIRS);
        turn.wait_for(OURS);
        let watch = Watch::start();
        for _ in 0..operations {
            turn.take_and_give(OURS, THEIRS);
            turn.wait_for(OURS);
        }
        Ok(watch.stop(operations))
    })
}

const OURS: u32 = 0;
const THEIRS: u32 = 1;

/// Whose turn it is.
struct Turn(AtomicU32);

impl Turn {
    /// Waits until it is the turn of `me`, and gives it to `other`.
    fn take_and_give(&self, me: u32, other: u32) {
        self.wait_for(me);
        self.0.store(other, Ordering::Release);
        // Who does not wait need not be woken.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, 1);
    }

    fn wait_for(&self, me: u32) {
        loop {
            match self.0.load(Ordering::Acquire) {
                turn if turn == me => return,
                // It may have changed meanwhile, or a signal has come: we look again.
                turn => _ = futex::wait(&self.0, futex::Flags::PRIVATE, turn, None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn each_turn_is_a_wait() {
        for workload in ["pipe-switch", "futex-switch"] {
            let used = measured(workload, 50).used;
            assert!(used.voluntary_switches >= 50, "{workload}: {used:?}");
        }
    }
}
