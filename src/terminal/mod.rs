//! The terminal that the machine is run from.
//!
//! - [`raw`]: every key goes to the guest, until the guard is dropped
//! - [`escape`]: all but those after Ctrl-a
//!
//! It knows no machine: what a key does is handed in.

pub mod escape;
pub mod raw;
