//! What is promised of order, time and failures, with targets that run nothing.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::*;
use crate::bench::record::Begin;
use crate::bench::target::mock::{Log, Mock, reading, workload};

struct Fixture {
    folder: tempfile::TempDir,
    log: Log,
    plan: Plan,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            log: Log::default(),
            plan: Plan {
                workloads: vec![workload("getpid"), workload("pipe")],
                rounds: 8,
                budget: None,
                scale: 1.0,
                seed: 1,
            },
        }
    }

    fn mock(&self, name: &str) -> Mock {
        Mock::new(name, &self.log)
    }

    fn three(&self) -> Vec<Mock> {
        ["a", "b", "c"].map(|name| self.mock(name)).into()
    }

    fn run(&self, mocks: Vec<Mock>) -> (End, Record) {
        self.run_watched(mocks, &mut ())
    }

    fn run_watched(&self, mocks: Vec<Mock>, watcher: &mut dyn Watcher) -> (End, Record) {
        let mut journal = self.journal();
        let end = self.run_into(&mut journal, mocks, watcher);
        (end, journal.into_record())
    }

    fn run_into(&self, journal: &mut Journal, mocks: Vec<Mock>, watcher: &mut dyn Watcher) -> End {
        let boxed = |mock| Box::new(mock) as Box<dyn Target>;
        let mut targets: Vec<_> = mocks.into_iter().map(boxed).collect();
        run(&self.plan, &mut targets, journal, watcher)
    }

    fn journal(&self) -> Journal {
        Journal::create(&self.folder.path().join("record"), Begin::default()).unwrap()
    }

    /// What was asked of the targets that begins with `what`.
    fn asked(&self, what: &str) -> Vec<String> {
        let log = self.log.borrow();
        let asked = log.iter().filter_map(|line| line.strip_prefix(what));
        asked.map(str::to_owned).collect()
    }
}

fn samples(record: &Record) -> Vec<&Sample> {
    record.samples().collect()
}

#[test]
fn each_target_does_each_workload_once_in_each_round() {
    let fixture = Fixture::new();
    let (end, record) = fixture.run(fixture.three());
    assert_eq!(end.reason, "all 8 rounds are done");
    let pair = |sample: &Sample| format!("{} {}", sample.workload, sample.target);
    for round in [None].into_iter().chain((1..=8).map(Some)) {
        let of_round = record.samples().filter(|sample| sample.round == round);
        let mut pairs: Vec<_> = of_round.map(pair).collect();
        // The targets were drawn, the workloads were not.
        pairs[..3].sort();
        pairs[3..].sort();
        let getpid = ["getpid a", "getpid b", "getpid c"];
        assert_eq!(pairs, [getpid, ["pipe a", "pipe b", "pipe c"]].concat());
    }
    assert_eq!(samples(&record).len(), 9 * 6);
}

#[test]
fn what_is_run_is_what_is_recorded_in_the_same_order() {
    let fixture = Fixture::new();
    let (_, record) = fixture.run(fixture.three());
    let recorded = record.samples();
    let recorded: Vec<_> = recorded
        .map(|sample| format!("{} {}", sample.workload, sample.target))
        .collect();
    assert_eq!(recorded, fixture.asked("run "));
}

#[test]
fn orders_are_drawn_anew_for_each_workload_and_round() {
    let fixture = Fixture::new();
    fixture.run(fixture.three());
    let asked = fixture.asked("run ");
    let orders: BTreeSet<Vec<&str>> = asked
        .chunks(3)
        .map(|order| {
            order
                .iter()
                .filter_map(|line| line.split(' ').nth(1))
                .collect()
        })
        .collect();
    assert_eq!(
        orders.len(),
        6,
        "18 draws of 6 orders miss none of this seed"
    );
}

#[test]
fn each_target_is_first_equally_often() {
    let mut fixture = Fixture::new();
    fixture.plan.rounds = 1500;
    fixture.run(fixture.three());
    let asked = fixture.asked("run ");
    for target in ["a", "b", "c"] {
        let first = asked
            .chunks(3)
            .filter(|order| order[0].ends_with(target))
            .count();
        assert!(
            (900..1100).contains(&first),
            "{target} was first {first} times of 3002"
        );
    }
}

#[test]
fn the_same_seed_draws_the_same_orders_and_another_seed_others() {
    let orders = |seed| {
        let mut fixture = Fixture::new();
        fixture.plan.seed = seed;
        fixture.run(fixture.three());
        fixture.asked("run ")
    };
    assert_eq!(orders(7), orders(7));
    assert_ne!(orders(7), orders(8));
}

#[test]
fn a_target_that_cannot_be_had_is_missing_and_the_others_stand() {
    let fixture = Fixture::new();
    let missing = fixture.mock("a").unavailable("no permission");
    let (end, record) = fixture.run(vec![missing, fixture.mock("b")]);
    assert_eq!(end.reason, "all 8 rounds are done");
    let wanted = Missing {
        target: "a".to_owned(),
        reason: "no permission".to_owned(),
    };
    assert_eq!(record.entries[0], Entry::Missing(wanted));
    assert!(samples(&record).iter().all(|sample| sample.target == "b"));
    assert_eq!(fixture.asked("cleanup "), ["a", "b"]);
}

#[test]
fn without_any_target_it_ends_at_once() {
    let fixture = Fixture::new();
    let (end, record) = fixture.run(vec![fixture.mock("a").unavailable("no permission")]);
    assert_eq!(end.reason, "there is no target");
    assert!(samples(&record).is_empty());
}

#[test]
fn a_failed_run_is_recorded_with_its_reason_and_the_rest_goes_on() {
    let fixture = Fixture::new();
    let sometimes = |_: &str, run| match run {
        5 => Err("it hung".to_owned()),
        _ => Ok(reading(2.0)),
    };
    let (_, record) = fixture.run(vec![
        fixture.mock("a").running(sometimes),
        fixture.mock("b"),
    ]);
    let failed = samples(&record).into_iter();
    let failed: Vec<_> = failed
        .filter(|sample| sample.outcome == Outcome::Failed("it hung".to_owned()))
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].round, failed[0].target.as_str()), (Some(2), "a"));
    assert_eq!(samples(&record).len(), 9 * 4);
}

#[test]
fn a_workload_that_fails_three_times_in_a_row_is_not_run_there_again() {
    let fixture = Fixture::new();
    let getpid_fails = fixture.mock("a").running(|workload, _| match workload {
        "getpid" => Err("no such call".to_owned()),
        _ => Ok(reading(2.0)),
    });
    fixture.run(vec![getpid_fails, fixture.mock("b")]);
    let count = |what| {
        fixture
            .asked("run ")
            .iter()
            .filter(|line| *line == what)
            .count()
    };
    assert_eq!(count("getpid a"), 3);
    assert_eq!(
        [count("pipe a"), count("getpid b"), count("pipe b")],
        [9; 3]
    );
}

#[test]
fn a_run_that_succeeds_in_between_is_another_chance() {
    let fixture = Fixture::new();
    // By workload: two failures, a success, and so on.
    let mostly_fails = |_: &str, run: u32| match (run / 2) % 3 {
        2 => Ok(reading(2.0)),
        _ => Err("lost".to_owned()),
    };
    fixture.run(vec![fixture.mock("a").running(mostly_fails)]);
    assert_eq!(fixture.asked("run ").len(), 9 * 2);
}

#[test]
fn when_everything_has_failed_it_ends() {
    let fixture = Fixture::new();
    let (end, _) = fixture.run(vec![
        fixture.mock("a").running(|_, _| Err("lost".to_owned())),
    ]);
    assert_eq!(end.reason, "every workload failed behind every target");
    assert_eq!(fixture.asked("run ").len(), 2 * 3);
}

#[test]
fn a_figure_that_is_none_is_a_failure() {
    let fixture = Fixture::new();
    let (_, record) = fixture.run(vec![fixture.mock("a").running(|_, run| match run {
        0 => Ok(reading(f64::NAN)),
        1 => Ok(Reading::default()),
        _ => Ok(reading(1.0)),
    })]);
    let failed = |sample: &&&Sample| matches!(sample.outcome, Outcome::Failed(_));
    assert_eq!(samples(&record).iter().filter(failed).count(), 2);
}

/// Wants the end after so many runs.
struct After(Rc<Cell<usize>>, usize);

impl Watcher for After {
    fn wants_end(&mut self) -> bool {
        self.0.get() >= self.1
    }

    fn see(&mut self, progress: &Progress<'_>, _record: &Record) {
        let runs = matches!(progress.step, Step::Run { .. });
        self.0.set(self.0.get() + usize::from(runs));
    }
}

#[test]
fn whoever_stops_it_gets_what_is_there_and_everything_is_cleaned_up() {
    let fixture = Fixture::new();
    let (end, record) = fixture.run_watched(fixture.three(), &mut After(Rc::default(), 10));
    assert_eq!(end.reason, "it was stopped");
    assert_eq!(samples(&record).len(), 10);
    assert_eq!(fixture.asked("cleanup "), ["a", "b", "c"]);
}

/// Wants the end as soon as it is told.
struct Told(Rc<Cell<bool>>);

impl Watcher for Told {
    fn wants_end(&mut self) -> bool {
        self.0.get()
    }
}

#[test]
fn a_run_that_the_end_has_cut_off_has_not_failed() {
    let fixture = Fixture::new();
    let told = Rc::new(Cell::new(false));
    let tell = Rc::clone(&told);
    let cut_off = fixture.mock("a").running(move |_, run| match run {
        0..3 => Ok(reading(1.0)),
        _ => {
            tell.set(true);
            Err("a signal has ended it".to_owned())
        }
    });
    let (end, record) = fixture.run_watched(vec![cut_off], &mut Told(told));
    assert_eq!(end.reason, "it was stopped");
    assert_eq!(samples(&record).len(), 3);
}

#[test]
fn what_was_not_prepared_yet_is_not_cleaned_up() {
    let fixture = Fixture::new();
    fixture.run_watched(fixture.three(), &mut After(Rc::default(), 0));
    assert!(fixture.log.borrow().is_empty());
}

#[test]
fn when_the_time_is_over_the_round_is_finished_and_one_is_done_in_any_case() {
    let mut fixture = Fixture::new();
    fixture.plan.budget = Some(Duration::ZERO);
    let (end, record) = fixture.run(fixture.three());
    assert!(
        end.reason
            .starts_with("the time is over after 1 of 8 rounds")
    );
    assert_eq!(samples(&record).len(), 2 * 6);
}

#[test]
fn a_full_disk_ends_it_with_what_is_there() {
    let fixture = Fixture::new();
    let mut journal = fixture.journal();
    journal.fill_disk();
    let end = fixture.run_into(&mut journal, fixture.three(), &mut ());
    assert!(
        end.reason.starts_with("cannot write to the record "),
        "{}",
        end.reason
    );
    assert!(
        end.reason.contains("No space left on device"),
        "{}",
        end.reason
    );
    assert_eq!(samples(journal.record()).len(), 1);
    assert_eq!(fixture.asked("cleanup "), ["a", "b", "c"]);
}

#[test]
fn a_target_that_panics_is_cleaned_up_with_all_others() {
    let fixture = Fixture::new();
    let panics = fixture.mock("a").running(|_, _| panic!("a wall fell"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        fixture.run(vec![panics, fixture.mock("b")])
    }));
    assert!(caught.is_err());
    assert_eq!(fixture.asked("cleanup "), ["a", "b"]);
}

/// Keeps how far it was.
#[derive(Default)]
struct Seen(Vec<(usize, usize, usize, bool)>);

impl Watcher for Seen {
    fn see(&mut self, progress: &Progress<'_>, record: &Record) {
        let known = progress.remaining.is_some();
        self.0
            .push((progress.done, progress.total, record.entries.len(), known));
    }
}

#[test]
fn a_watcher_sees_how_far_it_is_and_all_that_has_been_found() {
    let mut fixture = Fixture::new();
    fixture.plan.rounds = 1;
    let mut seen = Seen::default();
    fixture.run_watched(vec![fixture.mock("a")], &mut seen);
    let preparing = (0, 0, 0, false);
    let running = [
        (0, 4, 0, false),
        (1, 4, 1, false),
        (2, 4, 2, true),
        (3, 4, 3, true),
    ];
    assert_eq!(seen.0, [&[preparing], &running[..]].concat());
}
