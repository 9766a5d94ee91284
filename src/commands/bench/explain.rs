//! `--explain`: a pass after the timed rounds, in which what they reach is counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::plan::Wanted;
use crate::bench::behind::{Behind, Shared};
use crate::bench::explain::counted::{Counted, PerOperation};
use crate::bench::explain::{explanation, sentence, tax};
use crate::bench::record::{Entry, Journal, JournalError};
use crate::bench::rounds::Plan;
use crate::bench::summary::Summary;
use crate::bench::target::Target;
use crate::bench::workload::{Kind, Workload};
use crate::output::say;
use crate::report::progress::{Live, Now};
use crate::run::Wall;

/// Counts what each workload of `plan` that a session does reaches behind each of `wanted`, and
/// writes down what that accounts for.
///
/// # Errors
/// It cannot be written down.
pub fn explain(
    plan: &Plan,
    wanted: &[Wanted],
    shared: &Rc<Shared>,
    journal: &mut Journal,
) -> Result<(), JournalError> {
    let is_session = |workload: &&Workload| matches!(workload.kind, Kind::Session { .. });
    let mut pass = Pass {
        workloads: plan.workloads.iter().filter(is_session).collect(),
        scale: plan.scale,
        summary: Summary::of(journal.record()),
        shared,
        journal,
        bare: BTreeMap::new(),
    };
    let mut wanted = wanted.iter().filter(|wanted| wanted.control_of.is_none());
    wanted.try_for_each(|wanted| pass.behind(wanted))
}

struct Pass<'a> {
    workloads: Vec<&'a Workload>,
    scale: f64,
    /// What the timed rounds have shown.
    summary: Summary,
    shared: &'a Rc<Shared>,
    journal: &'a mut Journal,
    /// What was counted behind no wall.
    bare: BTreeMap<&'a str, PerOperation>,
}

impl<'a> Pass<'a> {
    fn behind(&mut self, wanted: &Wanted) -> Result<(), JournalError> {
        let mut target = Behind::new(&wanted.name, wanted.choice.clone(), true, self.shared);
        let explained = match target.prepare() {
            Ok(()) => self.explain_all(wanted, &mut target),
            Err(reason) => {
                let name = &wanted.name;
                say(format_args!(
                    "vmm: nothing is explained behind {name}: {reason}"
                ));
                Ok(())
            }
        };
        target.cleanup();
        explained
    }

    fn explain_all(&mut self, wanted: &Wanted, target: &mut Behind) -> Result<(), JournalError> {
        let mut live = Live::on_stderr();
        for workload in self.workloads.clone() {
            live.at(&Now {
                doing: &format!(
                    "counting what {} reaches behind {}",
                    workload.name, wanted.name
                ),
                round: None,
                done: 0,
                total: 0,
                remaining: None,
            });
            if self.shared.interrupt.came().is_some() {
                break;
            }
            // What cannot be done has said so in the rounds.
            if let Ok(counted) = target.count(workload, self.scale) {
                let sentence = self.sentence(workload.name, wanted, &counted.each);
                let names = (workload.name, wanted.name.as_str());
                self.journal
                    .append(Entry::Explanation(explanation(names, &counted, sentence)))?;
                self.remember(workload.name, wanted, counted);
            }
        }
        Ok(())
    }

    fn sentence(&self, workload: &str, wanted: &Wanted, each: &PerOperation) -> String {
        let tax = tax(&self.summary, workload, &wanted.name);
        match wanted.choice.wall {
            Wall::Vm => sentence::of_machine(each, tax),
            Wall::Container => sentence::of_processes(each, self.bare.get(workload), true, tax),
            Wall::Process => sentence::of_processes(each, None, false, None),
        }
    }

    fn remember(&mut self, workload: &'a str, wanted: &Wanted, counted: Counted) {
        if wanted.choice.wall == Wall::Process {
            self.bare.insert(workload, counted.each);
        }
    }
}
