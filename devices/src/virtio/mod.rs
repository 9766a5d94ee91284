//! Virtio: the queue protocol, the transports and the devices (virtio 1.2).
//!
//! A transport owns negotiation and queues until the driver says DRIVER_OK, then moves
//! them into the device; a reset moves them back. An inactive device has nothing to misuse.

pub mod block;
pub mod console;
pub mod device;
pub mod event_source;
pub mod fs;
pub mod interrupt;
pub mod rng;
pub mod transport;
pub mod virtqueue;

pub use block::Block;
pub use console::Console;
pub use device::{Activation, HostFd, Progress, VirtioDevice};
pub use event_source::VirtioEventSource;
pub use interrupt::Interrupt;
pub use transport::{MmioTransport, RegisterPage};
pub use virtqueue::{Chain, RingError, Virtqueue};
