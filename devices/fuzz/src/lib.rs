//! What the fuzz targets share: devices with nothing outside, and a hostile guest's moves.

use std::fs::File;
use std::os::fd::AsRawFd;

use devices::Memory;
use devices::driver::Driver;
use devices::virtio::block::{Block, BlockOptions};
use devices::virtio::console::Loopback;
use devices::virtio::rng::Rng;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress};

/// The size of a guest's memory.
pub const MEMORY_SIZE: usize = 4 << 20;
/// The size of the disk in memory.
pub const DISK_SIZE: u64 = 64 << 10;

/// The devices that `mmio` attacks. A new device is one more line here and in `driver`.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Device {
    /// The entropy device.
    Rng,
    /// A disk in memory.
    Block,
    /// A console whose output is its input.
    Console,
}

impl Device {
    /// A guest with this device.
    pub fn driver(self) -> Driver {
        let memory = Memory::from_ranges(&[(GuestAddress(0), MEMORY_SIZE)]).expect("4 MiB");
        match self {
            Self::Rng => Driver::with_memory(Rng::default(), memory),
            Self::Block => Driver::with_memory(disk().0, memory),
            Self::Console => Driver::with_memory(Loopback::console(), memory),
        }
    }
}

/// An empty file in memory.
pub fn memory_file(name: &str) -> File {
    File::from(memfd_create(name, MemfdFlags::CLOEXEC).expect("a memfd"))
}

/// A disk in memory, and its file.
pub fn disk() -> (Block, File) {
    let file = memory_file("disk");
    ftruncate(&file, DISK_SIZE).expect("64 KiB");
    let options = BlockOptions {
        path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
        readonly: false,
        serial: None,
        direct: false,
        force_raw: false,
        queues: 2,
    };
    // Each input has a new device: rings by the thousand are a test of the host.
    let block = Block::open_blocking(&options).expect("the memfd is a disk");
    (block, file)
}

/// A descriptor as a guest may write it.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct RawDescriptor {
    address: u32,
    len: u16,
    flags: u8,
    next: u8,
}

impl RawDescriptor {
    /// Its form in a table. Most addresses are in memory, some are not.
    pub fn split(self) -> Descriptor {
        let address = u64::from(self.address & 0x7f_ffff);
        let flags = u16::from(self.flags & 0b111);
        Descriptor::new(address, self.len.into(), flags, self.next.into())
    }
}

/// One move of a hostile guest.
#[derive(Arbitrary, Debug)]
pub enum Move {
    /// Start the device by the book.
    Start { features: u64 },
    /// Read a register or the configuration.
    Read { offset: u16, len: u8 },
    /// Write a register or the configuration.
    Write { offset: u16, bytes: Vec<u8> },
    /// Write a register as a driver does.
    WriteRegister { index: u8, value: u32 },
    /// Write memory, where a ring or anything else may be.
    WriteMemory { address: u32, bytes: Vec<u8> },
    /// Write a descriptor.
    Describe {
        index: u8,
        descriptor: RawDescriptor,
    },
    /// Make a chain available and kick.
    Publish { queue: u8, head: u8 },
}

impl Move {
    /// Makes the move.
    pub fn make(self, driver: &mut Driver) {
        use devices::bus::BusDevice;
        match self {
            Self::Start { features } => driver.start(features),
            Self::Read { offset, len } => {
                let mut data = vec![0; len.into()];
                driver.transport().read(offset.into(), &mut data);
            }
            Self::Write { offset, bytes } => driver.transport().write(offset.into(), &bytes),
            Self::WriteRegister { index, value } => driver.write(u32::from(index) * 4, value),
            Self::WriteMemory { address, bytes } => {
                // Past the end of memory nothing is written, which is as good a move.
                let _ = driver
                    .memory()
                    .write_slice(&bytes, GuestAddress(address.into()));
            }
            Self::Describe { index, descriptor } => {
                if let Some(ring) = driver.try_ring(0) {
                    let table = ring.descriptor_table();
                    let index = u16::from(index) % ring.size();
                    ring.write_descriptor(table, index, descriptor.split());
                }
            }
            Self::Publish { queue, head } => {
                if let Some(ring) = driver.try_ring(queue.into()) {
                    ring.publish(head.into());
                    driver.kick(queue.into());
                }
            }
        }
    }
}
