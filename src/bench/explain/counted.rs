//! What was counted while a workload ran, and what that makes for one operation.

use std::collections::BTreeMap;

/// KVM's counters, by name.
pub type Counters = BTreeMap<String, u64>;

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
    /// KVM's counters, by name; none where there is no machine.
    pub kvm: BTreeMap<String, f64>,
}

impl PerOperation {
    /// The sum of all system calls.
    pub fn all_calls(&self) -> f64 {
        self.calls.values().sum()
    }

    /// KVM's counter `name`, 0 where it has none.
    pub fn kvm(&self, name: &str) -> f64 {
        self.kvm.get(name).copied().unwrap_or(0.0)
    }
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
            kvm,
            ..PerOperation::default()
        };
        assert_eq!((each.kvm("exits"), each.kvm("halt_exits")), (0.5, 0.0));
    }

    #[test]
    fn a_call_that_nobody_knows_has_its_number() {
        assert_eq!(named((100_000, 1)), ("call 100000".to_owned(), 1));
    }
}
