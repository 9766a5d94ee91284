//! The kernel is asked for something so small that the way there and back is what it costs.

use std::fs::{self, File};
use std::hint::black_box;
use std::sync::atomic::AtomicU32;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::thread::futex;
use wire::Measured;

use super::failure::Failure;
use super::place::Place;
use super::watch::Watch;

/// The least that a kernel can be asked for; no C library remembers the answer.
pub fn getpid(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let watch = Watch::start();
    for _ in 0..operations {
        // SAFETY: getpid(2) takes nothing and touches no memory.
        black_box(unsafe { libc::syscall(libc::SYS_getpid) });
    }
    Ok(watch.stop(operations))
}

/// A byte of a device that always has one: through the table of files, and a byte of ours written.
pub fn read_1(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let zero = File::open("/dev/zero").map_err(Failure::to("open /dev/zero"))?;
    let mut byte = [1_u8];
    let watch = Watch::start();
    for _ in 0..operations {
        rustix::io::read(&zero, &mut byte).map_err(Failure::to("read /dev/zero"))?;
        black_box(&byte);
    }
    Ok(watch.stop(operations))
}

/// Wakes whoever waits for a word of ours: nobody.
pub fn futex_wake(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let word = AtomicU32::new(0);
    let watch = Watch::start();
    for _ in 0..operations {
        let woken = futex::wake(&word, futex::Flags::PRIVATE, 1);
        black_box(woken.map_err(Failure::to("wake a futex"))?);
    }
    Ok(watch.stop(operations))
}

/// A file that exists is found by its path, opened and closed.
pub fn open_close(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let directory = place.fresh()?;
    let path = directory.path().join("opened");
    fs::write(&path, b"here").map_err(Failure::to("make a file"))?;
    let watch = Watch::start();
    for _ in 0..operations {
        let file = rustix::fs::openat(CWD, &path, OFlags::RDONLY, Mode::empty());
        black_box(file.map_err(Failure::to("open the file"))?);
    }
    Ok(watch.stop(operations))
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn a_call_takes_its_time() {
        for workload in ["getpid", "read-1", "futex-wake", "open-close"] {
            assert_ne!(measured(workload, 10).elapsed_ns, 0, "{workload}");
        }
    }
}
