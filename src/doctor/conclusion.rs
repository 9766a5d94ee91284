//! What follows from the findings: whether a stock kernel boots, and what to do if not.

use serde::Serialize;

use super::guests::{Guests, Kvm};
use super::instructions::Finding;
use super::kvm::Obstacle;
use super::speed::rate;

/// Exit status: a stock kernel boots.
pub const BOOTS: u8 = 0;
/// Exit status: there is no KVM that can be used.
pub const NO_KVM: u8 = 3;
/// Exit status: there is a KVM, but no stock kernel boots under it.
pub const WILL_NOT_BOOT: u8 = 4;

const ELSEWHERE: &str = "run it under a KVM of its own: scripts/kvm-host COMMAND…";

/// The sum of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// Whether a stock kernel boots.
    pub stock_kernel_boots: bool,
    /// The exit status of `vmm doctor`.
    pub exit_status: u8,
    /// The answer as a sentence.
    pub sentence: String,
    /// What to do if it is no.
    pub remedy: Option<String>,
}

/// Concludes from what was found of KVM.
pub fn conclude(kvm: &Kvm) -> Conclusion {
    match kvm {
        Kvm::Unusable(obstacle) => unusable(obstacle),
        Kvm::Usable(guests) => match trouble(guests) {
            None => Conclusion {
                stock_kernel_boots: true,
                exit_status: BOOTS,
                sentence: "A stock Linux kernel will boot here.".to_owned(),
                remedy: None,
            },
            Some(trouble) => Conclusion {
                stock_kernel_boots: false,
                exit_status: WILL_NOT_BOOT,
                sentence: format!("A stock Linux kernel will not boot here: {trouble}."),
                remedy: Some(ELSEWHERE.to_owned()),
            },
        },
    }
}

fn unusable(obstacle: &Obstacle) -> Conclusion {
    Conclusion {
        stock_kernel_boots: false,
        exit_status: NO_KVM,
        sentence: format!("No kernel will boot here: {}.", obstacle.problem),
        remedy: Some(obstacle.remedy.clone()),
    }
}

fn trouble(guests: &Guests) -> Option<String> {
    let speed = guests.speed;
    let failing: Vec<&str> = guests
        .instructions
        .iter()
        .filter(|finding| finding.is_fatal())
        .map(|finding: &Finding| finding.name)
        .collect();
    let failing = failing.join(", ");
    let emulated = format!(
        "KVM emulates ring 0 (at {}; ring 3 runs at {})",
        rate(speed.ring0_kips),
        rate(speed.ring3_kips)
    );
    match (speed.ring0_is_emulated(), failing.as_str()) {
        (false, "") => None,
        (true, "") => Some(emulated),
        (false, failing) => Some(format!("ring 0 fails at {failing}")),
        (true, failing) => Some(format!("{emulated} and fails at {failing}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::instructions::Verdict;
    use crate::doctor::speed::Speed;

    fn usable(ring0_kips: u64, verdict: Verdict) -> Kvm {
        Kvm::Usable(Guests {
            max_vcpus: 1,
            speed: Speed {
                ring0_kips,
                ring3_kips: 2_800_000,
            },
            instructions: vec![Finding {
                name: "int3",
                verdict,
                detail: None,
            }],
        })
    }

    #[test]
    fn fast_rings_and_working_instructions_boot() {
        let conclusion = conclude(&usable(2_700_000, Verdict::Works));
        assert!(conclusion.stock_kernel_boots);
        assert_eq!((conclusion.exit_status, conclusion.remedy), (BOOTS, None));
    }

    #[test]
    fn an_emulated_ring_0_does_not_even_if_all_instructions_work() {
        let conclusion = conclude(&usable(1_000, Verdict::Works));
        assert_eq!(conclusion.exit_status, WILL_NOT_BOOT);
        assert!(conclusion.remedy.unwrap().contains("scripts/kvm-host"));
    }

    #[test]
    fn a_failing_instruction_is_named() {
        let conclusion = conclude(&usable(2_700_000, Verdict::EmulationFailure));
        assert!(conclusion.sentence.ends_with("ring 0 fails at int3."));
    }

    #[test]
    fn an_obstacle_brings_its_own_remedy() {
        let conclusion = conclude(&Kvm::Unusable(Obstacle::new("no node", "make one")));
        assert_eq!(conclusion.exit_status, NO_KVM);
        assert_eq!(conclusion.remedy.as_deref(), Some("make one"));
    }
}
