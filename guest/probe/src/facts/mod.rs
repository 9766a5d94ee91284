//! Tells what a process sees and can reach where it is started.
//!
//! It changes nothing, and needs nothing of the root that it stands in but `/proc`.
//!
//! - [`found`]: what was found, and what makes it the same thing as elsewhere
//! - [`kernel`], [`process`], [`machine`]: what is seen
//! - [`reach`]: what of the host can be reached

mod found;
mod kernel;
mod machine;
mod process;
mod reach;

use std::io;

use wire::{Canaries, Fact};

use found::{Found, fact};

/// Prints all facts as JSON; `canaries` is the JSON of what to look for of the host.
pub fn tell(canaries: &str) -> io::Result<()> {
    let facts = all(&serde_json::from_str(canaries)?);
    Ok(serde_json::to_writer(io::stdout(), &facts)?)
}

/// How a fact is found.
type Find = fn() -> io::Result<Found>;

/// What is seen, in the order in which it is told.
const SEEN: [(&str, Find); 23] = [
    ("kernel", kernel::release),
    ("kernel build", kernel::build),
    ("boot id", kernel::boot_id),
    ("loaded modules", kernel::modules),
    ("kernel messages", kernel::messages),
    ("clock source", kernel::clock_source),
    ("CPUs", machine::cpus),
    ("CPU flags", machine::cpu_flags),
    ("memory", machine::memory),
    ("device nodes", machine::device_nodes),
    ("interfaces", machine::interfaces),
    ("host name", kernel::host_name),
    ("root", machine::root),
    ("mounts", machine::mounts),
    ("PID", process::pid),
    ("other processes", process::others),
    ("user", process::user),
    ("uid map", process::uid_map),
    ("capabilities", process::effective),
    ("bounding set", process::bounding),
    ("seccomp", process::seccomp),
    ("no_new_privs", process::no_new_privs),
    ("cgroup", process::cgroup),
];

fn all(canaries: &Canaries) -> Vec<Fact> {
    let mut facts: Vec<Fact> = SEEN.iter().map(|(name, find)| fact(name, find())).collect();
    for kind in found::NAMESPACES {
        facts.push(fact(&format!("namespace {kind}"), process::namespace(kind)));
    }
    facts.push(fact("canary process", reach::process(&canaries.process)));
    for file in &canaries.files {
        let reached = reach::file(&file.path, canaries);
        facts.push(fact(&format!("canary {}", file.name), Ok(reached)));
    }
    facts
}
