//! `--stats`: the exit ledger and KVM's own counters, at the end.

use serde::Serialize;

use crate::hypervisor::Statistic;
use crate::machine::Ended;
use crate::machine::ledger::{Row, Table};
use crate::output::say;

/// What `--stats --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    exits: &'a [Row],
    kvm: std::collections::BTreeMap<&'a str, u64>,
}

/// Prints what was counted, if anything was, to standard error.
pub(super) fn print(ended: &Ended, json: bool) {
    let Some(exits) = &ended.exits else {
        return;
    };
    if json {
        let kvm = ended
            .statistics
            .iter()
            .map(|one| (one.name.as_str(), one.value));
        let kvm = kvm.collect();
        let report = serde_json::to_string_pretty(&Report { exits, kvm });
        say(report.expect("names and numbers are valid JSON"));
        return;
    }
    say(Table(exits));
    print_counters(&ended.statistics);
}

fn print_counters(statistics: &[Statistic]) {
    if statistics.is_empty() {
        say("\nno counters of KVM's: they need Linux 5.14 or newer");
        return;
    }
    say("\n    count  KVM's counter (those that are not zero)");
    for Statistic { name, value } in statistics.iter().filter(|one| one.value > 0) {
        say(format_args!("{value:>9}  {name}"));
    }
}
