//! Tools that an image has not are left out of a suite, and that is said.

use std::rc::Rc;

use super::plan::Wanted;
use crate::bench::behind::{Behind, Needs, Shared};
use crate::bench::target::Target;
use crate::bench::tools;
use crate::bench::workload::Workload;
use crate::output::say;

/// `workloads` without those whose tools the image has not, as the wall of `wanted` shows it.
pub fn that_are_there(
    workloads: Vec<Workload>,
    wanted: &Wanted,
    shared: &Rc<Shared>,
) -> Vec<Workload> {
    let needs = Needs {
        session: false,
        peer: false,
    };
    let mut wall = Behind::new(&wanted.name, wanted.choice.clone(), needs, shared);
    let is_missing = |workload: &Workload| {
        let tool = tools::find(workload.name);
        // Why a wall does not stand is told in the rounds.
        tool.is_some_and(|tool| matches!(wall.has(tool), Ok(false)))
    };
    let (missing, there): (Vec<_>, Vec<_>) = workloads.into_iter().partition(is_missing);
    wall.cleanup();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|workload| workload.name).collect();
        say(format_args!(
            "vmm: left out, since the image has no such tool: {}",
            names.join(", ")
        ));
    }
    there
}
