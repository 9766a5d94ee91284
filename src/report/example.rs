//! A bench that never was, for tests of reports and to look at one: its figures are made up.

use crate::bench::record::{
    Begin, Density, End, Entry, Explanation, FORMAT, Fact, Missing, Record, TargetNote, VERSION,
};
use crate::bench::sample::{Measure, Outcome, Phase, Reading, Sample};
use crate::bench::summary::Summary;
use crate::bench::workload::Unit;

const ROUNDS: u32 = 30;
const MAX_INSTANCES: u32 = 32;
const MIB: f64 = 1048576.0;
const TARGETS: [&str; 6] = [
    "process",
    "process again",
    "container",
    "runc",
    "runsc",
    "vm",
];
const MISSING: &str = "runsc";

/// A workload, its measure, what it costs without a wall, and how many times that behind each of
/// the targets.
struct Made {
    workload: &'static str,
    measure: &'static str,
    unit: Unit,
    cost: f64,
    times: [f64; TARGETS.len()],
}

const fn made(names: (&'static str, &'static str), unit: Unit, cost: f64, walls: [f64; 3]) -> Made {
    let [container, runc, vm] = walls;
    Made {
        workload: names.0,
        measure: names.1,
        unit,
        cost,
        times: [1.0, 1.0, container, runc, 1.0, vm],
    }
}

const MADE: [Made; 14] = [
    made(
        ("start", "start"),
        Unit::Nanoseconds,
        1.4e6,
        [9.0, 21.0, 92.0],
    ),
    made(
        ("start", "whole"),
        Unit::Nanoseconds,
        2.1e6,
        [8.0, 19.0, 88.0],
    ),
    made(
        ("getpid", "time"),
        Unit::Nanoseconds,
        71.0,
        [1.0, 1.35, 0.93],
    ),
    made(
        ("read-1", "time"),
        Unit::Nanoseconds,
        164.0,
        [1.0, 1.22, 0.99],
    ),
    made(
        ("pipe-switch", "time"),
        Unit::Nanoseconds,
        3_420.0,
        [1.02, 1.05, 2.4],
    ),
    made(
        ("fork-wait", "time"),
        Unit::Nanoseconds,
        118e3,
        [1.06, 1.09, 1.8],
    ),
    made(
        ("fault-4k", "time"),
        Unit::Nanoseconds,
        242.0,
        [1.0, 1.0, 2.1],
    ),
    made(
        ("fault-thp", "time"),
        Unit::Nanoseconds,
        58e3,
        [1.0, 1.0, 1.3],
    ),
    made(
        ("stream-copy", "time"),
        Unit::NanosecondsPerByte,
        0.11,
        [1.0, 1.0, 1.04],
    ),
    made(
        ("latency-1g", "time"),
        Unit::Nanoseconds,
        86.0,
        [1.0, 1.0, 1.12],
    ),
    made(
        ("file-metadata", "time"),
        Unit::Nanoseconds,
        9_300.0,
        [1.1, 1.12, 1.4],
    ),
    made(
        ("file-read-direct-4k", "p50"),
        Unit::Nanoseconds,
        84e3,
        [1.0, 1.01, 1.7],
    ),
    made(
        ("file-read-direct-4k", "p99"),
        Unit::Nanoseconds,
        310e3,
        [1.0, 1.05, 2.6],
    ),
    made(
        ("file-fsync", "time"),
        Unit::Nanoseconds,
        1.9e6,
        [1.0, 1.0, 1.2],
    ),
];

/// Its record.
pub fn record() -> Record {
    let samples = (0..=ROUNDS).flat_map(round).map(Entry::Sample);
    let densities = densities().into_iter().map(Entry::Density);
    let explanations = explanations().into_iter().map(Entry::Explanation);
    let missing = missing().into_iter().map(Entry::Missing);
    let entries = missing.chain(samples).chain(explanations).chain(densities);
    Record {
        begin: begin(),
        entries: entries.chain([Entry::End(end())]).collect(),
        flaw: None,
    }
}

/// What can be said of it.
pub fn summary() -> Summary {
    Summary::of(&record())
}

/// The workloads, in their order.
fn workloads() -> Vec<&'static str> {
    let mut names: Vec<_> = MADE.iter().map(|made| made.workload).collect();
    names.dedup();
    names
}

fn begin() -> Begin {
    let note = |name: &str| TargetNote {
        name: name.to_owned(),
        control_of: (name == "process again").then(|| "process".to_owned()),
    };
    Begin {
        format: FORMAT.to_owned(),
        version: VERSION,
        started: 1_767_225_600,
        command: ["vmm", "bench", "--suite", "quick", "demo"]
            .map(str::to_owned)
            .into(),
        conditions: facts(&[
            ("CPUs", "2 (0-1)"),
            ("memory", "512 MiB"),
            ("storage", "one ext4 file each"),
            ("cache", "warm"),
        ]),
        environment: facts(&[
            ("CPU", "Example Processor 9000, 2 CPUs, microcode 0x1"),
            ("kernel", "Linux 6.12.0-example"),
            ("KVM", "kvm_amd"),
            ("ring 0", "250 M instructions/s"),
            ("ring 3", "251 M instructions/s"),
            ("governor", "performance"),
        ]),
        caveats: vec![
            "All figures of this report are made up: it shows what a report looks like.".to_owned(),
            "KVM runs in an emulator here (QEMU TCG): nothing below tells of hardware.".to_owned(),
        ],
        targets: TARGETS.map(note).into(),
        workloads: workloads().into_iter().map(str::to_owned).collect(),
        seed: 1,
    }
}

fn facts(facts: &[(&str, &str)]) -> Vec<Fact> {
    let fact = |(name, value): &(&str, &str)| Fact {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        matters: *name != "governor",
    };
    facts.iter().map(fact).collect()
}

fn missing() -> Vec<Missing> {
    vec![Missing {
        target: MISSING.to_owned(),
        reason: "there is no program `runsc` on PATH".to_owned(),
    }]
}

fn end() -> End {
    End {
        reason: "all 30 rounds are done".to_owned(),
        seconds: 171,
        during: facts(&[("load", "1.1"), ("CPU pressure", "2.4 %")]),
    }
}

fn explanations() -> Vec<Explanation> {
    let explanation = |target: &str, counts: &[(&str, f64)], host_calls, sentence: &str| {
        let counts = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        Explanation {
            workload: "pipe-switch".to_owned(),
            target: target.to_owned(),
            counts: counts.collect(),
            host_calls: Some(host_calls),
            sentence: sentence.to_owned(),
        }
    };
    vec![
        explanation(
            "container",
            &[("system calls", 2.0)],
            41,
            "2.0 system calls of the host for one, as without a wall",
        ),
        explanation(
            "vm",
            &[("exits: halt", 1.9), ("interrupts", 2.0)],
            29,
            "1.9 exits for one, 1.9 of them because the processor was idle (HLT), and 2.0 interrupts",
        ),
    ]
}

fn densities() -> Vec<Density> {
    let of = |target: &str, base: f64, each: f64| -> Vec<Density> {
        let counts = std::iter::successors(Some(1_u32), |n| Some(n * 2));
        let counts = counts.take_while(|n| *n <= MAX_INSTANCES);
        let density = |instances| Density {
            target: target.to_owned(),
            instances,
            bytes: bytes((base + each * f64::from(instances)) * MIB),
            parts: vec![(
                "private".to_owned(),
                bytes(each * f64::from(instances) * MIB),
            )],
        };
        counts.map(density).collect()
    };
    [
        of("process", 1.2, 0.4),
        of("container", 1.3, 2.2),
        of("vm", 6.0, 38.0),
    ]
    .concat()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up sizes fit"
)]
fn bytes(value: f64) -> u64 {
    value as u64
}

/// The samples of a round, workload by workload; the first round is for warming up.
fn round(round: u32) -> Vec<Sample> {
    let mut samples = Vec::new();
    for workload in workloads() {
        for target in (0..TARGETS.len()).filter(|target| TARGETS[*target] != MISSING) {
            samples.push(Sample {
                workload: workload.to_owned(),
                target: TARGETS[target].to_owned(),
                round: (round > 0).then_some(round),
                started_us: u64::from(round) * 5_700_000,
                outcome: match fails(workload, target, round) {
                    true => Outcome::Failed("it took longer than 10 s".to_owned()),
                    false => Outcome::Measured(reading(workload, target, round)),
                },
            });
        }
    }
    samples
}

/// Two runs of one cell went wrong.
fn fails(workload: &str, target: usize, round: u32) -> bool {
    workload == "file-fsync" && TARGETS[target] == "runc" && matches!(round, 7 | 19)
}

fn reading(workload: &str, target: usize, round: u32) -> Reading {
    let mine = MADE.iter().filter(|made| made.workload == workload);
    let measures =
        mine.map(|made| Measure::new(made.measure, made.unit, value(made, target, round)));
    Reading {
        measures: measures.collect(),
        host_ns: 1_000_000,
        inside_ns: Some(990_000),
        cpu_ns: Some(800_000),
        phases: match workload {
            "start" => phases(TARGETS[target], round),
            _ => Vec::new(),
        },
        ..Reading::default()
    }
}

fn phases(target: &str, round: u32) -> Vec<Phase> {
    let spans: &[(&str, f64)] = match target {
        "container" => &[
            ("image", 2.1),
            ("root", 3.4),
            ("namespaces", 4.6),
            ("init", 1.9),
            ("command", 0.9),
        ],
        "vm" => &[
            ("image", 2.1),
            ("machine", 9.5),
            ("kernel", 96.0),
            ("init", 17.0),
            ("command", 3.6),
        ],
        _ => &[],
    };
    let span = |(name, milliseconds): &(&str, f64)| Phase {
        name: (*name).to_owned(),
        ns: bytes(milliseconds * 1e6 * (1.0 + f64::from(round % 5) / 50.0)),
    };
    spans.iter().map(span).collect()
}

/// A figure of the `round`: about what was made up, and behind the vm wall some far outside.
fn value(made: &Made, target: usize, round: u32) -> f64 {
    let names = made.workload.bytes().chain(made.measure.bytes());
    let seed = names.fold(u64::from(round), |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut random = fastrand::Rng::with_seed(seed ^ ((target as u64) << 32));
    let noise = (0..4).map(|_| random.f64() - 0.5).sum::<f64>();
    let far = match TARGETS[target] == "vm" && round % 13 == 3 {
        true => 1.0 + random.f64(),
        false => 1.0,
    };
    made.cost * made.times[target] * (0.05 * noise).exp() * far
}
