//! Instances: commands that run, each with a directory of its own in the runtime directory.
//! There is no daemon: who runs an instance holds its lock, and the kernel lets go of it
//! however that process ends.
//!
//! - [`name`]: what an instance may be called
//! - [`registry`]: which there are, and which of them still live
//! - [`state`]: what is written down about one
//! - [`control`]: what one instance is told by other commands

pub mod control;
pub mod name;
pub mod registry;
pub mod state;

pub use name::InstanceName;
pub use registry::{Entry, Found, Registry, RegistryError};
pub use state::State;
