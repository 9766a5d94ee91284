//! Images from a registry: downloaded as an OCI layout, then imported like any other.
//!
//! Behind the cargo feature `registry`, as encryption and HTTP are some eighty crates more.

#[cfg(not(feature = "registry"))]
#[path = "absent.rs"]
mod client;
#[cfg(feature = "registry")]
mod client;

pub(super) use client::download;
