//! What else goes on while it is measured: load, and the pressure that the kernel counts
//! (Documentation/accounting/psi.rst).

use std::fs;
use std::time::Instant;

use crate::bench::record::Fact;

/// What may have to wait.
const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];
/// So much of the time may somebody wait for it until what is measured is disturbed, in parts of
/// 1. Input and output are what some workloads are about.
const HARMLESS: [f64; 3] = [0.25, 0.01, f64::INFINITY];

/// Looks from when it is made.
pub struct Meanwhile {
    began: Instant,
    stalled_us: [Option<u64>; 3],
}

impl Meanwhile {
    /// From now on.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
            stalled_us: RESOURCES.map(stalled_us),
        }
    }

    /// What went on until now. What matters was enough to disturb what was measured.
    pub fn facts(&self) -> Vec<Fact> {
        let elapsed_us = self.began.elapsed().as_micros().max(1) as f64;
        let mut facts = vec![Fact::aside(
            "load at the end",
            load().map_or_else(unknown, |load| load.to_string()),
        )];
        for ((name, before), harmless) in RESOURCES.iter().zip(self.stalled_us).zip(HARMLESS) {
            let Some((before, now)) = before.zip(stalled_us(name)) else {
                continue;
            };
            facts.push(pressure(
                name,
                now.saturating_sub(before) as f64 / elapsed_us,
                harmless,
            ));
        }
        facts
    }
}

fn pressure(resource: &str, share: f64, harmless: f64) -> Fact {
    let fact = match share > harmless {
        true => Fact::that_matters,
        false => Fact::aside,
    };
    let value = format!("{:.1} % of the time somebody waited", share * 100.0);
    fact(&format!("pressure on {resource}"), value)
}

/// What has to be said where the host is busy before anything is measured.
pub fn busy(cpus: usize) -> Option<String> {
    let load = load()?;
    (load > cpus as f64 / 2.0).then(|| {
        format!(
            "This host was busy before it began (load {load} on {cpus} CPUs): intervals are wide, \
             and ratios may be of others' making. Measure again when it is idle."
        )
    })
}

/// That of the last minute.
fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// For how long, since the host was started, some task has waited.
fn stalled_us(resource: &str) -> Option<u64> {
    total(&fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?)
}

/// The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn total(text: &str) -> Option<u64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let (_, total) = some.split_once("total=")?;
    total.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_from_the_line_of_some() {
        let text = "some avg10=1.00 avg60=0.00 avg300=0.00 total=1234\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(total(text), Some(1234));
        assert_eq!(total("full total=5\n"), None);
        assert_eq!(total("some total=x\n"), None);
    }

    #[test]
    fn pressure_matters_where_it_disturbs() {
        let fact = pressure("cpu", 0.301, 0.25);
        assert_eq!(fact.value, "30.1 % of the time somebody waited");
        assert!(fact.matters);
        assert!(!pressure("cpu", 0.2, 0.25).matters);
    }

    #[test]
    fn a_host_with_many_idle_processors_is_not_busy() {
        assert_eq!(busy(1 << 20), None);
    }
}
