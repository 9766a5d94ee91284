//! What was counted while a workload ran, and what that makes for one operation.

use std::collections::BTreeMap;

use wire::Used;

/// KVM's counters, by name.
pub type Counters = BTreeMap<String, u64>;

/// What the kernel counts of a process that did something, by name.
pub type Events = BTreeMap<&'static str, u64>;

/// In [`Events`]: page faults.
pub const FAULTS: &str = "page faults";
/// In [`Events`]: context switches.
pub const SWITCHES: &str = "context switches";

/// What was counted of a workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// For one operation.
    pub each: PerOperation,
    /// How many unlike system calls of the host all of it reached, the request for it too.
    pub unlike_calls: usize,
}

/// Counts for one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerOperation {
    /// System calls that the host saw, by name.
    pub calls: BTreeMap<String, f64>,
    /// KVM's counters, by name; `None` where there is no machine, or KVM does not tell.
    pub kvm: Option<BTreeMap<String, f64>>,
    /// What the kernel behind the wall counted of the probe, by name.
    pub events: BTreeMap<&'static str, f64>,
}

impl PerOperation {
    /// The sum of all system calls.
    pub fn all_calls(&self) -> f64 {
        self.calls.values().sum()
    }

    /// The events called `name`, 0 where there was none.
    pub fn events(&self, name: &str) -> f64 {
        self.events.get(name).copied().unwrap_or(0.0)
    }

    /// KVM's counter `name`, 0 where it has none.
    pub fn kvm(&self, name: &str) -> f64 {
        let kvm = self.kvm.as_ref();
        kvm.and_then(|kvm| kvm.get(name).copied()).unwrap_or(0.0)
    }
}

/// The events in what was `used`.
pub fn events(used: &Used) -> Events {
    let faults = used.minor_faults.saturating_add(used.major_faults);
    let switches = used.voluntary_switches;
    let switches = switches.saturating_add(used.involuntary_switches);
    [(FAULTS, faults), (SWITCHES, switches)].into()
}

/// By how much the second of two counts is greater, for one of the `operations` that it had
/// more: what a run costs by itself falls out. Those that are equal are left out.
pub fn for_each<K: Ord + Clone>(
    counts: &[BTreeMap<K, u64>; 2],
    operations: u64,
) -> BTreeMap<K, f64> {
    let [less, more] = counts;
    let differences = more.iter().map(|(key, count)| {
        let added = count.saturating_sub(less.get(key).copied().unwrap_or(0));
        (key.clone(), added as f64 / operations.max(1) as f64)
    });
    differences.filter(|(_, count)| *count > 0.0).collect()
}

/// A count with the name of its system call.
pub fn named<T>((number, count): (u64, T)) -> (String, T) {
    (name_of(number), count)
}

/// The name of a system call of x86-64.
fn name_of(number: u64) -> String {
    let known = usize::try_from(number).ok().and_then(syscalls::Sysno::new);
    known.map_or_else(|| format!("call {number}"), |call| call.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_costs_by_itself_falls_out() {
        let calls = [[(0, 110), (39, 7)].into(), [(0, 150), (39, 7)].into()];
        let each: BTreeMap<String, f64> = for_each(&calls, 20).into_iter().map(named).collect();
        assert_eq!(each, [("read".to_owned(), 2.0)].into());
    }

    #[test]
    fn a_counter_that_is_not_there_is_zero() {
        let kvm = [("exits".to_owned(), 0.5)].into();
        let each = PerOperation {
            kvm: Some(kvm),
            ..PerOperation::default()
        };
        assert_eq!((each.kvm("exits"), each.kvm("halt_exits")), (0.5, 0.0));
    }

    #[test]
    fn a_call_that_nobody_knows_has_its_number() {
        assert_eq!(named((100_000, 1)), ("call 100000".to_owned(), 1));
    }
}
