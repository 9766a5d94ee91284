//! What a guest may rely on from its disk, with either engine.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use virtio_bindings::virtio_blk::*;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vmm_sys_util::tempfile::TempFile;

use super::*;
use crate::driver::{Buffer, Driver};

mod images;
mod narrow;

// virtio 1.2, 5.2.6: the values of the status.
const OK: u8 = 0;
const IO_ERROR: u8 = 1;
const UNSUPPORTED: u8 = 2;
const ALL_FEATURES: u64 = u64::MAX;
const SECTORS: u64 = 2048;
const SIZE: usize = 1 << 20;

type Open = fn(&BlockOptions) -> Result<Block, OpenError>;
const ENGINES: [Open; 2] = [Block::open, Block::open_blocking];

fn options(path: &Path) -> BlockOptions {
    BlockOptions {
        path: path.to_owned(),
        readonly: false,
        serial: Some("serial-1".to_owned()),
        direct: false,
        force_raw: false,
        queues: 1,
    }
}

/// An image of 1 MiB whose sectors are filled with their number's low byte.
fn image() -> TempFile {
    let image = TempFile::new().unwrap();
    let sectors = (0..SECTORS).flat_map(|sector| [sector.to_le_bytes()[0]; 512]);
    let bytes: Vec<u8> = sectors.collect();
    image.as_file().write_all(&bytes).unwrap();
    image
}

/// A guest with an image of its own.
struct Guest {
    driver: Driver,
    image: TempFile,
}

impl Guest {
    fn new(open: Open, change: impl FnOnce(&mut BlockOptions)) -> Self {
        let image = image();
        let mut options = options(image.as_path());
        change(&mut options);
        let mut driver = Driver::new(open(&options).unwrap());
        driver.start(ALL_FEATURES);
        Self { driver, image }
    }

    /// A guest with each engine, and one whose requests all go through the ring.
    fn each() -> impl Iterator<Item = Self> {
        let cached = ENGINES.into_iter().map(|open| Self::new(open, |_| {}));
        let direct = Self::new(Block::open, |options| options.direct = true);
        cached.chain([direct])
    }

    /// Asks for `kind` at `sector`; returns the data and the status.
    fn ask(&mut self, kind: u32, sector: u64, data: &[u8], room: usize) -> (Vec<u8>, u8) {
        let header = self.driver.store(&header(kind, sector));
        let (data_at, room_at) = (self.driver.store(data), self.driver.alloc(room));
        let status = self.driver.store(&[0xff]);
        let chain = [
            Buffer::readable(header, 16),
            Buffer::readable(data_at, data.len()),
            Buffer::writable(room_at, room),
            Buffer::writable(status, 1),
        ];
        let chain: Vec<_> = chain.into_iter().filter(|part| part.len > 0).collect();
        self.driver.ring(0).add(&chain);
        self.driver.kick(0);
        self.driver.wait(0);
        (
            self.driver.load(room_at, room),
            self.driver.load(status, 1)[0],
        )
    }

    fn read(&mut self, sector: u64, len: usize) -> (Vec<u8>, u8) {
        self.ask(VIRTIO_BLK_T_IN, sector, &[], len)
    }

    fn write(&mut self, sector: u64, data: &[u8]) -> u8 {
        self.ask(VIRTIO_BLK_T_OUT, sector, data, 0).1
    }

    fn zero(&mut self, kind: u32, sector: u64, count: u32, flags: u32) -> u8 {
        let mut range = sector.to_le_bytes().to_vec();
        range.extend(count.to_le_bytes());
        range.extend(flags.to_le_bytes());
        self.ask(kind, 0, &range, 0).1
    }

    /// What the host finds in the image.
    fn on_host(&self, sector: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let file = File::open(self.image.as_path()).unwrap();
        file.read_exact_at(&mut bytes, sector * 512).unwrap();
        bytes
    }
}

fn header(kind: u32, sector: u64) -> Vec<u8> {
    let mut header = kind.to_le_bytes().to_vec();
    header.extend([0; 4]);
    header.extend(sector.to_le_bytes());
    header
}

#[test]
fn a_read_gives_what_the_image_holds() {
    for mut guest in Guest::each() {
        let (data, status) = guest.read(7, 1024);
        assert_eq!(status, OK);
        assert_eq!(data, [[7; 512], [8; 512]].concat());
    }
}

#[test]
fn a_write_is_in_the_image_and_read_back() {
    for mut guest in Guest::each() {
        assert_eq!(guest.write(3, &[0xaa; 1536]), OK);
        assert_eq!(guest.on_host(3, 1536), [0xaa; 1536]);
        assert_eq!(guest.on_host(6, 512), [6; 512]);
        assert_eq!(guest.read(3, 1536).0, [0xaa; 1536]);
    }
}

#[test]
fn the_last_sector_belongs_to_the_disk_and_the_next_one_does_not() {
    for mut guest in Guest::each() {
        assert_eq!(guest.write(SECTORS - 1, &[1; 512]), OK);
        assert_eq!(guest.write(SECTORS, &[1; 512]), IO_ERROR);
        assert_eq!(guest.write(SECTORS - 1, &[1; 1024]), IO_ERROR);
        assert_eq!(guest.write(u64::MAX, &[1; 512]), IO_ERROR);
        assert_eq!(guest.read(u64::MAX / 512, 512).1, IO_ERROR);
        assert_eq!(guest.image.as_file().metadata().unwrap().len(), SIZE as u64);
    }
}

#[test]
fn part_of_a_sector_is_an_error() {
    for mut guest in Guest::each() {
        assert_eq!(guest.write(0, &[1; 100]), IO_ERROR);
        assert_eq!(guest.read(0, 513).1, IO_ERROR);
    }
}

#[test]
fn a_flush_is_answered() {
    for mut guest in Guest::each() {
        guest.write(0, &[5; 512]);
        assert_eq!(guest.ask(VIRTIO_BLK_T_FLUSH, 0, &[], 0).1, OK);
    }
}

#[test]
fn the_serial_number_is_told_as_far_as_there_is_room() {
    for mut guest in Guest::each() {
        let (long, status) = guest.ask(VIRTIO_BLK_T_GET_ID, 0, &[], 20);
        assert_eq!((&long[..9], status), (&b"serial-1\0"[..], OK));
        assert_eq!(guest.ask(VIRTIO_BLK_T_GET_ID, 0, &[], 6).0, b"serial");
    }
}

#[test]
fn what_is_discarded_takes_no_space() {
    for mut guest in Guest::each() {
        assert_eq!(guest.zero(VIRTIO_BLK_T_DISCARD, 8, 1024, 0), OK);
        assert_eq!(guest.on_host(8, 512), [0; 512]);
        assert_eq!(guest.on_host(7, 512), [7; 512]);
    }
}

#[test]
fn zeroes_are_written_with_and_without_keeping_the_space() {
    for mut guest in Guest::each() {
        for (sector, flags) in [(16, 0), (64, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)] {
            let status = guest.zero(VIRTIO_BLK_T_WRITE_ZEROES, sector, 3, flags);
            assert_eq!(status, OK);
            assert_eq!(guest.on_host(sector, 1536), [0; 1536]);
            assert_ne!(guest.on_host(sector + 3, 512), [0; 512]);
        }
    }
}

#[test]
fn ranges_off_the_disk_and_unknown_flags_are_refused() {
    for mut guest in Guest::each() {
        let mut zero = |sector, count, flags| {
            [VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES]
                .map(|kind| guest.zero(kind, sector, count, flags))
        };
        assert_eq!(zero(SECTORS - 1, 2, 0), [IO_ERROR; 2]);
        assert_eq!(zero(u64::MAX, u32::MAX, 0), [IO_ERROR; 2]);
        assert_eq!(zero(0, 8, 2), [UNSUPPORTED; 2]);
        assert_eq!(zero(0, 8, 1), [UNSUPPORTED, OK]);
    }
}

#[test]
fn an_unknown_request_is_unsupported() {
    for mut guest in Guest::each() {
        assert_eq!(guest.ask(99, 0, &[], 0).1, UNSUPPORTED);
        assert_eq!(guest.read(0, 512).1, OK);
    }
}

#[test]
fn a_readonly_disk_is_told_and_kept() {
    for open in ENGINES {
        let mut guest = Guest::new(open, |options| options.readonly = true);
        assert_ne!(guest.driver.device_features() & feature(VIRTIO_BLK_F_RO), 0);
        assert_eq!(guest.read(1, 512).1, OK);
        assert_eq!(guest.write(1, &[9; 512]), IO_ERROR);
        assert_eq!(guest.zero(VIRTIO_BLK_T_DISCARD, 1, 8, 0), IO_ERROR);
        assert_eq!(guest.zero(VIRTIO_BLK_T_WRITE_ZEROES, 1, 8, 0), IO_ERROR);
        assert_eq!(guest.on_host(1, 512), [1; 512]);
    }
}

#[test]
fn a_request_may_be_cut_anywhere() {
    for mut guest in Guest::each() {
        let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, 5));
        let answer = guest.driver.alloc(513);
        guest.driver.ring(0).add(&[
            Buffer::readable(header, 3),
            Buffer::readable(header + 3, 13),
            Buffer::writable(answer, 100),
            Buffer::writable(answer + 100, 413),
        ]);
        guest.driver.kick(0);
        assert_eq!(guest.driver.wait(0).len, 513);
        assert_eq!(guest.driver.load(answer, 512), [5; 512]);
        assert_eq!(guest.driver.load(answer + 512, 1), [OK]);
    }
}

#[test]
fn chains_that_are_no_requests_come_back() {
    for mut guest in Guest::each() {
        let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, 0));
        let room = guest.driver.alloc(4096);
        let chains: [&[Buffer]; 5] = [
            &[Buffer::readable(header, 16)],
            &[Buffer::readable(header, 15), Buffer::writable(room, 1)],
            &[Buffer::writable(room, 1)],
            &[Buffer::writable(room, 513), Buffer::readable(header, 16)],
            &[Buffer::readable(1 << 60, 16), Buffer::writable(room, 1)],
        ];
        for chain in chains {
            guest.driver.ring(0).add(chain);
            guest.driver.kick(0);
            assert!(guest.driver.wait(0).len <= 1);
        }
        assert_eq!(guest.read(0, 512).1, OK);
    }
}

#[test]
fn a_chain_longer_than_the_kernel_takes_comes_back_unserved() {
    for mut guest in Guest::each() {
        let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, 0));
        let (table, room) = (guest.driver.alloc(16 * 1200), guest.driver.alloc(1200));
        let mut chain = vec![Buffer::readable(header, 16)];
        chain.extend((0..1025).map(|byte| Buffer::writable(room + byte, 1)));
        guest.driver.ring(0).add_indirect(table, &chain);
        guest.driver.kick(0);
        assert_eq!(guest.driver.wait(0).len, 0);
        assert_eq!(guest.driver.load(room, 1025), [0; 1025]);
    }
}

#[test]
fn data_outside_of_memory_is_an_error() {
    for mut guest in Guest::each() {
        let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, 0));
        let status = guest.driver.store(&[0xff]);
        guest.driver.ring(0).add(&[
            Buffer::readable(header, 16),
            Buffer::writable(u64::MAX - 511, 512),
            Buffer::writable(status, 1),
        ]);
        guest.driver.kick(0);
        guest.driver.wait(0);
        assert_eq!(guest.driver.load(status, 1), [IO_ERROR]);
    }
}

#[test]
fn many_requests_at_once_are_all_answered() {
    for mut guest in Guest::each() {
        let status = guest.driver.store(&[0xff; 80]);
        let data = guest.driver.alloc(80 * 512);
        for number in 0..80 {
            let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, number));
            guest.driver.ring(0).add(&[
                Buffer::readable(header, 16),
                Buffer::writable(data + number * 512, 512),
                Buffer::writable(status + number, 1),
            ]);
        }
        guest.driver.kick(0);
        for _ in 0..80 {
            guest.driver.wait(0);
        }
        assert_eq!(guest.driver.load(status, 80), [OK; 80]);
        assert_eq!(guest.driver.load(data + 79 * 512, 512), [79; 512]);
    }
}

#[test]
fn every_queue_reaches_the_disk() {
    for open in ENGINES {
        let mut guest = Guest::new(open, |options| options.queues = 3);
        assert_eq!(guest.driver.config::<2>(34), 3u16.to_le_bytes());
        for queue in 0..3u8 {
            let header = header(VIRTIO_BLK_T_IN, queue.into());
            let answer = guest.driver.ask(queue.into(), &header, 513);
            assert_eq!(answer[..512], [queue; 512]);
        }
    }
}

#[test]
fn a_file_that_shrinks_is_an_error_for_the_guest_only() {
    for mut guest in Guest::each() {
        guest.image.as_file().set_len(4096).unwrap();
        assert_eq!(guest.read(100, 512).1, IO_ERROR);
        assert_eq!(guest.read(7, 1024).1, IO_ERROR);
        assert_eq!(guest.read(7, 512), (vec![7; 512], OK));
    }
}

#[test]
fn a_reset_waits_for_what_is_in_flight() {
    for mut guest in Guest::each() {
        let header = guest.driver.store(&header(VIRTIO_BLK_T_OUT, 0));
        let data = guest.driver.store(&[0x5a; 1 << 19]);
        let status = guest.driver.store(&[0xff]);
        guest.driver.ring(0).add(&[
            Buffer::readable(header, 16),
            Buffer::readable(data, 1 << 19),
            Buffer::writable(status, 1),
        ]);
        guest.driver.kick(0);
        guest.driver.reset();
        assert_eq!(guest.driver.load(status, 1), [OK]);
        assert_eq!(guest.on_host(1023, 512), [0x5a; 512]);
        guest.driver.start(ALL_FEATURES);
        assert_eq!(guest.read(0, 512), (vec![0x5a; 512], OK));
    }
}

#[test]
fn rings_with_and_without_their_features_work() {
    for features in [
        0,
        1 << VIRTIO_RING_F_EVENT_IDX,
        1 << VIRTIO_RING_F_INDIRECT_DESC,
    ] {
        for mut guest in Guest::each() {
            guest.driver.start(features);
            assert_eq!(guest.write(1, &[0x11; 512]), OK);
            assert_eq!(guest.read(1, 512).0, [0x11; 512]);
        }
    }
}

#[test]
fn the_cache_is_off_where_the_driver_switches_it_off_or_cannot_flush() {
    let image = image();
    let mut block = Block::open(&options(image.as_path())).unwrap();
    let flush = feature(VIRTIO_BLK_F_FLUSH);
    let switch = flush | feature(VIRTIO_BLK_F_CONFIG_WCE);
    assert_eq!(
        [0, flush, switch].map(|features| block.is_durable(features)),
        [true, false, false]
    );
    block.write_config(WRITEBACK_OFFSET, &[0]);
    assert_eq!(
        [flush, switch].map(|features| block.is_durable(features)),
        [false, true]
    );
}

#[test]
fn writes_work_without_the_cache() {
    for mut guest in Guest::each() {
        guest.driver.write_config(32, &[0]);
        assert_eq!(guest.write(1, &[0x77; 512]), OK);
        assert_eq!(guest.on_host(1, 512), [0x77; 512]);
        assert_eq!(guest.zero(VIRTIO_BLK_T_WRITE_ZEROES, 1, 1, 0), OK);
    }
}

#[test]
fn past_the_page_cache_buffers_need_not_be_aligned() {
    for open in ENGINES {
        let mut guest = Guest::new(open, |options| options.direct = true);
        let header = guest.driver.store(&header(VIRTIO_BLK_T_IN, 8));
        let answer = guest.driver.alloc(8192) + 3;
        guest
            .driver
            .ring(0)
            .add(&[Buffer::readable(header, 16), Buffer::writable(answer, 4097)]);
        guest.driver.kick(0);
        assert_eq!(guest.driver.wait(0).len, 4097);
        assert_eq!(guest.driver.load(answer, 512), [8; 512]);
        assert_eq!(guest.driver.load(answer + 4096, 1), [OK]);
        assert_eq!(guest.write(16, &[0x31; 8192]), OK);
        assert_eq!(guest.read(16, 8192), (vec![0x31; 8192], OK));
    }
}

#[test]
fn zeroes_are_written_where_the_file_system_cannot_make_them() {
    let image = image();
    let disk = Disk::open(image.as_path(), Access::default()).unwrap();
    disk.write_zeroes(512, 40_960).unwrap();
    let mut bytes = vec![1; 41_984];
    image.as_file().read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes[512..41_472], [0; 40_960]);
    assert_eq!(bytes[41_472..], [81; 512]);
}

/// A disk in memory: its file system has no ZERO_RANGE.
fn in_memory(seals: SealFlags) -> (File, BlockOptions) {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("disk", flags).unwrap());
    file.write_all_at(&vec![0xee; SIZE], 0).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    (file, options(Path::new(&path)))
}

fn guest_of(open: Open, options: &BlockOptions) -> Driver {
    let mut driver = Driver::new(open(options).unwrap());
    driver.start(ALL_FEATURES);
    driver
}

#[test]
fn a_file_system_without_zero_range_gets_zeroes() {
    for open in ENGINES {
        let (file, options) = in_memory(SealFlags::empty());
        let mut request = header(VIRTIO_BLK_T_WRITE_ZEROES, 0);
        request.extend([8u64.to_le_bytes(), 100u64.to_le_bytes()].concat());
        assert_eq!(guest_of(open, &options).ask(0, &request, 1), [OK]);
        let mut bytes = vec![1; 512 * 101];
        file.read_exact_at(&mut bytes, 8 * 512).unwrap();
        assert_eq!(bytes[..51_200], [0; 51_200]);
        assert_eq!(bytes[51_200..], [0xee; 512]);
    }
}

#[test]
fn what_the_host_refuses_is_an_error_for_the_guest_only() {
    for open in ENGINES {
        let (_file, options) = in_memory(SealFlags::WRITE);
        let mut driver = guest_of(open, &options);
        let mut request = header(VIRTIO_BLK_T_OUT, 0);
        request.extend([1; 512]);
        assert_eq!(driver.ask(0, &request, 1), [IO_ERROR]);
        let read = driver.ask(0, &header(VIRTIO_BLK_T_IN, 0), 513);
        assert_eq!((read[0], read[512]), (0xee, OK));
    }
}
