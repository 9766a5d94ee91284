//! A virtual machine monitor on KVM: the map, in layer order (tests/layering.rs holds it).
//!
//! - [`signals`], [`timeline`]: signals as events; what took how long
//! - [`config`]: what was typed becomes what is meant
//! - [`memory`]: guest memory, and every fixed guest-physical address
//! - [`hypervisor`]: the KVM API
//! - [`arch`]: what a processor wants set up before its first instruction
//! - [`boot`]: a kernel file becomes bytes in memory and an entry point
//! - [`machine`]: the virtual computer, built in visible steps and run
//! - [`commands`]: each verb of the command line
//! - [`cli`]: the command line
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

mod chain;

pub use chain::chain;

pub mod arch;
pub mod boot;
pub mod cli;
pub mod commands;
pub mod config;
pub mod hypervisor;
pub mod machine;
pub mod memory;
pub mod signals;
pub mod timeline;
