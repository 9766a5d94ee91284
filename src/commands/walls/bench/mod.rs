//! `vmm bench`: what each wall costs.
//!
//! - [`plan`]: what was typed becomes workloads, targets and conditions
//! - [`measure`]: the measuring, from the first look at the host to the end of the record
//! - [`explain`]: what accounts for the figures, in a pass of its own
//! - [`tools`]: which of the field's own the image has
//! - [`vmms`]: other VMMs beside ours
//! - [`onlooker`]: progress, and the signal that ends it
//! - [`results`]: the table, and the files beside it

mod explain;
mod measure;
mod onlooker;
mod plan;
mod results;
mod tools;
mod vmms;

use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use crate::bench::density;
use crate::bench::diff::Diff;
use crate::bench::record::Record;
use crate::bench::workload::{BUILT_IN, Suite};
use crate::cli::walls::bench::{Bench, Job, Measure, Results, SuiteName};
use crate::config::CpuList;
use crate::output::print;
use crate::report;
use results::Exports;

/// Does what `options` ask for.
pub(super) fn run(options: Bench) -> Result<ExitCode, Failure> {
    match options.job {
        Some(Job::Diff {
            before,
            after,
            force,
        }) => diff(&before, &after, force),
        Some(Job::Report { record, results }) => report_of(&record, &results),
        None if options.measure.list => list(),
        None => {
            refuse_other_cpus(&options.measure)?;
            match options.measure.suite {
                Some(SuiteName::Boot) => vmms::run(&options.measure, vmms::Job::Boot),
                Some(SuiteName::Disk) => vmms::run(&options.measure, vmms::Job::Disk),
                _ => measure::run(options.measure),
            }
        }
    }
}

/// What is asked of the other kind of bench is not silently left out.
fn refuse_given(options: &[(&str, bool)], context: &str) -> Result<(), Failure> {
    match options.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(format!("{option} means nothing {context}").into()),
    }
}

/// No run could be held on a CPU that we may not use ourselves.
fn refuse_other_cpus(options: &Measure) -> Result<(), Failure> {
    let ours = CpuList::of_this_thread();
    let wanted = options.cpu_list.as_ref();
    match wanted.and_then(|wanted| wanted.beyond(&ours)) {
        None => Ok(()),
        Some(others) => {
            Err(format!("--cpu-list has CPUs {others}, and there are {ours} to be used").into())
        }
    }
}

fn diff(before: &Path, after: &Path, force: bool) -> Result<ExitCode, Failure> {
    let [before, after] = [Record::read(before)?, Record::read(after)?];
    let diff = Diff::of(&before, &after, force)?;
    print(report::diff::text(&diff))?;
    Ok(ExitCode::SUCCESS)
}

fn report_of(path: &Path, results: &Results) -> Result<ExitCode, Failure> {
    let record = Record::read(path)?;
    let exports = Exports::open(results.exports()?)?;
    results::show(&record, results.details)?;
    exports.copy_record(path)?;
    exports.write(&record)?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<ExitCode, Failure> {
    let mut text = String::new();
    let built_in = BUILT_IN.iter();
    let all = built_in.map(|one| (one.name, one.suite, one.isolates, one.why));
    let density = (density::NAME, Suite::Quick, density::ISOLATES, density::WHY);
    for (name, suite, isolates, why) in all.chain([density]) {
        let suite = match suite {
            Suite::Quick => "quick",
            Suite::Full => "full",
        };
        text += &format!("{name:<22} {suite:<6} {isolates}: {why}\n");
    }
    print(text)?;
    Ok(ExitCode::SUCCESS)
}
