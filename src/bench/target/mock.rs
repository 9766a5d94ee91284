//! A target that runs nothing, does what a test says, and remembers what was asked of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::Target;
use crate::bench::sample::{Measure, Reading};
use crate::bench::workload::{Kind, Suite, Unit, Workload};

/// What was asked of all mocks of a test, in order: `prepare a`, `run getpid a`, `cleanup a`.
pub type Log = Rc<RefCell<Vec<String>>>;
/// What comes of a run, by its workload and its number from 0.
type Runs = Box<dyn FnMut(&str, u32) -> Result<Reading, String>>;

/// A target.
pub struct Mock {
    name: String,
    control_of: Option<String>,
    obstacle: Option<String>,
    runs: Runs,
    count: u32,
    log: Log,
}

impl Mock {
    /// One that takes a nanosecond for everything.
    pub fn new(name: &str, log: &Log) -> Self {
        Self {
            name: name.to_owned(),
            control_of: None,
            obstacle: None,
            runs: Box::new(|_, _| Ok(reading(1.0))),
            count: 0,
            log: Rc::clone(log),
        }
    }

    /// It is `target` over again.
    pub fn control_of(mut self, target: &str) -> Self {
        self.control_of = Some(target.to_owned());
        self
    }

    /// It cannot be had.
    pub fn unavailable(mut self, why: &str) -> Self {
        self.obstacle = Some(why.to_owned());
        self
    }

    /// What comes of its runs, by their workload and their number from 0, warm-ups too.
    pub fn running(
        mut self,
        runs: impl FnMut(&str, u32) -> Result<Reading, String> + 'static,
    ) -> Self {
        self.runs = Box::new(runs);
        self
    }

    fn note(&self, what: &str) {
        self.log.borrow_mut().push(format!("{what} {}", self.name));
    }
}

impl Target for Mock {
    fn name(&self) -> &str {
        &self.name
    }

    fn control_of(&self) -> Option<&str> {
        self.control_of.as_deref()
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.note("prepare");
        self.obstacle.clone().map_or(Ok(()), Err)
    }

    fn run(&mut self, workload: &Workload, _scale: f64) -> Result<Reading, String> {
        self.note(&format!("run {}", workload.name));
        self.count += 1;
        (self.runs)(workload.name, self.count - 1)
    }

    fn cleanup(&mut self) {
        self.note("cleanup");
    }
}

/// `time` nanoseconds for an operation.
pub fn reading(time: f64) -> Reading {
    Reading {
        measures: vec![Measure::new("time", Unit::Nanoseconds, time)],
        ..Reading::default()
    }
}

/// A workload that mocks do.
pub const fn workload(name: &'static str) -> Workload {
    Workload {
        name,
        isolates: "nothing",
        why: "nothing runs",
        kind: Kind::Session {
            operations: 1,
            peer: false,
        },
        unit: Unit::Nanoseconds,
        suite: Suite::Quick,
    }
}
