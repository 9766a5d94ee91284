//! Where it is measured: whatever changes figures, as facts, and what has to be said of it above
//! every table.
//!
//! - [`host`]: the processor and its kernel
//! - [`software`]: image, guest kernel, runtimes and ourselves
//! - [`meanwhile`]: what else goes on

pub mod host;
pub mod meanwhile;
pub mod software;

use super::record::Fact;
use crate::doctor::guests::{self, Kvm};
use crate::doctor::host::{Host, examine};
use crate::doctor::speed::rate;

/// A place, looked at once.
pub struct Environment {
    host: Host,
    kvm: Kvm,
}

impl Environment {
    /// Looks at this one; takes less than a second, as guests count in it.
    pub fn examine() -> Self {
        let host = examine();
        Self {
            kvm: guests::examine(&host),
            host,
        }
    }

    /// What is found of the host.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = host::facts(&self.host);
        facts.extend(kvm(&self.host, &self.kvm));
        facts
    }

    /// Whether guests are much slower here than on hardware of their own.
    pub fn is_slow(&self) -> bool {
        self.host.cpu.hypervisor.is_some() || emulates(&self.kvm)
    }

    /// What has to be said of it.
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if cfg!(debug_assertions) {
            caveats.push(
                "This vmm was built for debugging: what is its own work is many times slower. \
                 `cargo build --release` makes a fast one."
                    .to_owned(),
            );
        }
        if let (Kvm::Usable(guests), true) = (&self.kvm, emulates(&self.kvm)) {
            caveats.push(format!(
                "KVM emulates ring 0 here ({}; ring 3 runs at {}): what the vm wall costs on \
                 hardware is another thing.",
                rate(guests.speed.ring0_kips),
                rate(guests.speed.ring3_kips)
            ));
        }
        if let Some(outer) = &self.host.cpu.hypervisor {
            caveats.push(format!(
                "This host is itself a guest (of {outer}): nested, a wall costs more than on \
                 hardware of its own."
            ));
        }
        caveats.extend(meanwhile::busy(self.host.cpu.count));
        caveats
    }
}

fn emulates(kvm: &Kvm) -> bool {
    matches!(kvm, Kvm::Usable(guests) if guests.speed.ring0_is_emulated())
}

fn kvm(host: &Host, kvm: &Kvm) -> Vec<Fact> {
    let module = match &host.backend {
        Some(backend) => backend.module.clone(),
        None => "no module is loaded".to_owned(),
    };
    let mut facts = vec![
        Fact::that_matters("KVM", module),
        Fact::that_matters(
            "below this host",
            host.cpu.hypervisor.clone().unwrap_or_else(nothing),
        ),
        Fact::that_matters(
            "around this process",
            host.container.clone().unwrap_or_else(nothing),
        ),
    ];
    match kvm {
        Kvm::Unusable(obstacle) => {
            facts.push(Fact::that_matters("KVM guests", obstacle.problem.clone()))
        }
        Kvm::Usable(guests) => facts.extend([
            Fact::that_matters(
                "KVM ring 0",
                match guests.speed.ring0_is_emulated() {
                    true => "is emulated",
                    false => "runs on the processor",
                }
                .to_owned(),
            ),
            Fact::aside("speed of KVM ring 0", rate(guests.speed.ring0_kips)),
            Fact::aside("speed of KVM ring 3", rate(guests.speed.ring3_kips)),
        ]),
    }
    facts
}

fn nothing() -> String {
    "nothing".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::host::Cpu;
    use crate::doctor::speed::Speed;

    fn environment(ring0_kips: u64, hypervisor: Option<&str>) -> Environment {
        Environment {
            host: Host {
                cpu: Cpu {
                    count: 1 << 20,
                    hypervisor: hypervisor.map(str::to_owned),
                    ..Cpu::default()
                },
                ..Host::default()
            },
            kvm: Kvm::Usable(guests::Guests {
                max_vcpus: 1,
                speed: Speed {
                    ring0_kips,
                    ring3_kips: 2_800_000,
                },
                instructions: Vec::new(),
            }),
        }
    }

    fn caveats(environment: &Environment) -> String {
        environment.caveats().join("\n")
    }

    #[test]
    fn hardware_of_its_own_needs_no_word() {
        let environment = environment(2_700_000, None);
        assert!(!environment.is_slow());
        assert!(!caveats(&environment).contains("ring 0"));
        assert!(!caveats(&environment).contains("nested"));
    }

    #[test]
    fn an_emulated_ring_0_is_told_with_its_speed() {
        let environment = environment(900, None);
        assert!(environment.is_slow());
        assert!(caveats(&environment).contains("(0.9 M instructions/s; ring 3 runs at 2.8 G"));
    }

    #[test]
    fn a_host_that_is_a_guest_is_told() {
        let environment = environment(2_700_000, Some("KVM"));
        assert!(environment.is_slow());
        assert!(caveats(&environment).contains("guest (of KVM): nested"));
    }

    #[test]
    fn what_fluctuates_does_not_forbid_a_comparison() {
        let facts = environment(2_700_000, None).facts();
        let speeds = facts.iter().filter(|fact| fact.name.starts_with("speed"));
        assert_eq!(speeds.filter(|fact| !fact.matters).count(), 2);
    }
}
