//! Whether a stock kernel will boot on this host, and what else a machine finds here.
//!
//! KVM is measured by tiny guests ([`bare`]) and never guessed from flags: what the host's
//! `cpuid` says of virtualization says nothing of a KVM that does without it. Every probe is
//! a noun of its own and leaves nothing behind; [`Report`] is their sum, and what is said of
//! it in words or as JSON follows from it alone (`docs/doctor.md`).

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde::Serialize;

use crate::cgroup::{self, Cgroups};

use crate::output;

pub mod bare;
mod conclusion;
mod features;
pub mod guests;
pub mod host;
pub mod huge_pages;
pub mod instructions;
pub mod io_uring;
pub mod kvm;
pub mod namespaces;
pub mod nodes;
pub mod speed;
mod words;

pub use conclusion::{BOOTS, Conclusion, NO_KVM, WILL_NOT_BOOT};
pub use words::Words;

/// All that was found. Its fields are the keys of the JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Of the JSON form; it grows when a key changes its meaning or goes.
    pub version: u32,
    /// What follows from it all.
    pub conclusion: Conclusion,
    /// The host.
    pub host: host::Host,
    /// KVM, and what its guests can do.
    pub kvm: guests::Kvm,
    /// io_uring.
    pub io_uring: io_uring::IoUring,
    /// Huge pages.
    pub huge_pages: huge_pages::HugePages,
    /// Control groups.
    pub cgroups: Cgroups,
    /// Namespaces.
    pub namespaces: namespaces::Namespaces,
    /// Device nodes.
    pub nodes: Vec<nodes::Node>,
}

/// Looks at everything; takes less than a second.
pub fn examine() -> Report {
    let host = host::examine();
    let kvm = guests::examine(&host);
    Report {
        version: 1,
        conclusion: conclusion::conclude(&kvm),
        host,
        kvm,
        io_uring: io_uring::examine(),
        huge_pages: huge_pages::examine(),
        cgroups: cgroup::examine(),
        namespaces: namespaces::examine(),
        nodes: nodes::examine(),
    }
}

/// Examines this host, tells of it on standard output, and returns the exit status.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(json: bool) -> io::Result<u8> {
    let report = examine();
    if json {
        output::print(serde_json::to_string_pretty(&report)? + "\n")?;
    } else {
        output::print(Words::new(&report, has_colour()))?;
    }
    Ok(report.conclusion.exit_status)
}

/// Only a terminal has it, unless its user has not (no-color.org).
fn has_colour() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !plain
}

/// Whether this host's KVM emulates ring 0 rather than letting hardware run it; `false`
/// where that cannot be found out. Takes some hundredths of a second.
pub fn ring0_is_emulated() -> bool {
    const TIME: Duration = Duration::from_millis(30);
    let kvm = crate::hypervisor::Kvm::open(kvm::DEVICE.as_ref());
    let speed = kvm.ok().and_then(|kvm| speed::measure(&kvm, TIME).ok());
    speed.is_some_and(speed::Speed::ring0_is_emulated)
}
