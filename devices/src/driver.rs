//! The guest's side of virtio, for tests, benchmarks and fuzzers.
//!
//! A [`Driver`] reaches its device only as a guest does: by the register page and by guest
//! memory. It keeps to the specification unless it is told not to: [`Driver::write`] and the
//! raw methods of [`Ring`] do whatever a hostile guest would. A mistake of the test itself
//! panics.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that uses its tool wrongly shall fail loudly"
)]

#[cfg(test)]
pub mod echo;
mod ring;

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_mmio::*;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use vm_memory::{Bytes, GuestAddress};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

pub use ring::{Buffer, Ring, Used};

use crate::Memory;
use crate::bus::BusDevice;
use crate::virtio::transport::negotiation::{ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK};
use crate::virtio::{HostFd, Interrupt, MmioTransport, Progress, RegisterPage, VirtioDevice};

/// How much memory a guest has that was not given any.
pub const MEMORY_SIZE: usize = 16 << 20;
/// What every modern driver accepts.
const VERSION_1: u64 = 1 << VIRTIO_F_VERSION_1;
/// How long a device may take before a test gives it up.
const DEADLINE: Duration = Duration::from_secs(20);

/// A guest driver with a device all to itself.
pub struct Driver {
    transport: Arc<Mutex<MmioTransport>>,
    memory: Memory,
    interrupt: EventFd,
    page: RegisterPage,
    host_files: HostFiles,
    rings: Vec<Option<Ring>>,
    next_free: u64,
}

impl Driver {
    /// Puts `device` behind registers, in a guest with 16 MiB of memory at address 0.
    pub fn new(device: impl VirtioDevice + 'static) -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), MEMORY_SIZE)]);
        Self::with_memory(device, memory.expect("the host has 16 MiB"))
    }

    /// Puts `device` behind registers, in a guest with `memory`.
    pub fn with_memory(device: impl VirtioDevice + 'static, memory: Memory) -> Self {
        let interrupt = EventFd::new(EFD_NONBLOCK).expect("the host has an eventfd");
        let event = interrupt.try_clone().expect("the host has an eventfd");
        let page = Memory::from_ranges(&[(GuestAddress(0), RegisterPage::SIZE)]);
        let page = RegisterPage::new(page.expect("the host has 4 KiB"), 0);
        let line = Interrupt::new(event, page.clone());
        let transport = MmioTransport::new(Box::new(device), memory.clone(), Arc::new(line));
        Self {
            host_files: HostFiles::watch(&transport.host_fds()),
            transport: Arc::new(Mutex::new(transport)),
            memory,
            interrupt,
            page,
            rings: Vec::new(),
            // Address 0 stays free: a ring there is refused.
            next_free: 0x1000,
        }
    }

    /// The device's transport, for tests of what stands between it and the event loop.
    pub fn transport(&self) -> MutexGuard<'_, MmioTransport> {
        self.transport
            .lock()
            .expect("no test goes on after a panic")
    }

    /// The device's transport, to be shared with an event source.
    pub fn share_transport(&self) -> Arc<Mutex<MmioTransport>> {
        self.transport.clone()
    }

    /// Reads the register at `offset`, by an exit and without: both must agree.
    pub fn read(&self, offset: u32) -> u32 {
        let mut data = [0; 4];
        self.transport().read(offset.into(), &mut data);
        let value = u32::from_le_bytes(data);
        assert_eq!(self.page.load(offset), value, "register {offset:#x}");
        value
    }

    /// Writes the register at `offset`.
    pub fn write(&self, offset: u32, value: u32) {
        self.transport().write(offset.into(), &value.to_le_bytes());
    }

    /// Reads `N` bytes of the configuration space at `offset`.
    pub fn config<const N: usize>(&self, offset: u32) -> [u8; N] {
        let mut data = [0; N];
        let offset = u64::from(VIRTIO_MMIO_CONFIG) + u64::from(offset);
        self.transport().read(offset, &mut data);
        data
    }

    /// Writes `data` into the configuration space at `offset`.
    pub fn write_config(&self, offset: u32, data: &[u8]) {
        let offset = u64::from(VIRTIO_MMIO_CONFIG) + u64::from(offset);
        self.transport().write(offset, data);
    }

    /// The status register.
    pub fn status(&self) -> u32 {
        self.read(VIRTIO_MMIO_STATUS)
    }

    /// What the device offers.
    pub fn device_features(&self) -> u64 {
        let [low, high] = [0, 1].map(|select| {
            self.write(VIRTIO_MMIO_DEVICE_FEATURES_SEL, select);
            u64::from(self.read(VIRTIO_MMIO_DEVICE_FEATURES))
        });
        low | (high << 32)
    }

    /// How many queues the device has.
    pub fn queue_count(&self) -> usize {
        self.transport().queue_count()
    }

    /// Resets the device and forgets its rings.
    pub fn reset(&mut self) {
        self.write(VIRTIO_MMIO_STATUS, 0);
        self.rings.clear();
    }

    /// Resets the device and walks to FEATURES_OK with those of `features` that it offers,
    /// and VERSION_1; returns them.
    pub fn negotiate(&mut self, features: u64) -> u64 {
        self.reset();
        self.write(VIRTIO_MMIO_STATUS, ACKNOWLEDGE);
        self.write(VIRTIO_MMIO_STATUS, DRIVER);
        let features = (features | VERSION_1) & self.device_features();
        self.choose_features(features);
        self.write(VIRTIO_MMIO_STATUS, FEATURES_OK);
        assert_eq!(
            self.status(),
            FEATURES_OK,
            "the device refuses {features:#x}"
        );
        features
    }

    /// Writes `features`, offered or not.
    #[expect(clippy::cast_possible_truncation, reason = "it is split in halves")]
    pub fn choose_features(&self, features: u64) {
        for (select, half) in [(0, features as u32), (1, (features >> 32) as u32)] {
            self.write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, select);
            self.write(VIRTIO_MMIO_DRIVER_FEATURES, half);
        }
    }

    /// Resets the device, negotiates `features`, and starts it with all its queues, each as
    /// large as it may be.
    pub fn start(&mut self, features: u64) {
        let features = self.negotiate(features);
        for index in 0..self.queue_count() {
            let ring = self.new_ring(index, features);
            self.set_up(index, ring);
        }
        self.write(VIRTIO_MMIO_STATUS, DRIVER_OK);
    }

    /// Lays out a ring for queue `index` in free memory; the device is not told.
    pub fn new_ring(&mut self, index: usize, features: u64) -> Ring {
        self.select(index);
        let size = u16::try_from(self.read(VIRTIO_MMIO_QUEUE_NUM_MAX)).expect("at most 32768");
        let base = self.alloc(Ring::bytes(size));
        let event_idx = features & (1 << VIRTIO_RING_F_EVENT_IDX) != 0;
        Ring::new(self.memory.clone(), base, size, event_idx)
    }

    /// Tells the device that queue `index` is `ring`.
    pub fn set_up(&mut self, index: usize, ring: Ring) {
        self.select(index);
        self.write(VIRTIO_MMIO_QUEUE_NUM, ring.size().into());
        for (register, address) in [
            (VIRTIO_MMIO_QUEUE_DESC_LOW, ring.descriptor_table()),
            (VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring.available_ring()),
            (VIRTIO_MMIO_QUEUE_USED_LOW, ring.used_ring()),
        ] {
            self.write_address(register, address);
        }
        self.write(VIRTIO_MMIO_QUEUE_READY, 1);
        self.rings
            .resize_with(self.rings.len().max(index + 1), || None);
        self.rings[index] = Some(ring);
    }

    /// Writes `address` into the pair of registers that begins at `register`.
    #[expect(clippy::cast_possible_truncation, reason = "it is split in halves")]
    pub fn write_address(&self, register: u32, address: u64) {
        self.write(register, address as u32);
        self.write(register + 4, (address >> 32) as u32);
    }

    fn select(&self, queue: usize) {
        let queue = u32::try_from(queue).expect("a queue that exists");
        self.write(VIRTIO_MMIO_QUEUE_SEL, queue);
    }

    /// The ring of queue `index`.
    pub fn ring(&mut self, index: usize) -> &mut Ring {
        self.try_ring(index).expect("the queue is set up")
    }

    /// The ring of queue `index`, if it is set up.
    pub fn try_ring(&mut self, index: usize) -> Option<&mut Ring> {
        self.rings.get_mut(index)?.as_mut()
    }

    /// Kicks queue `index`, whether the device asks for it or not.
    pub fn kick(&self, index: usize) {
        let index = u32::try_from(index).expect("a queue that exists");
        self.write(VIRTIO_MMIO_QUEUE_NOTIFY, index);
    }

    /// Sends `readable` on queue `index`, with room for `writable` bytes of an answer, waits
    /// for the device, and returns what it wrote.
    pub fn ask(&mut self, index: usize, readable: &[u8], writable: usize) -> Vec<u8> {
        let start = self.next_free;
        let (question, answer) = (self.store(readable), self.alloc(writable));
        let chain = [
            Buffer::readable(question, readable.len()),
            Buffer::writable(answer, writable),
        ];
        let chain = chain.iter().filter(|buffer| buffer.len > 0).copied();
        self.ring(index).add(&chain.collect::<Vec<_>>());
        self.kick(index);
        let used = self.wait(index);
        self.next_free = start;
        self.load(answer, used.len as usize)
    }

    /// Waits until the device has used a chain of queue `index`, playing the event loop.
    pub fn wait(&mut self, index: usize) -> Used {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(used) = self.ring(index).collect() {
                return used;
            }
            assert!(Instant::now() < deadline, "queue {index}: nothing was used");
            self.serve_host_files(Duration::from_millis(100));
        }
    }

    /// Gives the device the events of its host files, waiting for one at most `timeout`.
    pub fn serve_host_files(&self, timeout: Duration) {
        for fd in self.host_files.ready(timeout) {
            while self.transport().host_event(fd) == Progress::More {}
        }
    }

    /// Why the device interrupts: the InterruptStatus register.
    pub fn interrupt_status(&self) -> u32 {
        self.read(VIRTIO_MMIO_INTERRUPT_STATUS)
    }

    /// How many interrupts came since the last call.
    pub fn take_interrupts(&self) -> u64 {
        // "Would block" is what an eventfd says for zero.
        self.interrupt.read().unwrap_or(0)
    }

    /// Free guest memory of `size` bytes, on a page of its own.
    pub fn alloc(&mut self, size: usize) -> u64 {
        let address = self.next_free;
        self.next_free += (size as u64).next_multiple_of(0x1000);
        address
    }

    /// Copies `bytes` into free guest memory.
    pub fn store(&mut self, bytes: &[u8]) -> u64 {
        let address = self.alloc(bytes.len());
        self.fill(address, bytes);
        address
    }

    /// Copies `bytes` to `address` in guest memory.
    pub fn fill(&self, address: u64, bytes: &[u8]) {
        let result = self.memory.write_slice(bytes, GuestAddress(address));
        result.expect("the address is in memory");
    }

    /// A copy of the `size` bytes at `address` in guest memory.
    pub fn load(&self, address: u64, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        let result = self.memory.read_slice(&mut bytes, GuestAddress(address));
        result.expect("the address is in memory");
        bytes
    }

    /// The guest's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// The host files of a device, watched as the event source watches them.
struct HostFiles {
    epoll: Epoll,
    always_ready: Vec<RawFd>,
}

impl HostFiles {
    fn watch(files: &[HostFd]) -> Self {
        let epoll = Epoll::new().expect("the host has an epoll");
        let refused = |file: &&HostFd| {
            let data = u64::try_from(file.fd()).expect("an open file");
            let event = EpollEvent::new(file.event_set(), data);
            epoll.ctl(ControlOperation::Add, file.fd(), event).is_err()
        };
        let always_ready = files.iter().filter(refused).map(HostFd::fd).collect();
        Self {
            epoll,
            always_ready,
        }
    }

    fn ready(&self, timeout: Duration) -> Vec<RawFd> {
        let timeout = i32::try_from(timeout.as_millis()).expect("a short time");
        let mut events = [EpollEvent::default(); 16];
        let count = self.epoll.wait(timeout, &mut events).unwrap_or(0);
        let watched = events[..count].iter().map(EpollEvent::fd);
        watched.chain(self.always_ready.iter().copied()).collect()
    }
}
