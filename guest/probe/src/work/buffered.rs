//! Reading and writing as most programs do: the kernel keeps pages, and disks come later.

use std::fs::File;
use std::os::unix::fs::FileExt;

use wire::Measured;

use super::failure::Failure;
use super::latencies::timed;
use super::mapping::PAGE;
use super::place::Place;
use super::random::Random;

/// How many blocks of 4 KiB are written and read before it starts again from the first: 16 MiB,
/// so that no kernel makes us wait until some are on a disk.
const BLOCKS: u32 = 4096;

fn offset(index: u64) -> u64 {
    index % u64::from(BLOCKS) * PAGE as u64
}

/// 4 KiB after 4 KiB into a new file.
pub fn write(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, block) = (place.file()?, [0xa5; PAGE]);
    timed(operations, |index| {
        write_block(&file, &block, offset(index))
    })
}

/// 4 KiB anywhere in a file that is in the cache.
pub fn write_anywhere(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, block) = (place.file()?, [0xa5; PAGE]);
    for index in 0..u64::from(BLOCKS) {
        write_block(&file, &block, offset(index))?;
    }
    let mut random = Random::new();
    timed(operations, |_| {
        write_block(&file, &block, anywhere(&mut random))
    })
}

/// 4 KiB after 4 KiB of a file that is in the cache.
pub fn read(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut block) = (place.data()?, [0; PAGE]);
    cache(file, operations)?;
    timed(operations, |index| {
        read_block(file, &mut block, offset(index))
    })
}

/// 4 KiB anywhere of a file that is in the cache.
pub fn read_anywhere(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (file, mut block) = (place.data()?, [0; PAGE]);
    cache(file, u64::MAX)?;
    let mut random = Random::new();
    timed(operations, |_| {
        read_block(file, &mut block, anywhere(&mut random))
    })
}

fn anywhere(random: &mut Random) -> u64 {
    offset(random.below(BLOCKS as usize) as u64)
}

/// Reads as many of the blocks as `most` says.
fn cache(file: &File, most: u64) -> Result<(), Failure> {
    let (mut block, blocks) = ([0; PAGE], u64::from(BLOCKS).min(most));
    (0..blocks).try_for_each(|index| read_block(file, &mut block, offset(index)))
}

/// 4 KiB more in a file, and on its disk before anything else is done.
///
/// The file has a name: a file system need not care that one is there after a crash which nobody
/// could open then (btrfs does not).
pub fn sync(place: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let directory = place.fresh()?;
    let file = File::create_new(directory.path().join("synced"));
    let (file, block) = (file.map_err(Failure::to("make a file"))?, [0xa5; PAGE]);
    super::direct::must_have_disk(&file)?;
    timed(operations, |index| {
        write_block(&file, &block, index * PAGE as u64)?;
        file.sync_data()
            .map_err(Failure::to("have a file on its disk"))
    })
}

/// Writes the whole `block`.
pub fn write_block(file: &File, block: &[u8], offset: u64) -> Result<(), Failure> {
    let written = file.write_all_at(block, offset);
    written.map_err(Failure::to("write into a file"))
}

/// Reads the whole `block`.
pub fn read_block(file: &File, block: &mut [u8], offset: u64) -> Result<(), Failure> {
    let read = file.read_exact_at(block, offset);
    read.map_err(Failure::to("read a file"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn each_block_has_its_time() {
        for workload in [
            "file-write-buffered",
            "file-read-buffered",
            "file-write-buffered-random",
            "file-read-buffered-random",
            "file-fsync",
            "file-metadata",
        ] {
            assert_eq!(measured(workload, 3).latencies_ns.len(), 3, "{workload}");
        }
    }
}
