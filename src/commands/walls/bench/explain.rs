//! `--explain`: a pass after the timed rounds, in which what they reach is counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::plan::Wanted;
use crate::bench::behind::{Behind, Needs, Shared};
use crate::bench::explain::counted::{Counted, PerOperation};
use crate::bench::explain::{explanation, sentence, tax};
use crate::bench::record::{Entry, Journal, JournalError};
use crate::bench::rounds::Plan;
use crate::bench::summary::Summary;
use crate::bench::target::Target;
use crate::bench::workload::Workload;
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
    let is_session = |workload: &&Workload| workload.is_session();
    let mut pass = Pass {
        needs: Needs::of(&plan.workloads),
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
    needs: Needs,
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
        let mut target = Behind::new(&wanted.name, wanted.choice.clone(), self.needs, self.shared);
        let explained = match target.prepare() {
            Ok(()) => self.explain_all(wanted, &mut target),
            Err(reason) => self.note(&format!("behind {}", wanted.name), &reason),
        };
        target.cleanup();
        explained
    }

    fn explain_all(&mut self, wanted: &Wanted, target: &mut Behind) -> Result<(), JournalError> {
        let mut live = Live::on_stderr();
        let mut failed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
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
            let counted = target.count(workload, self.scale);
            if self.shared.interrupt.came().is_some() {
                return Ok(());
            }
            match counted {
                Ok(counted) => self.explain(workload.name, wanted, counted)?,
                Err(failure) => {
                    let reason = crate::chain(&failure);
                    failed.entry(reason).or_default().push(workload.name);
                }
            }
        }
        drop(live);
        failed.into_iter().try_for_each(|(reason, workloads)| {
            let what = format!("of {} behind {}", workloads.join(", "), wanted.name);
            self.note(&what, &reason)
        })
    }

    fn explain(
        &mut self,
        workload: &'a str,
        wanted: &Wanted,
        counted: Counted,
    ) -> Result<(), JournalError> {
        let sentence = self.sentence(workload, wanted, &counted.each);
        let names = (workload, wanted.name.as_str());
        let explanation = explanation(names, &counted, sentence);
        self.remember(workload, wanted, counted);
        self.journal.append(Entry::Explanation(explanation))
    }

    /// Writes down why there is nothing.
    fn note(&mut self, what: &str, reason: &str) -> Result<(), JournalError> {
        let note = format!("Nothing is explained {what}: {reason}.");
        self.journal.append(Entry::Note(note))
    }

    fn sentence(&self, workload: &str, wanted: &Wanted, each: &PerOperation) -> String {
        let tax = tax(&self.summary, workload, &wanted.name);
        match wanted.choice.wall {
            Wall::Vm => sentence::of_machine(each, tax),
            Wall::Container => {
                // Another runtime may have its own way with it.
                let filtered = wanted.choice.runtime.is_none();
                sentence::of_processes(each, self.bare.get(workload), filtered, tax)
            }
            Wall::Process => sentence::of_processes(each, None, false, None),
        }
    }

    fn remember(&mut self, workload: &'a str, wanted: &Wanted, counted: Counted) {
        if wanted.choice.wall == Wall::Process {
            self.bare.insert(workload, counted.each);
        }
    }
}
