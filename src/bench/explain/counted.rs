//! What was counted while a workload ran, and what that makes for one operation.

use std::collections::BTreeMap;

use super::calls::Calls;

/// Counts of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// How many operations there were.
    pub operations: u64,
    /// System calls that the host saw, by number.
    pub calls: Calls,
    /// KVM's counters, by name; none where there is no machine.
    pub kvm: BTreeMap<String, u64>,
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
    /// What more operations made more of: whatever a run costs by itself falls out.
    ///
    /// `None` if `more` has no more operations than `less`.
    pub fn between(less: &Counted, more: &Counted) -> Option<Self> {
        let operations = more
            .operations
            .checked_sub(less.operations)
            .filter(|n| *n > 0)?;
        let calls = difference(&less.calls, &more.calls, operations);
        let named = |(number, count): (u64, f64)| (name_of(number), count);
        Some(Self {
            calls: calls.into_iter().map(named).collect(),
            kvm: difference(&less.kvm, &more.kvm, operations),
        })
    }

    /// The sum of all system calls.
    pub fn all_calls(&self) -> f64 {
        self.calls.values().sum()
    }

    /// KVM's counter `name`, 0 where it has none.
    pub fn kvm(&self, name: &str) -> f64 {
        self.kvm.get(name).copied().unwrap_or(0.0)
    }
}

/// The differences for one of `operations`, without those that are none.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count this high is no count any more"
)]
fn difference<K: Ord + Clone>(
    less: &BTreeMap<K, u64>,
    more: &BTreeMap<K, u64>,
    operations: u64,
) -> BTreeMap<K, f64> {
    let differences = more.iter().map(|(key, count)| {
        let added = count.saturating_sub(less.get(key).copied().unwrap_or(0));
        (key.clone(), added as f64 / operations as f64)
    });
    differences.filter(|(_, count)| *count > 0.0).collect()
}

/// The name of a system call of x86-64.
fn name_of(number: u64) -> String {
    let known = usize::try_from(number).ok().and_then(syscalls::Sysno::new);
    known.map_or_else(|| format!("call {number}"), |call| call.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(operations: u64, reads: u64, exits: u64) -> Counted {
        Counted {
            operations,
            calls: [(0, reads), (39, 7)].into(),
            kvm: [("exits".to_owned(), exits)].into(),
        }
    }

    #[test]
    fn what_a_run_costs_by_itself_falls_out() {
        let each = PerOperation::between(&counted(10, 110, 50), &counted(30, 150, 60)).unwrap();
        assert_eq!(each.calls, [("read".to_owned(), 2.0)].into());
        assert_eq!(each.kvm("exits"), 0.5);
        assert_eq!(each.kvm("halt_exits"), 0.0);
    }

    #[test]
    fn as_many_operations_say_nothing() {
        let one = counted(10, 1, 1);
        assert_eq!(PerOperation::between(&one, &one), None);
    }
}
