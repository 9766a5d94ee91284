//! `--suite boot` and `--suite disk`: the same guest booted by several VMMs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use super::onlooker::Onlooker;
use super::results::{self, Exports};
use super::{Failure, refuse_given};
use crate::bench::behind::{Interrupt, Workplace};
use crate::bench::environment::meanwhile::Meanwhile;
use crate::bench::environment::{Environment, software};
use crate::bench::record::{Begin, End, Entry, Fact, Journal, TargetNote};
use crate::bench::rounds::{self, Plan};
use crate::bench::target::Target;
use crate::bench::vmms::guest::Guest;
pub(super) use crate::bench::vmms::machine::Job;
use crate::bench::vmms::machine::{HostFile, Machine};
use crate::bench::vmms::running::Terms;
use crate::bench::vmms::template::{KNOWN, Template};
use crate::bench::workload::{BOOT, DISK};
use crate::cli::walls::bench::{Measure, Memory};
use crate::config::CpuList;
use crate::image::Store;
use crate::kernel::{Kernel, Kernels};

/// What a guest has of memory where nobody says: fio's libraries alone need more than a boot.
const fn memory_for(job: Job) -> u64 {
    match job {
        Job::Boot => 128 << 20,
        Job::Disk => 512 << 20,
    }
}
/// The second disk: more than a guest and most caches hold.
const DISK_BYTES: u64 = 512 << 20;
/// How long all rounds may take where nobody says.
const BUDGET: Duration = Duration::from_secs(30 * 60);

/// Measures VMMs at `job` as `options` say.
pub(super) fn run(options: &Measure, job: Job) -> Result<ExitCode, Failure> {
    refuse_what_means_nothing(options)?;
    let templates = templates(&options.vmm);
    refuse_a_name_for_two(&templates)?;
    let exports = Exports::open(options.results.exports()?)?;
    let interrupt = Rc::new(Interrupt::take()?);
    let store = Store::open_default()?;
    let workplace = Workplace::set_up()?;
    let kernel = Kernels::of_store(store.directory()).find(options.kernel.as_deref())?;
    let guest = guest(options, job, &kernel, &workplace)?;
    let terms = terms(options, &interrupt);
    let plan = plan(options, job);
    let mut targets = targets(&templates, (job, !options.no_control), &guest, &terms);
    let environment = Environment::examine();
    let notes = targets.iter().map(Box::as_ref).map(TargetNote::of);
    let software = [
        software::ourselves(),
        software::kernel(&kernel, &options.cmdline)?,
    ];
    let begin = Begin {
        conditions: conditions(&guest, &terms.cpus),
        environment: [environment.facts(), software.concat()].concat(),
        caveats: environment.caveats(),
        targets: notes.collect(),
        workloads: plan.names(),
        ..Begin::now(plan.seed)
    };
    let path = exports.record(&store, &begin)?;
    if let Some(disk) = &guest.disk {
        fill_with_noise(disk)?;
    }
    let mut journal = Journal::create(&path, begin)?;
    let meanwhile = Meanwhile::begin();
    let mut onlooker = Onlooker::new(&interrupt);
    let end = rounds::run(&plan, &mut targets, &mut journal, &mut onlooker);
    let written = journal.append(Entry::End(End {
        during: meanwhile.facts(),
        ..end
    }));
    let record = journal.into_record();
    // What was measured is told even if the file could not take all of it.
    results::publish(&record, &path, exports, options.results.details)?;
    written?;
    Ok(results::status(&record, interrupt.came()))
}

/// What is asked of walls is not silently left out.
fn refuse_what_means_nothing(options: &Measure) -> Result<(), Failure> {
    let given = [
        ("an IMAGE", options.image.is_some()),
        ("--only", !options.only.is_empty()),
        ("--skip", !options.skip.is_empty()),
        ("--wall", !options.wall.is_empty()),
        ("--runtime", !options.runtime.is_empty()),
        ("--cpus", options.cpus.is_some()),
        ("--explain", options.explain),
    ];
    let here = "to --suite boot and disk, where VMMs of one vCPU boot a --rootfs";
    refuse_given(&given, here)
}

/// Ours, and those of `wanted`, or all that are known and installed.
fn templates(wanted: &[Template]) -> Vec<Template> {
    let known = KNOWN.iter().filter_map(|(name, _)| name.parse().ok());
    let mut known = known.filter(|template: &Template| match wanted {
        [] => template.find().is_ok(),
        _ => template.name == "vmm",
    });
    let ours = known.next();
    let others = wanted.iter().filter(|other| Some(*other) != ours.as_ref());
    let others: Vec<Template> = others.cloned().collect();
    ours.into_iter().chain(known).chain(others).collect()
}

/// Figures go by the names.
fn refuse_a_name_for_two(templates: &[Template]) -> Result<(), Failure> {
    let control = templates.first().map(Template::again);
    let ours = [HostFile::NAME].into_iter().chain(control.as_deref());
    let names = templates.iter().map(|template| template.name.as_str());
    let mut names: Vec<&str> = names.chain(ours).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let name = pair[0];
            Err(format!("two are called '{name}': --vmm NAME='CMD' gives one another name").into())
        }
    }
}

fn guest(
    options: &Measure,
    job: Job,
    kernel: &Kernel,
    workplace: &Workplace,
) -> Result<Guest, Failure> {
    let Some(rootfs) = &options.rootfs else {
        return Err("which root file system? --rootfs names it".into());
    };
    let Memory(memory) = options.memory.unwrap_or(Memory(Some(memory_for(job))));
    let memory = memory.ok_or("a guest has some memory: --memory SIZE")?;
    Ok(Guest {
        // They are read where others start.
        kernel: fs::canonicalize(&kernel.image)?,
        rootfs: readable(rootfs)?,
        disk: (job == Job::Disk).then(|| workplace.disk()),
        memory_mib: u32::try_from(memory >> 20)?,
        words: format!("{} {}", options.cmdline, job.words())
            .trim()
            .to_owned(),
        config: workplace.guest(),
    })
}

fn readable(path: &Path) -> Result<PathBuf, Failure> {
    let found = File::open(path).and_then(|_| fs::canonicalize(path));
    found.map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn plan(options: &Measure, job: Job) -> Plan {
    Plan {
        workloads: vec![match job {
            Job::Boot => BOOT,
            Job::Disk => DISK,
        }],
        rounds: options.rounds,
        budget: Some(options.time_budget.unwrap_or(BUDGET)),
        scale: 1.0,
        seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
    }
}

fn terms(options: &Measure, interrupt: &Rc<Interrupt>) -> Terms {
    Terms {
        cpus: options
            .cpu_list
            .clone()
            .unwrap_or_else(CpuList::of_this_thread),
        limit: options.timeout,
        interrupt: Rc::clone(interrupt),
    }
}

/// The host's own file where disks are measured, then the VMMs, the first of them over again.
fn targets(
    templates: &[Template],
    (job, has_control): (Job, bool),
    guest: &Guest,
    terms: &Terms,
) -> Vec<Box<dyn Target>> {
    let mut targets: Vec<Box<dyn Target>> = Vec::new();
    if let (Job::Disk, Some(disk)) = (job, &guest.disk) {
        targets.push(Box::new(HostFile {
            disk: disk.clone(),
            terms: terms.clone(),
        }));
    }
    for (place, template) in templates.iter().enumerate() {
        let new = || Machine::new(template.clone(), guest.clone(), job, terms.clone());
        targets.push(Box::new(new()));
        if place == 0 && has_control {
            targets.push(Box::new(new().again()));
        }
    }
    targets
}

/// What all of them get alike.
fn conditions(guest: &Guest, cpus: &CpuList) -> Vec<Fact> {
    let fact = Fact::that_matters;
    let mut facts = vec![
        fact("guest memory", format!("{} MiB", guest.memory_mib)),
        fact("vCPUs", "1".to_owned()),
        fact("processors", format!("all of it on CPUs {cpus}")),
        fact(
            "kernel and root",
            "the same files; the root only read".to_owned(),
        ),
    ];
    facts.extend(guest.disk.as_ref().map(|_| {
        let size = DISK_BYTES >> 20;
        fact(
            "disk",
            format!("{size} MiB without a hole, past the host's cache"),
        )
    }));
    facts
}

/// Makes the disk at `path`. No block of it is a hole, which would be read without the disk.
fn fill_with_noise(path: &Path) -> io::Result<()> {
    let mut noise = File::open("/dev/urandom")?.take(DISK_BYTES);
    io::copy(&mut noise, &mut File::create_new(path)?)?;
    Ok(())
}
