//! How fast a guest runs in ring 0 and in ring 3: it counts until its time is over.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::bare::{BareError, BareGuest, Ring, payload};
use crate::hypervisor::Kvm;

/// Ring 0 in KVM's emulator is some thousand times slower than ring 3, ring 0 on hardware as
/// fast; between them is nothing.
const EMULATED: u64 = 50;

/// The speed of one loop in both rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Speed {
    /// Ring 0, in thousands of instructions a second.
    pub ring0_kips: u64,
    /// Ring 3, likewise.
    pub ring3_kips: u64,
}

impl Speed {
    /// Whether KVM emulates ring 0, instead of letting the hardware run it.
    pub fn ring0_is_emulated(self) -> bool {
        self.ring0_kips.saturating_mul(EMULATED) < self.ring3_kips
    }
}

/// Lets a guest count in either ring; `time` is what all of it takes.
///
/// # Errors
/// KVM makes no guests.
pub fn measure(kvm: &Kvm, time: Duration) -> Result<Speed, BareError> {
    Ok(Speed {
        ring0_kips: best(kvm, Ring::Kernel, time / 2)?,
        ring3_kips: best(kvm, Ring::User, time / 2)?,
    })
}

/// The best of some tries: on a busy host the others may have waited for a processor.
fn best(kvm: &Kvm, ring: Ring, time: Duration) -> Result<u64, BareError> {
    const TRIES: u32 = 3;
    let mut guest = BareGuest::new(kvm, ring, payload::count())?;
    let mut best = 0;
    for _ in 0..TRIES {
        best = best.max(count(&mut guest, time / TRIES)?);
    }
    Ok(best)
}

/// Lets it count on for `time`.
fn count(guest: &mut BareGuest, time: Duration) -> Result<u64, BareError> {
    const INSTRUCTIONS_A_ROUND: u64 = 2;
    let (before, begin) = (guest.registers()?.rcx, Instant::now());
    guest.run(time, |_| {})?;
    let spent = begin.elapsed();
    let rounds = guest.registers()?.rcx.saturating_sub(before);
    let instructions = rounds.saturating_mul(INSTRUCTIONS_A_ROUND);
    Ok(per_millisecond(instructions, spent))
}

fn per_millisecond(count: u64, time: Duration) -> u64 {
    let per = u128::from(count) * 1_000_000 / time.as_nanos().max(1);
    per.try_into().unwrap_or(u64::MAX)
}

/// Thousands of instructions a second, in the unit that leaves a small number.
pub fn rate(kips: u64) -> String {
    let (unit, name) = match kips {
        0..1_000_000 => (1_000, "M"),
        _ => (1_000_000, "G"),
    };
    let (whole, tenth) = (kips / unit, kips % unit * 10 / unit);
    match whole {
        0..10 => format!("{whole}.{tenth} {name} instructions/s"),
        _ => format!("{whole} {name} instructions/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_small_numbers() {
        assert_eq!(rate(1_340), "1.3 M instructions/s");
        assert_eq!(rate(250_900), "250 M instructions/s");
        assert_eq!(rate(2_800_900), "2.8 G instructions/s");
    }

    #[test]
    fn thousands_a_second_are_ones_a_millisecond() {
        assert_eq!(per_millisecond(5000, Duration::from_millis(50)), 100);
        assert_eq!(per_millisecond(0, Duration::ZERO), 0);
    }

    #[test]
    fn only_a_wide_gap_between_the_rings_is_emulation() {
        let emulated = |ring0_kips, ring3_kips| {
            Speed {
                ring0_kips,
                ring3_kips,
            }
            .ring0_is_emulated()
        };
        assert!(emulated(1_000, 2_800_000));
        assert!(!emulated(180_000, 250_000));
    }
}
