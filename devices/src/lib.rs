//! Emulated hardware: buses, serial ports, virtio devices.
//!
//! This crate knows no KVM. It is handed guest memory, event file descriptors and
//! host files, and answers what a guest driver does to them. In layer order:
//!
//! - [`host_io`]: host files that are read and written without waiting
//! - [`bus`]: an address becomes a device and an offset
//! - [`serial`], [`cmos`], [`power`], [`event_register`]: what else a PC's kernel asks for
//! - [`virtio`]: queues, transports and the virtio devices
//! - `driver` (feature `test-utils`): the guest's side of virtio, for tests
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod bus;
pub mod cmos;
#[cfg(any(test, feature = "test-utils"))]
pub mod driver;
pub mod event_register;
pub mod host_io;
pub mod power;
pub mod serial;
pub mod virtio;

/// Guest-physical memory, mapped into this process.
pub type Memory = vm_memory::GuestMemoryMmap<()>;
