//! Bare guests: one vCPU in long mode, a few bytes of code, and nothing else.
//!
//! The doctor measures with them, and tests use them to drive the bus, devices and the run
//! loop where no kernel boots. The code ends by a write to [`port::DONE`], by one to
//! [`MMIO_DONE`] (the way for ring 3, since not every KVM lets it use ports) or by `hlt`; an
//! exception ends it too, since every one of them leads to a handler that tells its vector.

mod guest;
pub mod payload;
mod tables;

pub use crate::arch::x86_64::segment::Ring;
pub use guest::{BareError, BareGuest, Ending};

/// The ports that a bare guest has.
pub mod port {
    /// A byte written here ends the guest.
    pub const DONE: u16 = 0xe0;
    /// The handlers write the vector of an exception here.
    pub const FAULT: u16 = 0xe1;
}

/// A byte written here, in the hole for devices, ends the guest, from either ring.
pub const MMIO_DONE: u64 = crate::memory::layout::DEVICE_HOLE.base;
