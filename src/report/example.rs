//! A bench that never was, for tests of reports and to look at one: its figures are made up.

use crate::bench::record::{
    Begin, Density, End, Entry, Explanation, Fact, Missing, Record, TargetNote, VERSION,
};
use crate::bench::sample::{Measure, Outcome, Phase, Reading, Sample};
use crate::bench::summary::{Cell, Ratio, Row, Spread, Summary, Verdict};
use crate::bench::workload::Unit;

const ROUNDS: u32 = 30;
const MAX_INSTANCES: u32 = 32;
const MIB: f64 = 1048576.0;
const TARGETS: [&str; 5] = ["process", "process again", "container", "runc", "vm"];
/// A workload, its measure, what it costs without a wall, and how many times that behind the
/// container, runc and vm walls.
type Made = (&'static str, &'static str, Unit, f64, [f64; 3]);
const MADE: [Made; 15] = [
    (
        "start",
        "start",
        Unit::Nanoseconds,
        1.4e6,
        [9.0, 21.0, 92.0],
    ),
    (
        "start",
        "whole",
        Unit::Nanoseconds,
        2.1e6,
        [8.0, 19.0, 88.0],
    ),
    (
        "syscall-getpid",
        "time",
        Unit::Nanoseconds,
        71.0,
        [1.0, 1.35, 0.93],
    ),
    (
        "syscall-read",
        "time",
        Unit::Nanoseconds,
        164.0,
        [1.0, 1.22, 0.97],
    ),
    (
        "switch-pipe",
        "time",
        Unit::Nanoseconds,
        3_420.0,
        [1.02, 1.05, 2.4],
    ),
    (
        "switch-futex",
        "time",
        Unit::Nanoseconds,
        2_890.0,
        [1.0, 1.03, 2.9],
    ),
    (
        "process-fork",
        "time",
        Unit::Nanoseconds,
        118e3,
        [1.05, 1.09, 1.8],
    ),
    (
        "memory-touch",
        "time",
        Unit::Nanoseconds,
        242.0,
        [1.0, 1.0, 2.1],
    ),
    (
        "memory-copy",
        "time",
        Unit::NanosecondsPerByte,
        0.11,
        [1.0, 1.0, 1.04],
    ),
    (
        "memory-chase",
        "time",
        Unit::Nanoseconds,
        86.0,
        [1.0, 1.0, 1.12],
    ),
    (
        "file-metadata",
        "time",
        Unit::Nanoseconds,
        9_300.0,
        [1.1, 1.12, 1.4],
    ),
    (
        "block-random",
        "p50",
        Unit::Nanoseconds,
        84e3,
        [1.0, 1.01, 1.7],
    ),
    (
        "block-random",
        "p99",
        Unit::Nanoseconds,
        310e3,
        [1.0, 1.04, 2.6],
    ),
    (
        "block-fsync",
        "time",
        Unit::Nanoseconds,
        1.9e6,
        [1.0, 1.0, 1.2],
    ),
    (
        "loopback-round-trip",
        "time",
        Unit::Nanoseconds,
        18e3,
        [1.0, 1.02, 1.3],
    ),
];

/// Its record.
pub fn record() -> Record {
    let samples = (0..ROUNDS).flat_map(round).map(Entry::Sample);
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
    Summary {
        begin: begin(),
        targets: TARGETS.map(str::to_owned).into(),
        missing: missing(),
        rows: MADE.iter().map(row).collect(),
        explanations: explanations(),
        densities: densities(),
        warnings: vec![
            "3 of 30 figures of `switch-pipe` behind vm lie far outside: they are kept; a quieter \
             host helps"
                .to_owned(),
        ],
        end: Some(end()),
    }
}

fn begin() -> Begin {
    let mut workloads: Vec<String> = MADE.map(|made| made.0.to_owned()).into();
    workloads.dedup();
    let note = |name: &str| TargetNote {
        name: name.to_owned(),
        control_of: (name == "process again").then(|| "process".to_owned()),
    };
    Begin {
        format: "vmm-bench".to_owned(),
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
        workloads,
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
        target: "runsc".to_owned(),
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
            workload: "switch-pipe".to_owned(),
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

/// The samples of a round, workload by workload.
fn round(round: u32) -> Vec<Sample> {
    let mut workloads = MADE.map(|made| made.0).to_vec();
    workloads.dedup();
    let pairs = workloads
        .iter()
        .flat_map(|name| (0..TARGETS.len()).map(move |target| (name, target)));
    pairs
        .map(|(workload, target)| Sample {
            workload: (*workload).to_owned(),
            target: TARGETS[target].to_owned(),
            round: Some(round),
            started_us: u64::from(round) * 5_700_000,
            outcome: match fails(workload, target, round) {
                true => Outcome::Failed("it took longer than 10 s".to_owned()),
                false => Outcome::Measured(reading(workload, target, round)),
            },
        })
        .collect()
}

/// Two runs of one cell went wrong.
fn fails(workload: &str, target: usize, round: u32) -> bool {
    workload == "block-fsync" && TARGETS[target] == "runc" && matches!(round, 7 | 19)
}

fn reading(workload: &str, target: usize, round: u32) -> Reading {
    let mine = MADE.iter().filter(|made| made.0 == workload);
    let measures = mine.map(|made| Measure::new(made.1, made.2, value(made, target, round)));
    Reading {
        measures: measures.collect(),
        host_ns: 1_000_000,
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

/// A figure of the `round`: about what was made up, some a few per cent away and one far outside.
fn value(made: &Made, target: usize, round: u32) -> f64 {
    let factor = match target {
        0 | 1 => 1.0,
        target => made.4[target - 2],
    };
    let seed = made.0.len() + made.1.len() * 7 + target * 13;
    let seed = u32::try_from(seed).unwrap_or_default();
    let noise = f64::from(
        (round + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed * 40_503)
            % 1_000,
    ) / 1_000.0;
    let far = match round % 29 == 3 && target == 4 {
        true => 1.3,
        false => 1.0,
    };
    made.3 * factor * (0.975 + 0.05 * noise * noise) * far
}

fn row(made: &Made) -> Row {
    let cells = (0..TARGETS.len()).map(|target| cell(made, target));
    Row {
        workload: made.0.to_owned(),
        measure: made.1.to_owned(),
        unit: made.2,
        noise: Some(1.021),
        cells: cells.collect(),
    }
}

fn cell(made: &Made, target: usize) -> Cell {
    let rounds = (0..ROUNDS).filter(|round| !fails(made.0, target, *round));
    let values: Vec<f64> = rounds.map(|round| value(made, target, round)).collect();
    let failed = ROUNDS as usize - values.len();
    let failures = u32::try_from(failed).ok().filter(|failed| *failed > 0);
    Cell {
        spread: Some(spread(&values)),
        values,
        failures: failures.map(|count| (count, "it took longer than 10 s".to_owned())),
        cpu_ns: Some(800_000.0),
        ratio: (target > 0).then(|| ratio(made, target)),
    }
}

fn ratio(made: &Made, target: usize) -> Ratio {
    let median = |target| {
        let values: Vec<f64> = (0..ROUNDS)
            .map(|round| value(made, target, round))
            .collect();
        spread(&values).median
    };
    let value = median(target) / median(0);
    let interval = (value * 0.985, value * 1.017);
    Ratio {
        value,
        interval: Some(interval),
        verdict: match interval {
            (low, _) if low > 1.021 => Verdict::Dearer,
            (_, high) if high < 1.0 / 1.021 => Verdict::Cheaper,
            _ => Verdict::NoDifference,
        },
    }
}

fn spread(values: &[f64]) -> Spread {
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let sorted_values = sorted(values.to_vec());
    let at = |hundredth: usize| sorted_values[(sorted_values.len() - 1) * hundredth / 100];
    let median = at(50);
    let away = sorted(values.iter().map(|value| (value - median).abs()).collect());
    Spread {
        count: values.len(),
        median,
        p95: at(95),
        p99: at(99),
        mad: away[away.len() / 2],
        least: at(0),
        most: at(100),
        outliers: values.iter().filter(|value| **value > median * 1.2).count(),
    }
}
