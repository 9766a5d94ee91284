//! Files made, looked at and removed, with nothing in them.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat, unlinkat};
use wire::Measured;

use super::failure::Failure;
use super::latencies::Latencies;
use super::place::Place;
use super::watch::{Watch, nanoseconds};

/// Makes as many files as there are operations in one directory, looks at them all, and removes
/// them all. The latencies are of the three together, file by file.
pub fn files(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let directory = place.fresh()?;
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let at = openat(CWD, directory.path(), flags, Mode::empty());
    let at = at.map_err(Failure::to("open the directory"))?;
    let names: Vec<String> = (0..operations)
        .map(|number| format!("file-{number}"))
        .collect();
    let mut times = vec![0; names.len()];
    let watch = Watch::start();
    for step in [make, look_at, remove] {
        let mut began = Instant::now();
        for (name, time) in names.iter().zip(&mut times) {
            step(&at, name)?;
            let ended = Instant::now();
            *time += nanoseconds(ended - began);
            began = ended;
        }
    }
    let measured = watch.stop(operations);
    let mut latencies = Latencies::of(operations);
    (0..)
        .zip(times)
        .for_each(|(index, time)| latencies.add(index, time));
    Ok(Measured {
        latencies_ns: latencies.kept(),
        ..measured
    })
}

fn make(at: &OwnedFd, name: &str) -> Result<(), Failure> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let made = openat(at, name, flags, Mode::RUSR | Mode::WUSR);
    made.map(drop).map_err(Failure::to("make a file"))
}

fn look_at(at: &OwnedFd, name: &str) -> Result<(), Failure> {
    let seen = statat(at, name, AtFlags::empty());
    seen.map(drop).map_err(Failure::to("look at a file"))
}

fn remove(at: &OwnedFd, name: &str) -> Result<(), Failure> {
    unlinkat(at, name, AtFlags::empty()).map_err(Failure::to("remove a file"))
}
