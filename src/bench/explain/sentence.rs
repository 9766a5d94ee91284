//! Which mechanism accounts for what a wall costs: a sentence from counts, and nothing else.

use super::counted::{FAULTS, PerOperation, SWITCHES};
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
    if each.kvm.is_none() {
        let unknown = "KVM does not tell its counters here".to_owned();
        return unknown + &beside(events(each));
    }
    let exits = each.kvm("exits");
    let tax = tax.filter(|tax| *tax > 0.0);
    let sentence = match tax {
        None if exits < SOME => {
            "the guest is not left for it: its own kernel does all of it".to_owned()
        }
        Some(tax) if exits < SOME => format!(
            "the guest is not left for it: {} more each are its own kernel's work and what \
             nested page tables add to a miss of the TLB",
            Unit::Nanoseconds.show(tax)
        ),
        _ => format!(
            "{} exits an operation{}{}",
            figure(exits),
            causes(each),
            shared(tax, exits, "exit")
        ),
    };
    let injected = (each.kvm("irq_injections"), "interrupts injected");
    sentence + &beside([injected].into_iter().chain(events(each)))
}

/// What the kernel that serves it counts.
fn events(each: &PerOperation) -> impl Iterator<Item = (f64, &'static str)> {
    [FAULTS, SWITCHES]
        .map(|name| (each.events(name), name))
        .into_iter()
}

/// `tax` by the `count` of what makes it.
fn shared(tax: Option<f64>, count: f64, what: &str) -> String {
    tax.map_or_else(String::new, |tax| {
        let each = Unit::Nanoseconds.show(tax / count);
        format!(": {each} of tax for each {what}")
    })
}

/// What else was counted.
fn beside(counts: impl Iterator<Item = (f64, &'static str)>) -> String {
    let counts = counts.filter(|(count, _)| *count >= SOME);
    let counts = counts.map(|(count, name)| format!("{} {name}", figure(count)));
    match counts.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        counts => format!("; beside that {counts}"),
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
/// by our seccomp filter; `bare` is what the same operation counts behind no wall.
pub fn of_processes(
    each: &PerOperation,
    bare: Option<&PerOperation>,
    filtered: bool,
    tax: Option<f64>,
) -> String {
    let calls = each.all_calls();
    if calls < SOME {
        let none = "it makes no system calls, so nothing of the wall is in its way".to_owned();
        return none + &beside(events(each));
    }
    let as_many = match bare {
        Some(bare) if (bare.all_calls() - calls).abs() < SOME.max(calls / 50.0) => {
            ", as many as behind no wall"
        }
        _ => "",
    };
    let filter = match filtered {
        true => ", each judged by the seccomp filter",
        false => "",
    };
    format!(
        "{} system calls an operation{as_many}{filter}{}{}",
        figure(calls),
        shared(tax.filter(|tax| *tax > 0.0), calls, "call"),
        beside(events(each))
    )
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
            kvm: Some(kvm.collect()),
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
        let unknown = of_machine(&PerOperation::default(), Some(12.0));
        assert_eq!(unknown, "KVM does not tell its counters here");
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
    fn what_the_kernel_counts_stands_beside_it() {
        let counted = PerOperation {
            events: [(FAULTS, 1.0), (SWITCHES, 0.001)].into(),
            ..machine(&[("exits", 2.0), ("irq_injections", 1.0)])
        };
        assert_eq!(
            of_machine(&counted, None),
            "2.00 exits an operation; beside that 1.00 interrupts injected, 1.00 page faults"
        );
        let counted = PerOperation {
            events: [(SWITCHES, 2.0)].into(),
            ..processes(1.0)
        };
        assert_eq!(
            of_processes(&counted, None, false, None),
            "1.00 system calls an operation; beside that 2.00 context switches"
        );
    }

    #[test]
    fn what_makes_no_calls_meets_no_wall() {
        let sentence = of_processes(&processes(0.0), None, true, None);
        assert!(sentence.starts_with("it makes no system calls"));
    }
}
