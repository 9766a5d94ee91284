//! A boot, from the exec of the VMM to the guest's init, and what it took until then.

use std::time::Duration;

use crate::Options;
use crate::contender::{Contender, Guest};
use crate::cost;
use crate::rounds::{self, Entrant, Sample, Series};
use crate::running::Running;

/// What the guest's init prints first of all.
const MARKER: &str = "vmm-peers-up";
/// A boot that takes longer has hung.
const DEADLINE: Duration = Duration::from_secs(120);

/// Boots the same guest by every VMM that is found.
pub fn compare(options: &Options) -> Vec<Series> {
    // The marker goes by the kernel's log, which every console shows alike.
    let init = format!("init=/bin/sh -- -c \"echo '<1>{MARKER}' > /dev/kmsg; sleep 1000\"");
    let guest = &Guest::new(options, &init, None);
    let entrants = Contender::all_found().into_iter().map(|contender| Entrant {
        name: contender.name,
        turn: Box::new(move || boot(&contender, guest)),
    });
    rounds::run(entrants.collect(), options.rounds)
}

fn boot(contender: &Contender, guest: &Guest) -> Result<Sample, String> {
    let mut running = Running::start(contender.command(guest))?;
    running.wait_for(MARKER, DEADLINE)?;
    let to_init = running.elapsed();
    let pid = running.id();
    let mut sample = vec![
        ("to init, ms".to_owned(), to_init.as_secs_f64() * 1e3),
        ("CPU, ms".to_owned(), cost::cpu_ms(pid)),
        (
            "private, KiB".to_owned(),
            cost::private_kib(pid, u64::from(guest.memory_mib) << 10),
        ),
        ("threads".to_owned(), cost::threads(pid)),
    ];
    sample.extend(cost::exits(pid).map(|exits| ("exits".to_owned(), exits)));
    Ok(sample)
}
