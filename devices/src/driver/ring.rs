//! A split virtqueue from the driver's side (virtio 1.2, 2.7). It knows no device.

use std::sync::atomic::{Ordering, fence};

use virtio_bindings::virtio_ring::*;
use virtio_queue::desc::RawDescriptor;
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress};

use crate::Memory;

/// One part of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Where it is in guest memory.
    pub address: u64,
    /// How long it is.
    pub len: usize,
    /// Whether the device may write it rather than read it.
    pub writable: bool,
}

impl Buffer {
    /// A buffer for the device to read.
    pub fn readable(address: u64, len: usize) -> Self {
        let writable = false;
        Self {
            address,
            len,
            writable,
        }
    }

    /// A buffer for the device to write.
    pub fn writable(address: u64, len: usize) -> Self {
        let writable = true;
        Self {
            address,
            len,
            writable,
        }
    }

    fn descriptor(self, next: Option<u16>) -> Descriptor {
        let len = u32::try_from(self.len).expect("a descriptor is at most 4 GiB long");
        let write = if self.writable {
            flag(VRING_DESC_F_WRITE)
        } else {
            0
        };
        let next_flag = if next.is_some() {
            flag(VRING_DESC_F_NEXT)
        } else {
            0
        };
        Descriptor::new(self.address, len, write | next_flag, next.unwrap_or(0))
    }
}

/// An element of the used ring: a chain that the device has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// The chain's first descriptor.
    pub head: u16,
    /// How many bytes of it the device says it wrote.
    pub len: u32,
}

/// A queue in guest memory.
pub struct Ring {
    memory: Memory,
    size: u16,
    base: u64,
    event_idx: bool,
    free: Vec<u16>,
    next_available: u16,
    next_used: u16,
}

const DESCRIPTOR: u64 = 16;
const HEADER: u64 = 4;
const FLAGS: u64 = 0;
const INDEX: u64 = 2;

impl Ring {
    /// How many bytes a ring of `size` descriptors takes.
    pub fn bytes(size: u16) -> usize {
        // Descriptors of 16 bytes; then 2 a descriptor in the available ring and 8 in the
        // used one, which begins on a multiple of 4; then headers and events.
        usize::from(size) * (16 + 2 + 8) + 32
    }

    /// An empty ring at `base` in `memory`.
    pub fn new(memory: Memory, base: u64, size: u16, event_idx: bool) -> Self {
        let zeroes = vec![0; Self::bytes(size)];
        let result = memory.write_slice(&zeroes, GuestAddress(base));
        result.expect("the ring is in memory");
        Self {
            memory,
            size,
            base,
            event_idx,
            free: (0..size).rev().collect(),
            next_available: 0,
            next_used: 0,
        }
    }

    /// The number of descriptors.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Where the descriptor table is.
    pub fn descriptor_table(&self) -> u64 {
        self.base
    }

    /// Where the available ring is.
    pub fn available_ring(&self) -> u64 {
        self.base + u64::from(self.size) * DESCRIPTOR
    }

    /// Where the used ring is.
    pub fn used_ring(&self) -> u64 {
        let available = HEADER + u64::from(self.size) * 2 + 2;
        (self.available_ring() + available).next_multiple_of(4)
    }

    /// Makes a chain of `buffers` available; returns its head.
    pub fn add(&mut self, buffers: &[Buffer]) -> u16 {
        let indices: Vec<_> = buffers.iter().map(|_| self.take_free()).collect();
        let table = self.descriptor_table();
        for (position, buffer) in buffers.iter().enumerate() {
            let next = indices.get(position + 1).copied();
            self.write_descriptor(table, indices[position], buffer.descriptor(next));
        }
        self.publish(indices[0]);
        indices[0]
    }

    /// Makes a chain of `buffers` available as an indirect table at `table`; returns its head.
    pub fn add_indirect(&mut self, table: u64, buffers: &[Buffer]) -> u16 {
        for (index, buffer) in (0u16..).zip(buffers) {
            let is_last = usize::from(index) + 1 == buffers.len();
            let next = (!is_last).then_some(index + 1);
            self.write_descriptor(table, index, buffer.descriptor(next));
        }
        let head = self.take_free();
        let len = u32::try_from(buffers.len() * 16).expect("a short chain");
        let descriptor = Descriptor::new(table, len, flag(VRING_DESC_F_INDIRECT), 0);
        self.write_descriptor(self.descriptor_table(), head, descriptor);
        self.publish(head);
        head
    }

    /// Writes descriptor `index` of the table at `table`, whatever it says.
    pub fn write_descriptor(&self, table: u64, index: u16, descriptor: Descriptor) {
        let address = table + u64::from(index) * DESCRIPTOR;
        let result = self
            .memory
            .write_obj(RawDescriptor::from(descriptor), GuestAddress(address));
        result.expect("the table is in memory");
    }

    /// Puts `head` into the available ring, whatever it is.
    pub fn publish(&mut self, head: u16) {
        let slot = u64::from(self.next_available % self.size);
        self.store(self.available_ring() + HEADER + slot * 2, head);
        self.next_available = self.next_available.wrapping_add(1);
        self.set_available_index(self.next_available);
    }

    /// Sets the index of the available ring, whatever lies behind it.
    pub fn set_available_index(&self, index: u16) {
        fence(Ordering::Release);
        self.store(self.available_ring() + INDEX, index);
    }

    /// The next chain that the device has used, if there is one; its descriptors are free again.
    pub fn collect(&mut self) -> Option<Used> {
        if self.next_used == self.used_index() {
            return None;
        }
        let slot = u64::from(self.next_used % self.size);
        let address = self.used_ring() + HEADER + slot * 8;
        self.next_used = self.next_used.wrapping_add(1);
        let head = self.load(address);
        let [low, high] = [4, 6].map(|offset| u32::from(self.load(address + offset)));
        self.give_back(head);
        Some(Used {
            head,
            len: low | (high << 16),
        })
    }

    /// How many chains the device has ever used, modulo 65536.
    pub fn used_index(&self) -> u16 {
        let index = self.load(self.used_ring() + INDEX);
        fence(Ordering::Acquire);
        index
    }

    /// Whether the device asks for a kick after the driver has made `added` chains available.
    pub fn wants_kick(&self, added: u16) -> bool {
        fence(Ordering::SeqCst);
        if !self.event_idx {
            let flags = self.load(self.used_ring() + FLAGS);
            return u32::from(flags) & VRING_USED_F_NO_NOTIFY == 0;
        }
        let event = self.load(self.used_ring() + HEADER + u64::from(self.size) * 8);
        // Whether the event lies among those added (virtio 1.2, 2.7.10).
        self.next_available.wrapping_sub(event).wrapping_sub(1) < added
    }

    /// With EVENT_IDX: asks for an interrupt once the device has used the chain of this number.
    pub fn set_used_event(&self, index: u16) {
        let address = self.available_ring() + HEADER + u64::from(self.size) * 2;
        self.store(address, index);
    }

    /// Without EVENT_IDX: says that no interrupt is needed, or that one is.
    pub fn refuse_interrupts(&self, refuse: bool) {
        let flags = if refuse {
            flag(VRING_AVAIL_F_NO_INTERRUPT)
        } else {
            0
        };
        self.store(self.available_ring() + FLAGS, flags);
    }

    fn take_free(&mut self) -> u16 {
        self.free.pop().expect("the ring has a free descriptor")
    }

    /// Frees the chain that begins at `head`, as far as it is one.
    fn give_back(&mut self, head: u16) {
        let mut next = Some(head);
        while let Some(index) = next.filter(|_| self.free.len() < usize::from(self.size)) {
            let address = self.descriptor_table() + u64::from(index % self.size) * DESCRIPTOR;
            self.free.push(index % self.size);
            let flags = self.load(address + 12);
            let has_next = flags & flag(VRING_DESC_F_NEXT) != 0;
            next = has_next.then(|| self.load(address + 14));
        }
    }

    fn load(&self, address: u64) -> u16 {
        let value: u16 = self
            .memory
            .load(GuestAddress(address), Ordering::Relaxed)
            .expect("the ring is in memory");
        u16::from_le(value)
    }

    fn store(&self, address: u64, value: u16) {
        self.memory
            .store(value.to_le(), GuestAddress(address), Ordering::Relaxed)
            .expect("the ring is in memory");
    }
}

fn flag(bit: u32) -> u16 {
    u16::try_from(bit).expect("flags have 16 bits")
}
