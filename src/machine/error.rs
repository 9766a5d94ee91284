//! Why there is no machine.

use std::io;
use std::path::PathBuf;

use devices::virtio::block;
use devices::virtio::fs::FsError;

use super::console::ConsoleError;
use crate::boot::BootError;
use crate::hypervisor::{KvmError, OpenError};
use crate::memory::MemoryError;

/// Why a machine cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no KVM to build it on.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// KVM refuses a request.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Guest memory cannot be had.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The kernel cannot be booted.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A device lacks what it is for.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The host has no file descriptor left, or the like.
    #[error("cannot get a file descriptor from the host: raise the limit (ulimit -n)")]
    Host(#[source] io::Error),
    /// It starts no thread.
    #[error("cannot start a thread: raise the limit (ulimit -u), or free memory of the host")]
    Thread(#[source] io::Error),
    /// The event loop cannot be made.
    #[error("cannot make the event loop")]
    EventLoop(#[source] event_manager::Error),
}

/// Why a device cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A console has no host's end.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// A disk cannot be opened.
    #[error(transparent)]
    Disk(#[from] block::OpenError),
    /// A directory has nobody who serves it.
    #[error("cannot share {0} with the guest")]
    Share(PathBuf, #[source] FsError),
    /// The host has no file descriptor left.
    #[error("cannot keep the connection to the process that serves a directory")]
    Connection(#[source] io::Error),
}
