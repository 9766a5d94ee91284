//! How a driver reaches a device: negotiation, and the registers of virtio-mmio.

pub mod mmio;
pub(crate) mod negotiation;
mod queue_config;

pub use mmio::MmioTransport;
