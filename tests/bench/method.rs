//! The method alone: how long figures, intervals and warnings of 100,000 samples take, and how
//! much processor time it takes to measure a run, beside the run. `cargo bench --bench method`.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark ends with its first surprise"
)]

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use vmm::bench::behind::run::{Deadline, Ending, Event, Run};
use vmm::bench::behind::{Interrupt, usage};
use vmm::bench::record::{Begin, Entry, FORMAT, Record, TargetNote, VERSION};
use vmm::bench::sample::{Measure, Outcome, Reading, Sample};
use vmm::bench::summary::Summary;
use vmm::bench::workload::Unit;
use vmm::config::CpuList;

const TARGETS: [&str; 4] = ["process", "process again", "container", "vm"];
const ROUNDS: u32 = 25_000;

fn sample(target: &str, round: u32, random: &mut fastrand::Rng) -> Entry {
    let value = 100.0 + random.f64();
    Entry::Sample(Sample {
        workload: "getpid".to_owned(),
        target: target.to_owned(),
        round: Some(round),
        started_us: u64::from(round),
        outcome: Outcome::Measured(Reading {
            measures: vec![Measure::new("time", Unit::Nanoseconds, value)],
            ..Reading::default()
        }),
    })
}

fn note(target: &str) -> TargetNote {
    TargetNote {
        name: target.to_owned(),
        control_of: (target == TARGETS[1]).then(|| TARGETS[0].to_owned()),
    }
}

fn record() -> Record {
    let mut random = fastrand::Rng::with_seed(1);
    let rounds = (1..=ROUNDS).flat_map(|round| TARGETS.map(|target| (target, round)));
    Record {
        begin: Begin {
            format: FORMAT.to_owned(),
            version: VERSION,
            started: 0,
            command: Vec::new(),
            conditions: Vec::new(),
            environment: Vec::new(),
            caveats: Vec::new(),
            targets: TARGETS.iter().map(|target| note(target)).collect(),
            workloads: vec!["getpid".to_owned()],
            seed: 1,
        },
        entries: rounds
            .map(|(target, round)| sample(target, round, &mut random))
            .collect(),
        flaw: None,
    }
}

fn summaries(criterion: &mut Criterion) {
    let record = record();
    criterion.bench_function("summary of 100,000 samples", |bencher| {
        bencher.iter(|| Summary::of(black_box(&record)));
    });
}

/// `true` as a bare child, and as a run that is waited for, listened to and timed.
fn a_run(criterion: &mut Criterion) {
    let (interrupt, cpus) = (Interrupt::take().unwrap(), CpuList::of_this_thread());
    let mut group = criterion.benchmark_group("processor time of a run of true");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| used(times, || drop(nothing().status())));
    });
    group.bench_function("measured", |bencher| {
        let measured = || {
            let mut run = Run::start(nothing(), &cpus, Ending::Asked).unwrap();
            let deadline = Deadline::after(Duration::from_secs(60));
            while run.next(&mut Vec::new(), deadline, &interrupt).unwrap() != Event::Ended {}
            run.status().unwrap();
        };
        bencher.iter_custom(|times| used(times, measured));
    });
    group.finish();
}

fn nothing() -> Command {
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Processor time of `work`, done so many times, and of the children that it has waited for.
fn used(times: u64, work: impl Fn()) -> Duration {
    let now = || usage::of_ourselves() + usage::of_ended();
    let before = now();
    (0..times).for_each(|_| work());
    Duration::from_nanos(now() - before)
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = summaries, a_run
}
criterion_main!(benches);
