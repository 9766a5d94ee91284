//! The method alone: how long figures, intervals and warnings of 100,000 samples take.
//! `cargo bench --bench method`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vmm::bench::record::{Begin, Entry, FORMAT, Record, TargetNote, VERSION};
use vmm::bench::sample::{Measure, Outcome, Reading, Sample};
use vmm::bench::summary::Summary;
use vmm::bench::workload::Unit;

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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = summaries
}
criterion_main!(benches);
