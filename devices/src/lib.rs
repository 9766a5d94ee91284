//! Emulated hardware: buses, serial ports, virtio devices.
//!
//! This crate knows no KVM. It is handed guest memory, event file descriptors and
//! host files, and answers what a guest driver does to them.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
