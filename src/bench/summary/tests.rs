//! What is told of records that are known.

use super::*;
use crate::bench::record::tests::begin;
use crate::bench::record::{Fact, Journal};
use crate::bench::rounds::{self, Plan};
use crate::bench::sample::{Measure, Outcome, Reading, Sample};
use crate::bench::statistics::Verdict;
use crate::bench::statistics::noise::{Noise, SHAPES, Shape};
use crate::bench::target::Target;
use crate::bench::target::mock::{Log, Mock, reading, workload};

const THREE: [&str; 3] = ["process", "process again", "vm"];

/// A record of `getpid` behind [`THREE`], of 30 rounds that are all alike: 100, 100 and 200 ns.
struct Made(Record);

impl Made {
    fn empty() -> Self {
        let mut made = Self(Record {
            begin: begin(),
            entries: Vec::new(),
            flaw: None,
        });
        made.add(Entry::End(End {
            reason: "all 30 rounds are done".to_owned(),
            seconds: 1,
            during: Vec::new(),
        }));
        made
    }

    fn steady() -> Self {
        let mut made = Self::empty();
        for round in 1..=30 {
            for (target, time) in THREE.into_iter().zip([100.0, 100.0, 200.0]) {
                made.measured(target, round, time);
            }
        }
        made
    }

    fn add(&mut self, entry: Entry) {
        self.0.entries.push(entry);
    }

    fn measured(&mut self, target: &str, round: u32, time: f64) {
        self.sample(target, Some(round), Outcome::Measured(reading(time)));
    }

    fn sample(&mut self, target: &str, round: Option<u32>, outcome: Outcome) {
        self.add(Entry::Sample(Sample {
            workload: "getpid".to_owned(),
            target: target.to_owned(),
            round,
            started_us: 0,
            outcome,
        }));
    }

    /// Changes what was measured behind `target`, by its round.
    fn bend(&mut self, target: &str, bend: impl Fn(u32, &mut Reading)) {
        for entry in &mut self.0.entries {
            if let Entry::Sample(sample) = entry
                && sample.target == target
                && let Outcome::Measured(reading) = &mut sample.outcome
            {
                bend(sample.round.unwrap_or(0), reading);
            }
        }
    }

    fn summary(&self) -> Summary {
        Summary::of(&self.0)
    }

    /// The only warning.
    fn warning(&self) -> String {
        let warnings = self.summary().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        warnings[0].clone()
    }
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_known_record_has_its_exact_figures() {
    let mut made = Made::empty();
    for round in 1..=11 {
        made.measured("process", round, f64::from(round));
        made.measured("process again", round, f64::from(round));
        made.measured("vm", round, f64::from(round) * 2.0);
    }
    let summary = made.summary();
    assert_eq!(summary.targets, THREE);
    let [row] = &summary.rows[..] else {
        panic!("{:?}", summary.rows)
    };
    assert_eq!(
        (row.workload.as_str(), row.measure.as_str()),
        ("getpid", "time")
    );
    let spread = Spread {
        count: 11,
        median: 6.0,
        p95: 10.5,
        p99: 10.9,
        mad: 3.0,
        least: 1.0,
        most: 11.0,
        outliers: 0,
    };
    assert_eq!(row.cells[0].spread, Some(spread));
    assert_eq!(row.cells[0].ratio, None);
    assert_eq!(row.cells[2].values[10], 22.0);
    let ratio = row.cells[2].ratio.unwrap();
    let (least, most) = ratio.interval.unwrap();
    for figure in [ratio.value, least, most] {
        assert!((figure - 2.0).abs() < 1e-12);
    }
    assert_eq!(ratio.verdict, Verdict::Dearer);
    assert_eq!(row.cells[1].ratio.unwrap().verdict, Verdict::NoDifference);
}

#[test]
fn a_record_that_is_as_it_should_be_has_no_warning() {
    assert_eq!(Made::steady().summary().warnings, Vec::<String>::new());
}

#[test]
fn a_warm_up_counts_for_nothing() {
    let mut made = Made::steady();
    let before = made.summary();
    made.sample("vm", None, Outcome::Measured(reading(1e9)));
    assert_eq!(made.summary(), before);
}

#[test]
fn ratios_are_of_the_rounds_that_both_have() {
    let mut made = Made::empty();
    for round in 1..=8 {
        made.measured("process", round, f64::from(round));
    }
    for round in 3..=30 {
        made.measured("vm", round, f64::from(round) * 5.0);
    }
    let cell = &made.summary().rows[0].cells[2];
    assert_eq!(cell.values.len(), 28);
    let ratio = cell.ratio.unwrap();
    assert!((ratio.value - 5.0).abs() < 1e-12 && ratio.interval.is_some());
}

#[test]
fn a_failed_run_is_counted_and_no_figure() {
    let mut made = Made::steady();
    made.sample("vm", Some(31), Outcome::Failed("it hung".to_owned()));
    made.sample("vm", Some(32), Outcome::Failed("it broke".to_owned()));
    let cell = &made.summary().rows[0].cells[2];
    assert_eq!(
        (cell.values.len(), &cell.failures),
        (30, &Some((2, "it hung".to_owned())))
    );
    let parts = [
        "`getpid` behind vm failed in 2 of 32 runs",
        "of the others",
        "it hung",
    ];
    assert_has(&made.warning(), &parts);
}

#[test]
fn what_was_given_up_is_said_to_be() {
    let mut made = Made::steady();
    for round in 31..=33 {
        made.sample("vm", Some(round), Outcome::Failed("it hung".to_owned()));
    }
    assert_has(&made.warning(), &["3 of 33 runs", "it was not tried again"]);
}

#[test]
fn what_fails_everywhere_has_a_row_without_figures() {
    let mut made = Made::empty();
    made.sample("vm", None, Outcome::Failed("no such call".to_owned()));
    let row = &made.summary().rows[0];
    assert_eq!(row.measure, "time");
    assert!(row.cells.iter().all(|cell| cell.spread.is_none()));
    assert_has(
        &made.warning(),
        &["failed in 1 of 1 run, so it has no figure"],
    );
}

#[test]
fn a_missing_target_has_no_column() {
    let mut made = Made::steady();
    let missing = |target: &str| Missing {
        target: target.to_owned(),
        reason: "no permission".to_owned(),
    };
    made.add(Entry::Missing(missing("vm")));
    let summary = made.summary();
    assert_eq!(
        (summary.targets, summary.rows[0].cells.len()),
        (vec![THREE[0].into(), THREE[1].into()], 2)
    );
    assert_eq!(summary.missing, [missing("vm")]);
}

#[test]
fn without_the_baseline_there_are_figures_and_no_ratios() {
    let mut made = Made::steady();
    made.add(Entry::Missing(Missing {
        target: "process".to_owned(),
        reason: "no permission".to_owned(),
    }));
    let row = &made.summary().rows[0];
    assert!(
        row.cells
            .iter()
            .all(|cell| cell.ratio.is_none() && cell.spread.is_some())
    );
    assert_has(
        &made.warning(),
        &["process cannot be had", "nothing to take ratios to"],
    );
}

#[test]
fn each_measure_has_a_row_and_the_first_has_the_processor_time() {
    let mut made = Made::steady();
    made.bend("vm", |_, reading| {
        reading
            .measures
            .push(Measure::new("p99", Unit::Nanoseconds, 900.0));
        reading.cpu_ns = Some(77);
    });
    let rows = made.summary().rows;
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].measure.as_str(), rows[0].cells[2].cpu_ns),
        ("time", Some(77.0))
    );
    assert_eq!(
        (rows[1].measure.as_str(), rows[1].cells[2].cpu_ns),
        ("p99", None)
    );
    assert_eq!(
        (rows[1].cells[0].spread, rows[1].cells[2].ratio),
        (None, None)
    );
}

#[test]
fn noise_is_what_the_control_shows_and_does_not_hide_the_control() {
    let mut made = Made::steady();
    made.bend("process again", |_, reading| {
        reading.measures[0].value = 110.0
    });
    made.bend("vm", |_, reading| reading.measures[0].value = 105.0);
    let row = &made.summary().rows[0];
    assert!((row.noise.unwrap() - 1.1).abs() < 1e-12);
    let verdict = |place: usize| row.cells[place].ratio.unwrap().verdict;
    assert_eq!(
        (verdict(1), verdict(2)),
        (Verdict::Dearer, Verdict::NoDifference)
    );
    let parts = ["process again differs from what it is over again in 1 of 1 workloads (`getpid`)"];
    assert_has(&made.warning(), &parts);
}

#[test]
fn without_a_control_no_noise_is_known() {
    let mut made = Made::steady();
    made.0.begin.targets[1].control_of = None;
    assert_eq!(made.summary().rows[0].noise, None);
}

#[test]
fn few_rounds_are_told_with_what_they_do() {
    let of = |rounds: u32| {
        let mut made = Made::empty();
        (1..=rounds).for_each(|round| made.measured("vm", round, 1.0));
        made.summary().warnings
    };
    assert_has(
        &of(1)[0],
        &["`getpid` behind vm has 1 round:", "none is told"],
    );
    assert_has(&of(5)[0], &["5 rounds", "--rounds"]);
    assert_has(&of(6)[0], &["6 rounds", "wide", "30 rounds are enough"]);
    assert_has(&of(29)[0], &["29 rounds", "wide"]);
    assert_eq!(of(30), Vec::<String>::new());
    assert_eq!(of(0), Vec::<String>::new());
}

#[test]
fn figures_that_fall_from_round_to_round_are_told() {
    let mut made = Made::steady();
    made.bend("vm", |round, reading| {
        reading.measures[0].value = 200.0 - f64::from(round)
    });
    assert_has(
        &made.warning(),
        &["Figures changed", "`getpid` behind vm -10 %"],
    );
}

#[test]
fn a_first_round_that_was_a_warm_up_yet_is_told() {
    let mut made = Made::steady();
    made.bend("vm", |round, reading| {
        reading.measures[0].value += if round == 1 { 200.0 } else { 0.0 }
    });
    assert_has(
        &made.warning(),
        &["The first round was the slowest", "2.0 times the median"],
    );
}

#[test]
fn many_outliers_are_told() {
    let mut made = Made::steady();
    made.bend("vm", |round, reading| {
        let far = if round % 7 == 0 {
            900.0
        } else {
            f64::from(round * 37 % 30) / 10.0
        };
        reading.measures[0].value += far;
    });
    assert_has(
        &made.warning(),
        &[
            "Many figures lie far",
            "`getpid` behind vm 4 of 30 runs",
            "kept",
        ],
    );
}

#[test]
fn a_clock_that_is_fast_is_told() {
    let mut made = Made::steady();
    made.bend("vm", |_, reading| {
        reading.host_ns = 100_000_000;
        reading.inside_ns = Some(120_000_000);
    });
    assert_has(
        &made.warning(),
        &["That clock is fast", "`getpid` behind vm 120 ms of 100 ms"],
    );
}

#[test]
fn a_clock_that_leaves_out_what_the_baseline_s_does_not_is_told() {
    let both = |inside, of_baseline| {
        let mut made = Made::steady();
        let clocks = move |inside| {
            move |_: u32, reading: &mut Reading| {
                reading.host_ns = 200_000_000;
                reading.inside_ns = Some(inside);
            }
        };
        made.bend("vm", clocks(inside));
        made.bend("process", clocks(of_baseline));
        made
    };
    let slow = both(100_000_000, 199_000_000).warning();
    assert_has(
        &slow,
        &["knows of less", "`getpid` behind vm 100 ms of 200 ms"],
    );
    assert!(both(199_000_000, 199_000_000).summary().warnings.is_empty());
    assert!(both(100_000_000, 100_000_000).summary().warnings.is_empty());
}

#[test]
fn other_work_on_the_machine_is_told() {
    let mut made = Made::steady();
    let fact = |name: &str, matters| Fact {
        name: name.to_owned(),
        value: "4.2".to_owned(),
        matters,
    };
    made.add(Entry::End(End {
        reason: String::new(),
        seconds: 1,
        during: vec![fact("load", true), fact("pressure of memory", false)],
    }));
    assert_has(
        &made.warning(),
        &["The machine did other work meanwhile (load 4.2)"],
    );
}

#[test]
fn a_record_that_is_not_whole_is_told() {
    let mut made = Made::steady();
    made.0.flaw = Some("Line 9 of the record is left out: it is cut off".to_owned());
    assert_has(
        &made.warning(),
        &["Line 9", "All that is told is of the rest."],
    );
    made.0.flaw = None;
    made.0.entries.remove(0);
    assert_has(&made.warning(), &["has no end", "killed, or still runs"]);
}

/// A bench of mocks, from the first round to the summary of the record that it left.
fn bench(seed: u64, shape: Shape, vm: f64) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    let log = Log::default();
    let mock = |place: u64, name: &str, cost: f64| {
        let mut noise = Noise::seeded(seed * 3 + place);
        Mock::new(name, &log).running(move |_, _| Ok(reading(cost * shape(&mut noise))))
    };
    let mut targets: Vec<Box<dyn Target>> = vec![
        Box::new(mock(0, THREE[0], 100.0)),
        Box::new(mock(1, THREE[1], 100.0).control_of(THREE[0])),
        Box::new(mock(2, THREE[2], 100.0 * vm)),
    ];
    let plan = Plan {
        workloads: vec![workload("getpid")],
        rounds: 30,
        budget: None,
        scale: 1.0,
        seed,
    };
    let mut journal = Journal::create(&path, begin()).unwrap();
    let end = rounds::run(&plan, &mut targets, &mut journal, &mut ());
    journal.append(Entry::End(end)).unwrap();
    Summary::of(&Record::read(&path).unwrap())
}

#[test]
fn the_same_twice_is_no_difference_at_the_stated_rate_from_the_first_round_to_the_summary() {
    const SEEDS: u64 = 200;
    for (name, shape) in SHAPES {
        let summaries = (0..SEEDS).map(|seed| bench(seed, shape, 1.0));
        let verdicts = summaries.map(|summary| {
            let verdict = |place: usize| summary.rows[0].cells[place].ratio.unwrap().verdict;
            [verdict(1), verdict(2)].map(|verdict| usize::from(verdict == Verdict::NoDifference))
        });
        let [control, vm] = verdicts.fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
        // 95 % of them, and four standard deviations of that.
        assert!((178..=202).contains(&control), "{name}: {control}");
        assert!(vm >= 190, "{name}: {vm}");
    }
}

#[test]
fn a_tenth_more_is_found_from_the_first_round_to_the_summary() {
    let noisy: Shape = |noise| 1.0 + noise.normal(0.02);
    let found = (0..100).filter(|seed| {
        let summary = bench(*seed, noisy, 1.1);
        summary.rows[0].cells[2].ratio.unwrap().verdict == Verdict::Dearer
    });
    assert_eq!(found.count(), 100);
}
