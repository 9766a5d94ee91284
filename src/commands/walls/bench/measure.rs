//! The measuring, from the first look at the host to the end of the record.

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use super::Failure;
use super::explain::explain;
use super::onlooker::Onlooker;
use super::plan::{self, Extent, Wanted};
use super::results::{self, Exports};
use super::{refuse_given, tools};
use crate::bench::behind::{Behind, Interrupt, Needs, Shared, Workplace, usage};
use crate::bench::density::{self, Bounds};
use crate::bench::environment::meanwhile::Meanwhile;
use crate::bench::environment::{Environment, software};
use crate::bench::record::{Begin, End, Entry, Fact, Journal, JournalError, Record, TargetNote};
use crate::bench::rounds::{self, Plan};
use crate::bench::target::Target;
use crate::bench::workload::Unit;
use crate::cli::walls::bench::Measure;
use crate::image::{Image, ResolveOptions, Store};
use crate::kernel::Kernels;
use crate::report::progress::{Live, Now};
use crate::run::Wall;

/// Measures what `options` say, tells it, and writes it down.
pub(super) fn run(options: Measure) -> Result<ExitCode, Failure> {
    refuse_what_means_nothing(&options)?;
    let exports = Exports::open(options.results.exports()?)?;
    let prepared = Prepared::of(&options, &exports)?;
    let shared = Rc::clone(&prepared.shared);
    let (record, path, written) = prepared.measure();
    results::publish(&record, &path, exports, options.results.details)?;
    written?;
    Ok(results::status(&record, shared.interrupt.came()))
}

/// What is asked of VMMs is not silently left out.
fn refuse_what_means_nothing(options: &Measure) -> Result<(), Failure> {
    let given = [
        ("--vmm", !options.vmm.is_empty()),
        ("--rootfs", options.rootfs.is_some()),
    ];
    refuse_given(&given, "without --suite boot or --suite disk")
}

/// All that is there before the first run.
struct Prepared {
    shared: Rc<Shared>,
    image: Image,
    wanted: Vec<Wanted>,
    plan: Plan,
    explains: bool,
    bounds: Option<Bounds>,
    journal: Journal,
    path: PathBuf,
}

impl Prepared {
    fn of(options: &Measure, exports: &Exports) -> Result<Self, Failure> {
        let interrupt = Interrupt::take()?;
        let store = Store::open_default()?;
        let workplace = Workplace::set_up()?;
        let named = options.image.clone();
        let name = named.unwrap_or_else(|| workplace.empty_image().display().to_string());
        let image = store.resolve(&name, &ResolveOptions::default())?;
        let environment = Environment::examine();
        let shared = Rc::new(Shared {
            conditions: plan::conditions(options, name),
            workplace,
            interrupt,
        });
        let extent = plan::extent(options, environment.is_slow());
        let wanted = plan::targets(options);
        let mut plan = plan_of(options, extent);
        if let (true, Some(first)) = (options.only.is_empty(), wanted.first()) {
            plan.workloads = tools::that_are_there(plan.workloads, first, &shared);
        }
        let begin = Begin {
            conditions: shared.conditions.facts(),
            environment: facts(options, &environment, &store, &image, &wanted),
            caveats: [environment.caveats(), shared.conditions.caveats()].concat(),
            targets: wanted.iter().map(note).collect(),
            workloads: names(&plan),
            ..Begin::now(plan.seed)
        };
        let path = exports.record(&store, &begin)?;
        Ok(Self {
            journal: Journal::create(&path, begin)?,
            bounds: plan::wants_density(options).then(|| Bounds::of_this_host(extent.instances)),
            explains: options.explain,
            shared,
            image,
            wanted,
            plan,
            path,
        })
    }

    /// Measures; the record, where it is, and whether all of it is there.
    fn measure(mut self) -> (Record, PathBuf, Result<(), Failure>) {
        let (meanwhile, own) = (Meanwhile::begin(), usage::of_ourselves());
        let end = self.rounds();
        let own = usage::of_ourselves().saturating_sub(own);
        let explained = self.explanations().and_then(|()| self.densities());
        let end = End {
            during: [meanwhile.facts(), self.own_work(own)].concat(),
            seconds: self.journal.elapsed().as_secs(),
            ..end
        };
        let written = explained.and_then(|()| self.journal.append(Entry::End(end)));
        (
            self.journal.into_record(),
            self.path,
            written.map_err(Failure::from),
        )
    }

    /// What measuring has cost beside what was measured.
    fn own_work(&self, ns: u64) -> Vec<Fact> {
        let runs = self.journal.record().samples().count();
        let for_a_run = (runs > 0).then(|| {
            let time = Unit::Nanoseconds.show(ns as f64 / runs as f64);
            Fact::aside(
                "processor time of vmm bench itself",
                format!("{time} for a run"),
            )
        });
        for_a_run.into_iter().collect()
    }

    fn rounds(&mut self) -> End {
        if self.plan.workloads.is_empty() {
            return End {
                reason: "instances were counted".to_owned(),
                seconds: 0,
                during: Vec::new(),
            };
        }
        let needs = Needs::of(&self.plan.workloads);
        let wanted = self.wanted.iter();
        let mut targets: Vec<Box<dyn Target>> = wanted
            .map(|wanted| target(wanted, needs, &self.shared))
            .collect();
        let mut onlooker = Onlooker::new(&self.shared.interrupt);
        rounds::run(&self.plan, &mut targets, &mut self.journal, &mut onlooker)
    }

    fn explanations(&mut self) -> Result<(), JournalError> {
        match self.explains && self.shared.interrupt.came().is_none() {
            true => explain(&self.plan, &self.wanted, &self.shared, &mut self.journal),
            false => Ok(()),
        }
    }

    fn densities(&mut self) -> Result<(), JournalError> {
        let Some(bounds) = self.bounds else {
            return Ok(());
        };
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let missing = self.missing();
        let mut wanted =
            wanted.filter(|wanted| wanted.control_of.is_none() && !missing.contains(&wanted.name));
        wanted.try_for_each(|wanted| match self.shared.interrupt.came() {
            Some(_) => Ok(()),
            None => self.density(&wanted, bounds),
        })
    }

    fn density(&mut self, wanted: &Wanted, bounds: Bounds) -> Result<(), JournalError> {
        let (journal, shared) = (&mut self.journal, &self.shared);
        let target = (wanted.name.as_str(), wanted.choice.clone());
        let mut live = Live::on_stderr();
        let mut written = Ok(());
        let base = &self.image.base.path;
        let counted = density::measure(target, base, shared, bounds, |density| {
            live.at(&Now {
                doing: &format!("{} instances behind {}", density.instances, wanted.name),
                round: None,
                done: 0,
                total: 0,
                remaining: None,
            });
            written = journal.append(Entry::Density(density));
            written.is_ok() && shared.interrupt.came().is_none()
        });
        drop(live);
        written?;
        match (counted, self.shared.interrupt.came()) {
            (Err(failure), None) => self.journal.append(Entry::Note(format!(
                "There were no more instances behind {}: {}.",
                wanted.name,
                crate::chain(&failure)
            ))),
            _ => Ok(()),
        }
    }

    fn missing(&self) -> Vec<String> {
        let entries = self.journal.record().entries.iter();
        entries
            .filter_map(|entry| match entry {
                Entry::Missing(missing) => Some(missing.target.clone()),
                _ => None,
            })
            .collect()
    }
}

fn target(wanted: &Wanted, needs: Needs, shared: &Rc<Shared>) -> Box<dyn Target> {
    let target = Behind::new(&wanted.name, wanted.choice.clone(), needs, shared);
    Box::new(match &wanted.control_of {
        Some(first) => target.control_of(first),
        None => target,
    })
}

fn plan_of(options: &Measure, extent: Extent) -> Plan {
    Plan {
        workloads: plan::workloads(options),
        rounds: options.rounds,
        budget: Some(extent.budget),
        scale: extent.scale,
        seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
    }
}

fn note(wanted: &Wanted) -> TargetNote {
    TargetNote {
        name: wanted.name.clone(),
        control_of: wanted.control_of.clone(),
    }
}

/// What is measured, where nothing else is the memory of instances.
fn names(plan: &Plan) -> Vec<String> {
    match plan.names() {
        names if names.is_empty() => vec![density::NAME.to_owned()],
        names => names,
    }
}

fn facts(
    options: &Measure,
    environment: &Environment,
    store: &Store,
    image: &Image,
    wanted: &[Wanted],
) -> Vec<Fact> {
    let mut facts = environment.facts();
    facts.push(software::file_system(store.directory()));
    facts.extend(software::ourselves());
    let name = options.image.as_deref().unwrap_or("one with nothing in it");
    facts.extend(software::image(name, image));
    if wanted.iter().any(|wanted| wanted.choice.wall == Wall::Vm) {
        let kernel = Kernels::of_store(store.directory()).find(options.kernel.as_deref());
        // Without one the target is missing, and says why.
        let known = kernel.map(|kernel| software::kernel(&kernel, &options.cmdline));
        facts.extend(known.into_iter().flatten().flatten());
    }
    let runtimes = wanted
        .iter()
        .filter_map(|wanted| wanted.choice.runtime.as_deref());
    facts.extend(runtimes.map(software::runtime));
    facts
}
