//! What guests of this KVM can do, and how fast.

use std::time::Duration;

use serde::Serialize;

use super::bare::BareError;
use super::host::Host;
use super::instructions::{self, Finding};
use super::kvm::{self, Obstacle};
use super::speed::{self, Speed};
use crate::hypervisor;

/// How long guests count.
const COUNTING: Duration = Duration::from_millis(100);

/// KVM, as far as it can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Kvm {
    /// It cannot be.
    Unusable(Obstacle),
    /// It can be.
    Usable(Guests),
}

/// What was measured in guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guests {
    /// The most vCPUs that one may have.
    pub max_vcpus: usize,
    /// Their speed.
    pub speed: Speed,
    /// What became of each instruction in ring 0.
    pub instructions: Vec<Finding>,
}

/// Runs guests, or says what is in the way of it on `host`.
pub fn examine(host: &Host) -> Kvm {
    let guests = kvm::open(host).and_then(|kvm| measure(&kvm).map_err(|error| no_guests(&error)));
    match guests {
        Ok(guests) => Kvm::Usable(guests),
        Err(obstacle) => Kvm::Unusable(obstacle),
    }
}

fn measure(kvm: &hypervisor::Kvm) -> Result<Guests, BareError> {
    Ok(Guests {
        max_vcpus: kvm.max_vcpus(),
        speed: speed::measure(kvm, COUNTING)?,
        instructions: instructions::examine(kvm)?,
    })
}

fn no_guests(error: &BareError) -> Obstacle {
    let remedy = match error {
        BareError::Kvm(refused) if refused.source.errno() == libc::EBUSY => {
            "stop the other hypervisor (VirtualBox, VMware) that holds the hardware"
        }
        _ => "see what KVM says in the host's log: sudo dmesg | grep -i kvm",
    };
    Obstacle::new(crate::chain(error), remedy)
}
