//! Which mechanism accounts for what a wall costs: a sentence from counts, and nothing else.

use super::counted::PerOperation;
use crate::bench::workload::Unit;

/// Exits of a guest that have a counter of their own in KVM, and what they are.
const EXITS: [(&str, &str); 8] = [
    ("halt_exits", "the guest idles"),
    ("irq_exits", "an interrupt of the host"),
    ("irq_window_exits", "an interrupt for the guest waits"),
    ("io_exits", "a port"),
    ("mmio_exits", "a device's memory"),
    ("hypercalls", "a call to the hypervisor"),
    ("pf_taken", "a page that the host has not mapped yet"),
    ("signal_exits", "a signal to the vCPU's thread"),
];
/// Fewer a operation are chance.
const SOME: f64 = 0.02;

/// What accounts for `tax`, nanoseconds that one operation costs more than behind no wall
/// (`None` where no difference was measured), by the counts of one operation.
pub fn of_machine(each: &PerOperation, tax: Option<f64>) -> String {
    let exits = each.kvm("exits");
    let tax = tax.filter(|tax| *tax > 0.0);
    if exits < SOME {
        return match tax {
            None => "the guest is not left for it: its own kernel does all of it".to_owned(),
            Some(tax) => format!(
                "the guest is not left for it: {} more each are its own kernel's work and what \
                 nested page tables add to a miss of the TLB",
                Unit::Nanoseconds.show(tax)
            ),
        };
    }
    let counted = format!("{} exits an operation{}", figure(exits), causes(each));
    match tax {
        None => counted,
        Some(tax) => format!(
            "{counted}: {} of tax for each exit",
            Unit::Nanoseconds.show(tax / exits)
        ),
    }
}

/// The causes that have counters, most first.
fn causes(each: &PerOperation) -> String {
    let counted = EXITS.map(|(name, cause)| (each.kvm(name), cause));
    let mut counted: Vec<_> = counted.into_iter().filter(|(n, _)| *n >= SOME).collect();
    counted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let causes = counted
        .into_iter()
        .map(|(count, cause)| format!("{} {cause}", figure(count)));
    match causes.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        causes => format!(" ({causes})"),
    }
}

/// What accounts for the tax of processes that the host's own kernel serves, where `filtered`
/// by a seccomp filter; `bare` is what the same operation counts behind no wall.
pub fn of_processes(
    each: &PerOperation,
    bare: Option<&PerOperation>,
    filtered: bool,
    tax: Option<f64>,
) -> String {
    let calls = each.all_calls();
    if calls < SOME {
        return "it makes no system calls, so nothing of the wall is in its way".to_owned();
    }
    let as_many = match bare {
        Some(bare) if (bare.all_calls() - calls).abs() < SOME.max(calls / 50.0) => {
            ", as many as behind no wall"
        }
        _ => "",
    };
    let counted = format!("{} system calls an operation{as_many}", figure(calls));
    match (tax.filter(|tax| *tax > 0.0), filtered) {
        (Some(tax), true) => format!(
            "{counted}, each judged by the seccomp filter: {} of tax for each call",
            Unit::Nanoseconds.show(tax / calls)
        ),
        (None, true) => format!("{counted}, each judged by the seccomp filter"),
        (_, false) => counted,
    }
}

/// Three digits at most.
fn figure(count: f64) -> String {
    match count {
        count if count >= 99.5 => format!("{count:.0}"),
        count if count >= 9.95 => format!("{count:.1}"),
        count => format!("{count:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(counters: &[(&str, f64)]) -> PerOperation {
        let kvm = counters.iter().map(|(name, n)| ((*name).to_owned(), *n));
        PerOperation {
            kvm: kvm.collect(),
            ..PerOperation::default()
        }
    }

    fn processes(calls: f64) -> PerOperation {
        PerOperation {
            calls: [("getpid".to_owned(), calls)].into(),
            ..PerOperation::default()
        }
    }

    #[test]
    fn exits_are_named_most_first_and_share_the_tax() {
        let counted = machine(&[("exits", 2.0), ("io_exits", 0.5), ("halt_exits", 1.5)]);
        assert_eq!(
            of_machine(&counted, Some(6_000.0)),
            "2.00 exits an operation (1.50 the guest idles, 0.50 a port): 3.00 µs of tax for each exit"
        );
    }

    #[test]
    fn a_guest_that_is_not_left_pays_elsewhere() {
        let sentence = of_machine(&machine(&[("exits", 0.001)]), Some(12.0));
        assert!(sentence.starts_with("the guest is not left for it: 12.0 ns more"));
        assert!(!of_machine(&machine(&[]), None).contains("more"));
    }

    #[test]
    fn a_container_makes_the_calls_of_a_process_through_its_filter() {
        let sentence = of_processes(&processes(1.0), Some(&processes(1.0)), true, Some(40.0));
        assert_eq!(
            sentence,
            "1.00 system calls an operation, as many as behind no wall, each judged by the \
             seccomp filter: 40.0 ns of tax for each call"
        );
    }

    #[test]
    fn what_makes_no_calls_meets_no_wall() {
        let sentence = of_processes(&processes(0.0), None, true, None);
        assert!(sentence.starts_with("it makes no system calls"));
    }
}
