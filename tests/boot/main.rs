//! Boots Linux behind our VMM and looks at what the README promises.
//!
//! These need a KVM that runs stock kernels, and kernels and roots: `scripts/test` has both,
//! in a nested host where the machine has none. `VMM_TEST_ASSETS` names the folder.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod assets;
mod console;
mod disks;
mod endings;
mod guest;
mod kernels;
mod on_a_terminal;
mod terminal;
mod vmms;
