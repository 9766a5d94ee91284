//! A virtual machine monitor on KVM: the map, in layer order (tests/layering.rs holds it).
//!
//! - [`signals`], [`pidfd`], [`timeline`], [`output`], [`chain`]: signals as events; a process
//!   held by a descriptor; what took how long; what is printed; an error as the user reads it
//! - [`guest`]: the programs of ours that run behind every wall
//! - [`user_namespaces`]: what of a host is in their way
//! - [`name`]: names that lead nowhere else
//! - [`config`]: what was typed becomes what is meant
//! - [`memory`]: guest memory, and every fixed guest-physical address
//! - [`image`]: whatever a user has becomes one read-only base and a configuration
//! - [`terminal`]: raw mode, and the keys that are ours
//! - [`cgroup`]: how much of the host some processes may use, and what they have used
//! - [`root`]: the tree that a command sees, on the host
//! - [`kernel`]: the kernels that guests can have
//! - [`hypervisor`]: the KVM API
//! - [`arch`]: what a processor wants set up before its first instruction
//! - [`boot`]: a kernel file becomes bytes in memory and an entry point
//! - [`machine`]: the virtual computer, planned, built in visible steps and run
//! - [`container`]: a command behind the walls that the host's own kernel has
//! - [`doctor`]: whether a kernel will boot here, found out by tiny guests
//! - [`cause`]: why a machine stopped, with what the host has to do with it
//! - [`run`]: one image behind one of three walls, under one contract
//! - [`compare`]: what a process sees and can reach behind each wall, side by side
//! - [`bench`]: what each wall costs, measured
//! - [`report`]: what was measured, as it is read: text, CSV, Markdown, HTML
//! - [`diagnostics`]: what is logged, as the user reads it
//! - [`cli`]: the command line
//! - [`commands`]: each verb of it
//!
//! Without the feature `walls` it is the virtual machine monitor alone.
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod arch;
#[cfg(feature = "walls")]
pub mod bench;
pub mod boot;
pub mod cause;
pub mod cgroup;
mod chain;
pub mod cli;
pub mod commands;
#[cfg(feature = "walls")]
pub mod compare;
pub mod config;
#[cfg(feature = "walls")]
pub mod container;
pub mod diagnostics;
pub mod doctor;
#[cfg(feature = "walls")]
pub mod guest;
pub mod hypervisor;
#[cfg(feature = "walls")]
pub mod image;
#[cfg(feature = "walls")]
pub mod kernel;
pub mod machine;
pub mod memory;
pub mod name;
pub mod output;
pub mod pidfd;
#[cfg(feature = "walls")]
pub mod report;
#[cfg(feature = "walls")]
pub mod root;
#[cfg(feature = "walls")]
pub mod run;
pub mod signals;
pub mod terminal;
pub mod timeline;
pub mod user_namespaces;

pub use chain::chain;
