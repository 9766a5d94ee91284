//! What was said of a measurement becomes figures. Whoever stands behind a wall may lie: nothing
//! that it says is taken for a figure that cannot be one.

use std::time::Duration;

use wire::Measured;

use crate::bench::sample::{Measure, Phase, Reading};
use crate::bench::workload::{Unit, Workload};
use crate::output::plain;

/// The most that is shown of what a probe says, in characters.
const SHOWN: usize = 200;

/// What a session has measured of `workload`; the request took `host` by our clock.
///
/// # Errors
/// It cannot be true.
pub fn of_session(
    workload: &Workload,
    measured: &Measured,
    host: Duration,
) -> Result<Reading, String> {
    if measured.operations == 0 || measured.elapsed_ns == 0 {
        return Err("it says that nothing was done, or in no time".to_owned());
    }
    let inside = measured.elapsed_ns as f64;
    let value = match workload.unit {
        Unit::Nanoseconds | Unit::Count => inside / measured.operations as f64,
        Unit::NanosecondsPerByte if measured.bytes == 0 => {
            return Err("it says that no byte was moved".to_owned());
        }
        Unit::NanosecondsPerByte => inside / measured.bytes as f64,
        Unit::Bytes => measured.bytes as f64,
    };
    let mut measures = vec![Measure::new("time", workload.unit, value)];
    measures.extend(latencies(measured.latencies_ns.clone()));
    Ok(Reading {
        measures,
        host_ns: nanoseconds(host),
        inside_ns: Some(measured.elapsed_ns),
        used: Some(measured.used),
        ..Reading::default()
    })
}

/// How long single operations took, where each is timed.
fn latencies(mut all: Vec<u64>) -> Vec<Measure> {
    all.sort_unstable();
    let (Some(last), false) = (all.len().checked_sub(1), all.is_empty()) else {
        return Vec::new();
    };
    let percentile = |(name, part): (&str, f64)| {
        // The nearest rank: a latency that there was.
        #[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates")]
        #[expect(
            clippy::cast_sign_loss,
            reason = "and a part of a length is not negative"
        )]
        let rank = (part * all.len() as f64).ceil() as usize;
        let value = all.get(rank.saturating_sub(1).min(last)).copied();
        Measure::new(name, Unit::Nanoseconds, value.unwrap_or_default() as f64)
    };
    [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
        .map(percentile)
        .into()
}

/// Events in the order of their time become stretches from the first on.
pub fn phases(begin: u64, events: &[(String, u64)]) -> Vec<Phase> {
    let mut events = events.to_vec();
    events.sort_by_key(|(_, time)| *time);
    let begins = std::iter::once(begin).chain(events.iter().map(|(_, time)| *time));
    events
        .iter()
        .zip(begins)
        .map(|((name, end), begin)| Phase {
            name: name.clone(),
            ns: end.saturating_sub(begin),
        })
        .collect()
}

/// What comes from behind a wall, as much of it as a line has, and as a terminal may have it.
pub fn shown(text: &str) -> String {
    plain(&text.chars().take(SHOWN).collect::<String>())
}

/// 585 years at most.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::workload::{Kind, Suite};

    const HOST: Duration = Duration::from_millis(1);

    fn workload(unit: Unit) -> Workload {
        Workload {
            name: "w",
            isolates: "nothing",
            why: "nothing",
            kind: Kind::Session {
                operations: 1,
                peer: false,
            },
            unit,
            suite: Suite::Quick,
        }
    }

    fn measured() -> Measured {
        Measured {
            operations: 1000,
            elapsed_ns: 500_000,
            ..Measured::default()
        }
    }

    fn of(unit: Unit, measured: &Measured) -> Result<Reading, String> {
        of_session(&workload(unit), measured, HOST)
    }

    #[test]
    fn the_value_is_for_one_operation_or_one_byte() {
        let moved = Measured {
            bytes: 1_000_000,
            ..measured()
        };
        let value = |unit| of(unit, &moved).unwrap().measures[0].value;
        assert_eq!(value(Unit::Nanoseconds), 500.0);
        assert_eq!(value(Unit::NanosecondsPerByte), 0.5);
    }

    #[test]
    fn latencies_become_percentiles_that_there_were() {
        let timed = Measured {
            latencies_ns: (1..=200).rev().collect(),
            ..measured()
        };
        let reading = of(Unit::Nanoseconds, &timed).unwrap();
        let figures: Vec<_> = reading.measures[1..]
            .iter()
            .map(|measure| (measure.name.as_str(), measure.value))
            .collect();
        assert_eq!(figures, [("p50", 100.0), ("p95", 190.0), ("p99", 198.0)]);
    }

    #[test]
    fn what_cannot_be_true_is_no_figure() {
        let nothing = Measured {
            operations: 0,
            ..measured()
        };
        let no_time = Measured {
            elapsed_ns: 0,
            ..measured()
        };
        for lie in [nothing, no_time] {
            assert!(of(Unit::Nanoseconds, &lie).is_err());
        }
        assert!(of(Unit::NanosecondsPerByte, &measured()).is_err());
    }

    #[test]
    fn phases_follow_each_other_in_the_order_of_their_ends() {
        let events = [("b".to_owned(), 30), ("a".to_owned(), 15)];
        let phases = phases(10, &events);
        let told: Vec<_> = phases.iter().map(|p| (p.name.as_str(), p.ns)).collect();
        assert_eq!(told, [("a", 5), ("b", 15)]);
    }

    #[test]
    fn what_a_probe_says_moves_no_cursor() {
        assert!(!shown("a\x1b[2Jb").contains('\x1b'));
        assert_eq!(shown(&"x".repeat(1000)).len(), SHOWN);
    }
}
