//! Any chain against the disk: it is taken apart without a panic, answered, and changes
//! nothing but what is on the disk.
#![no_main]

use devices::Memory;
use devices::driver::Buffer;
use devices::driver::Driver;
use devices::virtio::block::request::Request;
use devices_fuzz::{DISK_SIZE, MEMORY_SIZE, RawDescriptor, disk};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use virtio_queue::desc::RawDescriptor as Stored;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

/// A request that has every part, in any sizes.
#[derive(Arbitrary, Debug)]
struct Asked {
    kind: u8,
    sector: u16,
    payload: Vec<u8>,
    parts: Vec<(bool, u16)>,
}

#[derive(Arbitrary, Debug)]
enum Input {
    Parse {
        descriptors: Vec<RawDescriptor>,
        memory: Vec<u8>,
    },
    Ask(Vec<Asked>),
}

fuzz_target!(|input: Input| match input {
    Input::Parse {
        descriptors,
        memory,
    } => parse(&descriptors, &memory),
    Input::Ask(requests) => ask(&requests),
});

const TABLE: u64 = 0x10_0000;
const AVAILABLE: u64 = 0x11_0000;
const USED: u64 = 0x12_0000;

fn parse(descriptors: &[RawDescriptor], bytes: &[u8]) {
    let memory = Memory::from_ranges(&[(GuestAddress(0), MEMORY_SIZE)]).expect("4 MiB");
    let count = bytes.len().min(0x1_0000);
    memory
        .write_slice(&bytes[..count], GuestAddress(0))
        .expect("it is in memory");
    for (index, descriptor) in descriptors.iter().take(256).enumerate() {
        let address = GuestAddress(TABLE + 16 * index as u64);
        let stored = Stored::from(descriptor.split());
        memory
            .write_obj(stored, address)
            .expect("the table is in memory");
    }
    memory
        .write_obj(1u16, GuestAddress(AVAILABLE + 2))
        .expect("so is the ring");
    let mut queue = Queue::new(256).expect("a power of two");
    queue.set_desc_table_address(Some(TABLE as u32), None);
    queue.set_avail_ring_address(Some(AVAILABLE as u32), None);
    queue.set_used_ring_address(Some(USED as u32), None);
    queue.set_ready(true);
    let chain = queue.iter(&memory).expect("one chain is available").next();
    let chain = chain.expect("one chain is available");
    if let Ok(request) = Request::parse(&memory, chain) {
        assert!(request.data.len() <= u64::from(u32::MAX));
    }
}

fn ask(requests: &[Asked]) {
    let (block, file) = disk();
    let memory = Memory::from_ranges(&[(GuestAddress(0), MEMORY_SIZE)]).expect("4 MiB");
    let mut driver = Driver::with_memory(block, memory);
    driver.start(u64::MAX);
    for asked in requests.iter().take(16) {
        let chain = chain(&mut driver, asked);
        driver.ring(0).add(&chain);
        driver.kick(0);
        driver.wait(0);
    }
    assert_eq!(file.metadata().expect("it is open").len(), DISK_SIZE);
}

/// Header, payload and parts in a row, however they are cut.
fn chain(driver: &mut Driver, asked: &Asked) -> Vec<Buffer> {
    let mut bytes = u64::from(asked.kind).to_le_bytes().to_vec();
    bytes.extend(u64::from(asked.sector % 160).to_le_bytes());
    bytes.extend(&asked.payload);
    bytes.truncate(0x1000);
    let address = driver.store(&bytes);
    let mut chain = vec![Buffer::readable(address, bytes.len())];
    for (writable, len) in asked.parts.iter().take(32) {
        chain.push(Buffer {
            address: 0x20_0000,
            len: usize::from(*len),
            writable: *writable,
        });
    }
    chain.push(Buffer::writable(0x30_0000, 1));
    chain
}
