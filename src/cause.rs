//! Why a machine stopped, with what only a look at the host can add.

use crate::doctor;
use crate::machine::Stop;

/// The reason as a text, and its cause where the host's KVM is that.
pub fn cause(stop: &Stop) -> String {
    cause_where(stop, doctor::ring0_is_emulated)
}

/// The host is only looked at for a failure that may be its own.
fn cause_where(stop: &Stop, ring0_is_emulated: impl FnOnce() -> bool) -> String {
    match stop {
        Stop::Internal(error, _) if error.is_emulation_failure() && ring0_is_emulated() => {
            format!(
                "{stop}\nhere KVM emulates ring 0, and not all of it, so no stock kernel boots: \
                 `vmm doctor` tells more"
            )
        }
        _ => stop.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypervisor::InternalError;

    fn failed_emulation() -> Stop {
        let error = InternalError {
            suberror: 1,
            instruction: vec![],
        };
        Stop::Internal(error, Box::default())
    }

    #[test]
    fn an_emulation_failure_points_to_the_doctor_where_ring_0_is_emulated() {
        assert!(cause_where(&failed_emulation(), || true).contains("`vmm doctor`"));
    }

    #[test]
    fn where_hardware_runs_ring_0_it_does_not() {
        let text = cause_where(&failed_emulation(), || false);
        assert_eq!(text, failed_emulation().to_string());
    }

    #[test]
    fn for_another_end_the_host_is_not_looked_at() {
        let text = cause_where(&Stop::Escape, || panic!("nobody asked"));
        assert_eq!(text, "ended by Ctrl-a x");
    }
}
