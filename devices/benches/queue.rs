//! The queue path alone: what a request costs from the kick to the used ring, without KVM
//! and without a medium. `cargo bench -p devices --features test-utils`.
//!
//! The disk is in the page cache, so a block request is the device's own work and one copy
//! of 4 KiB.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use devices::driver::{Buffer, Driver};
use devices::virtio::block::{Block, BlockOptions, OpenError};
use devices::virtio::rng::Rng;
use virtio_bindings::virtio_blk::{VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT};
use vmm_sys_util::tempfile::TempFile;

const DEPTHS: [u16; 2] = [1, 32];
const DISK_SIZE: u64 = 64 << 20;
const BLOCK: usize = 4096;

/// Makes `depth` requests available, kicks once, and collects the answers.
fn round(driver: &mut Driver, requests: &[Vec<Buffer>]) {
    for request in requests {
        driver.ring(0).add(request);
    }
    driver.kick(0);
    for _ in requests {
        black_box(driver.wait(0));
    }
}

fn entropy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rng/16B");
    for depth in DEPTHS {
        let mut driver = Driver::new(Rng::default());
        driver.start(u64::MAX);
        let buffer = driver.alloc(16);
        let requests = vec![vec![Buffer::writable(buffer, 16)]; depth.into()];
        group.throughput(Throughput::Elements(depth.into()));
        group.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
            bencher.iter(|| round(&mut driver, &requests));
        });
    }
    group.finish();
}

/// A new disk; its file is gone when it is dropped.
fn disk(open: fn(&BlockOptions) -> Result<Block, OpenError>) -> Block {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = TempFile::new_in(folder).expect("a file");
    file.as_file().set_len(DISK_SIZE).expect("64 MiB");
    let options = BlockOptions {
        path: file.as_path().to_owned(),
        readonly: false,
        serial: None,
        direct: false,
        force_raw: false,
        queues: 1,
    };
    open(&options).expect("the file is a disk")
}

/// The request of `kind` for 4 KiB at `sector`.
fn request(driver: &mut Driver, kind: u32, sector: u64) -> Vec<Buffer> {
    let mut header = u64::from(kind).to_le_bytes().to_vec();
    header.extend(sector.to_le_bytes());
    let header = driver.store(&header);
    let (data, status) = (driver.alloc(BLOCK), driver.alloc(1));
    let data = match kind {
        VIRTIO_BLK_T_IN => Buffer::writable(data, BLOCK),
        _ => Buffer::readable(data, BLOCK),
    };
    vec![
        Buffer::readable(header, 16),
        data,
        Buffer::writable(status, 1),
    ]
}

fn block(criterion: &mut Criterion) {
    for (engine, open) in [
        ("io_uring", Block::open as fn(&BlockOptions) -> _),
        ("blocking", Block::open_blocking),
    ] {
        for (name, kind) in [("read", VIRTIO_BLK_T_IN), ("write", VIRTIO_BLK_T_OUT)] {
            let mut group = criterion.benchmark_group(format!("block/{engine}/{name} 4K"));
            for depth in DEPTHS {
                let mut driver = Driver::new(disk(open));
                driver.start(u64::MAX);
                let sectors = (0..u64::from(depth)).map(|number| number * 8);
                let requests: Vec<_> = sectors
                    .map(|sector| request(&mut driver, kind, sector))
                    .collect();
                // The cache is warm before it is measured.
                round(&mut driver, &requests);
                group.throughput(Throughput::Elements(depth.into()));
                group.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
                    bencher.iter(|| round(&mut driver, &requests));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, entropy, block);
criterion_main!(benches);
