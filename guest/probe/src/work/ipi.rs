//! One CPU interrupts another, and waits until it has been heard.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::thread::{MembarrierCommand, membarrier};
use wire::Measured;

use super::affinity::{Pinned, cpus};
use super::failure::Failure;
use super::place::Place;
use super::watch::Watch;

/// membarrier(2): the kernel interrupts each CPU that runs another thread of ours, here one.
pub fn interrupt(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let &[ours, theirs, ..] = cpus()?.as_slice() else {
        return Err(Failure::OneCpu);
    };
    barrier(MembarrierCommand::RegisterPrivateExpedited)?;
    let spinning = Spinning::default();
    thread::scope(|scope| {
        let _ended = EndOf(&spinning);
        thread::Builder::new()
            .spawn_scoped(scope, || spinning.on(theirs))
            .map_err(Failure::to("start a thread"))?;
        let _pinned = Pinned::to(ours)?;
        spinning.wait()?;
        let watch = Watch::start();
        for _ in 0..operations {
            barrier(MembarrierCommand::PrivateExpedited)?;
        }
        Ok(watch.stop(operations))
    })
}

fn barrier(command: MembarrierCommand) -> Result<(), Failure> {
    membarrier(command).map_err(Failure::to("have other CPUs interrupted (membarrier)"))
}

/// A thread that keeps a CPU busy.
#[derive(Default)]
struct Spinning {
    begun: AtomicBool,
    failed: AtomicBool,
    ended: AtomicBool,
}

impl Spinning {
    /// Does so until it is to end.
    fn on(&self, cpu: usize) {
        let pinned = Pinned::to(cpu);
        self.failed.store(pinned.is_err(), Ordering::Relaxed);
        self.begun.store(true, Ordering::Release);
        while !self.ended.load(Ordering::Relaxed) {
            spin_loop();
        }
    }

    /// Waits until it does.
    fn wait(&self) -> Result<(), Failure> {
        while !self.begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        match self.failed.load(Ordering::Relaxed) {
            true => Err(Failure::OneCpu),
            false => Ok(()),
        }
    }
}

/// Ends it, whatever else has happened.
struct EndOf<'a>(&'a Spinning);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;
    use super::*;

    #[test]
    fn another_cpu_is_interrupted_where_there_is_one() {
        match cpus().unwrap().len() {
            1 => {
                let refused = interrupt(&mut Place::below("/var/tmp".as_ref()), 1);
                assert!(matches!(refused, Err(Failure::OneCpu)));
            }
            _ => assert_ne!(measured("ipi", 10).elapsed_ns, 0),
        }
    }
}
