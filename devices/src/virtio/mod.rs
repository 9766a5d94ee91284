//! Virtio: the queue protocol, the transports and the devices (virtio 1.2).
//!
//! A transport owns negotiation and queues until the driver says DRIVER_OK, then moves
//! them into the device; a reset moves them back. An inactive device has nothing to misuse.

pub mod device;
pub mod interrupt;
pub mod rng;
pub mod virtqueue;

pub use device::{Activation, Progress, VirtioDevice};
pub use interrupt::Interrupt;
pub use virtqueue::{Chain, RingError, Virtqueue};
