//! Reading and writing past every cache of the kernel that we run on: the disk itself, or what a
//! wall shows as one.

use std::fs::File;

use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl, fstatfs};
use wire::Measured;

use super::buffered::{read_block, write_block};
use super::failure::Failure;
use super::latencies::timed;
use super::mapping::{Mapping, PAGE, Pages};
use super::place::{DATA, Place};
use super::random::Random;

/// 1 MiB.
const LARGE: usize = 1 << 20;

/// 4 KiB anywhere.
pub fn read_small(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut buffer) = (Direct::new(place.data()?)?, buffer(PAGE)?);
    let (block, mut random) = (buffer.bytes(), Random::new());
    timed(operations, |_| {
        read_block(file.0, block, anywhere(&mut random))
    })
}

/// 4 KiB anywhere.
pub fn write_small(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut buffer) = (Direct::new(place.data()?)?, buffer(PAGE)?);
    let (block, mut random) = (buffer.bytes(), Random::new());
    timed(operations, |_| {
        write_block(file.0, block, anywhere(&mut random))
    })
}

/// 1 MiB after 1 MiB.
pub fn read_large(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut buffer) = (Direct::new(place.data()?)?, buffer(LARGE)?);
    let block = buffer.bytes();
    let measured = timed(operations, |index| read_block(file.0, block, next(index)))?;
    Ok(of_bytes(measured))
}

/// 1 MiB after 1 MiB.
pub fn write_large(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut buffer) = (Direct::new(place.data()?)?, buffer(LARGE)?);
    let block = buffer.bytes();
    let measured = timed(operations, |index| write_block(file.0, block, next(index)))?;
    Ok(of_bytes(measured))
}

fn anywhere(random: &mut Random) -> u64 {
    let blocks = usize::try_from(DATA).unwrap_or(usize::MAX) / PAGE;
    (random.below(blocks) * PAGE) as u64
}

fn next(index: u64) -> u64 {
    index * LARGE as u64 % DATA
}

fn of_bytes(measured: Measured) -> Measured {
    Measured {
        bytes: measured.operations * LARGE as u64,
        ..measured
    }
}

/// Memory that devices can reach, which starts where a page does: open(2), `O_DIRECT`.
fn buffer(length: usize) -> Result<Mapping, Failure> {
    let mut buffer = Mapping::new(length, Pages::Small)?;
    buffer.bytes().fill(0xa5);
    Ok(buffer)
}

/// A file past whose cache one reads and writes, as long as this lives.
struct Direct<'a>(&'a File);

impl<'a> Direct<'a> {
    fn new(file: &'a File) -> Result<Self, Failure> {
        must_have_disk(file)?;
        // What is cached need not be written back first, later on.
        let forgotten = fadvise(file, 0, None, Advice::DontNeed);
        forgotten.map_err(Failure::to("empty the cache of a file"))?;
        let flags = fcntl_getfl(file).map_err(Failure::to("tell how a file is open"))?;
        let direct = fcntl_setfl(file, flags | OFlags::DIRECT);
        direct.map_err(Failure::to(
            "go past the cache of this file system (O_DIRECT)",
        ))?;
        Ok(Self(file))
    }
}

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        // It was so before.
        let _ = fcntl_getfl(self.0).and_then(|flags| fcntl_setfl(self.0, flags - OFlags::DIRECT));
    }
}

/// `linux/magic.h`
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Refuses a file system that has nothing but memory, and says yes to everything.
pub fn must_have_disk(file: &File) -> Result<(), Failure> {
    let system = fstatfs(file).map_err(Failure::to("tell which file system this is"))?;
    match system.f_type == TMPFS_MAGIC {
        true => Err(Failure::NotHere(
            "files are in memory here (tmpfs), and there is no disk: give another --directory",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::measured;
    use super::*;

    #[test]
    fn large_blocks_are_bytes_and_small_ones_are_operations() {
        for workload in ["file-read-direct-1m", "file-write-direct-1m"] {
            assert_eq!(measured(workload, 65).bytes, 65 << 20, "{workload}");
        }
        for workload in ["file-read-direct-4k", "file-write-direct-4k"] {
            let measured = measured(workload, 5);
            assert_eq!(
                (measured.latencies_ns.len(), measured.bytes),
                (5, 0),
                "{workload}"
            );
        }
    }

    #[test]
    fn memory_is_no_disk() {
        let mut place = Place::below(Path::new("/dev/shm"));
        let refused = read_small(&mut place, 1).unwrap_err().sentence();
        assert!(refused.contains("tmpfs"), "{refused}");
    }
}
