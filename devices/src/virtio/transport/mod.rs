//! How a driver reaches a device: negotiation, and the registers of virtio-mmio.

pub mod mmio;
pub(crate) mod negotiation;
mod queue_config;
mod register_page;

pub use mmio::MmioTransport;
pub use register_page::RegisterPage;
