//! Any bytes as two layers of an image: they are applied and become a base that reads back as the
//! same base, or they are refused with a sentence.
#![no_main]

use std::io::Write;
use std::sync::Arc;

use devices_fuzz::memory_file;
use libfuzzer_sys::fuzz_target;
use vmm::image::tree::Tree;
use vmm::image::{Spool, erofs, layer};

/// The most that the layers may unpack to.
const LIMIT: u64 = 1 << 20;
const BLOCK: usize = 512;

fuzz_target!(|bytes: &[u8]| {
    let (lower, upper) = bytes.split_at(bytes.len() / 2 / BLOCK * BLOCK);
    let mut tree = Tree::default();
    let mut spool = Spool::new(memory_file("spool"), LIMIT);
    for (number, bytes) in [(1, lower), (2, upper)] {
        let tar = with_checksums(bytes);
        if let Err(error) = layer::apply(&mut tree, number, &tar[..], &mut spool) {
            assert!(!error.to_string().is_empty());
            return;
        }
    }
    let mut base = Vec::new();
    erofs::write(&tree, &mut base).expect("memory takes all");
    let mut file = memory_file("base");
    file.write_all(&base).expect("memory takes all");
    let again = erofs::read(&Arc::new(file)).expect("it has just been made");
    let mut copy = Vec::new();
    erofs::write(&again, &mut copy).expect("memory takes all");
    assert!(base == copy);
});

/// Makes each header one that is believed, so that what is behind is reached.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    let mut rest = &mut tar[..];
    while let Some((header, behind)) = rest.split_first_chunk_mut::<BLOCK>() {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        if sum > 8 * u32::from(b' ') {
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        } else {
            header[148..156].fill(0);
        }
        let size = std::str::from_utf8(&header[124..135]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 8).ok());
        let size = size.unwrap_or(0).next_multiple_of(BLOCK).min(behind.len());
        rest = &mut behind[size..];
    }
    tar
}
