//! What was typed becomes workloads, targets and conditions. It starts nothing.

use std::path::Path;
use std::time::Duration;

use crate::bench::behind::{Choice, Conditions};
use crate::bench::density;
use crate::bench::workload::{BUILT_IN, COMMAND, Suite, Workload};
use crate::cli::walls::bench::{Measure, Memory, SuiteName};
use crate::config::CpuList;
use crate::run::Wall;

/// What each wall may use of memory where nobody says.
const MEMORY: u64 = 2 << 30;

/// How much a suite does, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// What counts of operations are multiplied by.
    pub scale: f64,
    /// How long all rounds may take.
    pub budget: Duration,
    /// The most instances side by side.
    pub instances: u32,
}

/// A target that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is called.
    pub name: String,
    /// The wall.
    pub choice: Choice,
    /// The target that it is over again.
    pub control_of: Option<String>,
}

/// The workloads of `options`, in their order.
pub fn workloads(options: &Measure) -> Vec<Workload> {
    let command = (!options.command.is_empty()).then_some(COMMAND);
    let built_in = BUILT_IN.iter().filter(|workload| takes(options, workload));
    command.into_iter().chain(built_in.copied()).collect()
}

fn takes(options: &Measure, workload: &Workload) -> bool {
    is_wanted(options, workload.name, workload.suite)
}

/// Whether instances are to be counted side by side.
pub fn wants_density(options: &Measure) -> bool {
    is_wanted(options, density::NAME, Suite::Quick)
}

fn is_wanted(options: &Measure, name: &str, suite: Suite) -> bool {
    let names = |names: &[String]| names.iter().any(|one| one == name);
    if names(&options.skip) {
        return false;
    }
    if !options.only.is_empty() {
        return names(&options.only);
    }
    let quick = options.command.is_empty().then_some(Suite::Quick);
    suite_of(options)
        .or(quick)
        .is_some_and(|wanted| suite <= wanted)
}

/// The suite of walls that is asked for.
fn suite_of(options: &Measure) -> Option<Suite> {
    match options.suite? {
        SuiteName::Quick => Some(Suite::Quick),
        SuiteName::Full => Some(Suite::Full),
        SuiteName::Boot | SuiteName::Disk => None,
    }
}

/// How far it goes; less where guests are slow.
pub fn extent(options: &Measure, is_slow: bool) -> Extent {
    let suite = suite_of(options).unwrap_or(Suite::Quick);
    // Of a suite's three minutes, or one, some seconds are for instances side by side.
    let (scale, seconds, instances) = match (suite, is_slow) {
        (Suite::Quick, false) => (1.0, 150, 16),
        (Suite::Quick, true) => (0.1, 50, 2),
        (Suite::Full, false) => (4.0, 3600, 64),
        (Suite::Full, true) => (1.0, 3600, 4),
    };
    let seconds = match options.command.is_empty() {
        true => seconds,
        false => seconds.max(600),
    };
    Extent {
        scale,
        budget: options.time_budget.unwrap_or(Duration::from_secs(seconds)),
        instances,
    }
}

/// The targets of `options`, the one first that ratios are taken to.
pub fn targets(options: &Measure) -> Vec<Wanted> {
    let walls = match options.wall.is_empty() {
        true => vec![Wall::Process, Wall::Container, Wall::Vm],
        false => options.wall.clone(),
    };
    let mut targets: Vec<Wanted> = Vec::new();
    for wall in walls {
        add(&mut targets, wall.name().to_owned(), wall, None);
        let runtimes = options.runtime.iter().filter(|_| wall == Wall::Container);
        for runtime in runtimes {
            let name = name_of(&targets, runtime);
            add(&mut targets, name, wall, Some(runtime));
        }
    }
    let first = targets.first().filter(|_| !options.no_control);
    if let Some(control) = first.map(control_of) {
        targets.insert(1, control);
    }
    targets
}

/// `target` over again.
fn control_of(target: &Wanted) -> Wanted {
    Wanted {
        name: format!("{} again", target.name),
        choice: target.choice.clone(),
        control_of: Some(target.name.clone()),
    }
}

/// Adds it, if it is not there already.
fn add(targets: &mut Vec<Wanted>, name: String, wall: Wall, runtime: Option<&Path>) {
    let choice = Choice {
        wall,
        runtime: runtime.map(Path::to_owned),
    };
    if targets.iter().all(|target| target.choice != choice) {
        targets.push(Wanted {
            name,
            choice,
            control_of: None,
        });
    }
}

/// A runtime's file name, or all of its path where another has that name.
fn name_of(targets: &[Wanted], runtime: &Path) -> String {
    let name = runtime.file_name().unwrap_or(runtime.as_os_str());
    let name = name.to_string_lossy().into_owned();
    match targets.iter().all(|target| target.name != name) {
        true => name,
        false => runtime.display().to_string(),
    }
}

/// What all targets of `options` get alike; the image is `image`.
pub fn conditions(options: &Measure, image: String) -> Conditions {
    let all = CpuList::of_this_thread();
    let cpu_list = match (&options.cpu_list, options.cpus) {
        (Some(list), _) => list.clone(),
        (None, Some(count)) => all.first(usize::from(count.get())),
        (None, None) => all,
    };
    let count = u8::try_from(cpu_list.count()).unwrap_or(u8::MAX);
    let most = crate::config::size::MAX_VCPUS;
    Conditions {
        image,
        memory: options.memory.unwrap_or(Memory(Some(MEMORY))).0,
        cpus: options.cpus.map_or(count.min(most), |count| count.get()),
        cpu_list,
        kernel: options.kernel.clone(),
        cmdline: options.cmdline.clone(),
        timeout: options.timeout,
        command: options.command.clone(),
        ignores_failure: options.ignore_failure,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::walls::WallCommand;
    use crate::cli::{Cli, Command};

    fn measure(words: &[&str]) -> Measure {
        let words = ["vmm", "bench"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Some(Command::Walls(command)) => match *command {
                WallCommand::Bench(bench) => bench.measure,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn names(words: &[&str]) -> Vec<String> {
        let targets = targets(&measure(words)).into_iter();
        targets.map(|target| target.name).collect()
    }

    fn chosen(words: &[&str]) -> Vec<&'static str> {
        let workloads = workloads(&measure(words)).into_iter();
        workloads.map(|workload| workload.name).collect()
    }

    #[test]
    fn the_first_wall_is_measured_twice() {
        assert_eq!(names(&[]), ["process", "process again", "container", "vm"]);
        assert_eq!(names(&["--wall", "vm"]), ["vm", "vm again"]);
        assert_eq!(
            names(&["--no-control", "--wall", "vm,process"]),
            ["vm", "process"]
        );
        assert_eq!(names(&["--no-control", "--wall", "vm,vm"]), ["vm"]);
    }

    #[test]
    fn a_runtime_stands_beside_our_own_engine() {
        let runtimes = [
            "--runtime",
            "/a/runc",
            "--runtime",
            "/b/runc",
            "--runtime",
            "/a/runc",
        ];
        let walls = ["--wall", "process,container", "--no-control"];
        let words = [&runtimes[..], &walls].concat();
        assert_eq!(names(&words), ["process", "container", "runc", "/b/runc"]);
    }

    #[test]
    fn a_command_is_measured_alone_unless_a_suite_is_asked_for() {
        assert_eq!(chosen(&["i", "--", "true"]), ["command"]);
        assert_eq!(
            chosen(&["--only", "getpid", "i", "--", "true"]),
            ["command", "getpid"]
        );
        assert!(chosen(&["--suite", "quick", "i", "--", "true"]).len() > 2);
        assert!(!wants_density(&measure(&["i", "--", "true"])));
    }

    #[test]
    fn what_most_people_ask_for_needs_no_word() {
        assert_eq!(chosen(&[]), chosen(&["--suite", "quick"]));
        assert!(chosen(&[]).len() < BUILT_IN.len());
    }

    #[test]
    fn one_of_all_workloads_can_be_left_out() {
        let all = chosen(&["--suite", "full"]);
        let some = chosen(&["--suite", "full", "--skip", "getpid,density"]);
        assert_eq!(all.len(), BUILT_IN.len());
        assert_eq!(some.len(), all.len() - 1);
        assert!(!wants_density(&measure(&["--skip", "density"])));
        assert!(wants_density(&measure(&[])));
    }

    #[test]
    fn slow_guests_do_less_in_a_minute() {
        let extent = |words: &[&str]| extent(&measure(words), true);
        assert!(extent(&[]).budget < Duration::from_secs(60));
        assert!(extent(&[]).scale < 1.0);
        let budget = extent(&["--time-budget", "5s"]).budget;
        assert_eq!(budget, Duration::from_secs(5));
    }

    #[test]
    fn fewer_processors_are_fewer_cpus_for_all() {
        let conditions = |words: &[&str]| conditions(&measure(words), "i".to_owned());
        let one = conditions(&["--cpus", "1"]);
        assert_eq!((one.cpus, one.cpu_list.count()), (1, 1));
        let listed = conditions(&["--cpu-list", "0-2"]);
        assert_eq!(
            (listed.cpus, listed.cpu_list.to_string()),
            (3, "0-2".to_owned())
        );
    }
}
