//! What a reader has to know of a record: what was seen, what that does to the result, what helps.
//!
//! - here: what is not there
//! - [`control`]: the same twice, and differing
//! - [`clocks`]: the clock behind a wall, by the host's
//! - [`figures`]: trends, slow starts and what lies far outside

mod clocks;
mod control;
mod figures;

use super::rows::Columns;
use super::runs::{Pair, Runs};
use super::{Cell, Row};
use crate::bench::record::{End, Entry, Record};
use crate::bench::statistics::interval;
use crate::output::plain;

/// So many rounds make a result that needs no warning.
const ENOUGH_ROUNDS: usize = 30;
/// So many of a list are named.
const NAMED: usize = 3;

/// What the warnings are about.
pub(super) struct Seen<'a> {
    pub(super) record: &'a Record,
    pub(super) runs: &'a Runs<'a>,
    pub(super) columns: &'a Columns<'a>,
    pub(super) rows: &'a [Row],
    pub(super) end: Option<&'a End>,
}

impl<'a> Seen<'a> {
    /// All warnings, the gravest first.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = [self.flaw(), self.no_end(), self.no_baseline()]
            .into_iter()
            .flatten()
            .collect();
        warnings.extend(self.failures());
        warnings.extend(self.notes());
        warnings.extend(self.few_rounds());
        warnings.extend(self.control());
        warnings.extend(self.load());
        warnings.extend(
            [self.fast_clock(), self.unknown_time()]
                .into_iter()
                .flatten(),
        );
        warnings.extend(
            [self.drift(), self.slow_start(), self.outliers()]
                .into_iter()
                .flatten(),
        );
        warnings
    }

    fn flaw(&self) -> Option<String> {
        let flaw = self.record.flaw.as_ref()?;
        Some(format!("{flaw}. All that is told is of the rest."))
    }

    fn no_end(&self) -> Option<String> {
        let sentence = "The record has no end: the bench was killed, or still runs. \
                        All that is told is of what it had found by then.";
        self.end.is_none().then(|| sentence.to_owned())
    }

    fn no_baseline(&self) -> Option<String> {
        let name = &self.record.begin.targets.first()?.name;
        let sentence = || format!("{name} cannot be had, so there is nothing to take ratios to.");
        self.columns.baseline.is_none().then(sentence)
    }

    fn failures(&self) -> impl Iterator<Item = String> {
        self.runs.pairs().filter_map(|(workload, target, pair)| {
            let (count, first) = pair.failures?;
            Some(format!(
                "{} failed in {count} of {}, so {}. The first reason: {first}.",
                place(workload, target),
                counted(pair.count as usize, "run"),
                consequence(pair),
            ))
        })
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let entries = self.record.entries.iter();
        entries.filter_map(|entry| match entry {
            // Whoever wrote it may be hostile.
            Entry::Note(sentence) => Some(plain(sentence)),
            _ => None,
        })
    }

    fn few_rounds(&self) -> Option<String> {
        let cells = self.cells().filter(|(.., cell)| !cell.values.is_empty());
        let (workload, target, cell) = cells.min_by_key(|(.., cell)| cell.values.len())?;
        let rounds = cell.values.len();
        let seen = format!(
            "{} has {}",
            place(workload, target),
            counted(rounds, "round")
        );
        match rounds {
            few if few < interval::FEWEST => Some(format!(
                "{seen}: of fewer than {} no interval holds in 95 of a hundred cases, so none is \
                 told, and no difference. More --rounds or a longer --time-budget help.",
                interval::FEWEST
            )),
            few if few < ENOUGH_ROUNDS => Some(format!(
                "{seen}: intervals hold but are wide, and p95 and p99 are little else than the \
                 most of so few. {ENOUGH_ROUNDS} rounds are enough for both."
            )),
            _ => None,
        }
    }

    /// What else went on.
    fn load(&self) -> Option<String> {
        let during = self.end?.during.iter().filter(|fact| fact.matters);
        let during: Vec<String> = during
            .map(|fact| format!("{} {}", fact.name, fact.value))
            .collect();
        (!during.is_empty()).then(|| {
            format!(
                "The machine did other work meanwhile ({}): figures are larger and spread wider \
                 for it, most of all tails. A quiet machine helps.",
                during.join(", ")
            )
        })
    }

    /// The cells of the first measure of each workload, with their workload and target.
    fn cells(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Cell)> {
        firsts(self.rows).flat_map(|row| {
            let names = self
                .columns
                .targets
                .iter()
                .map(|target| target.name.as_str());
            let cells = names.zip(&row.cells);
            cells.map(|(target, cell)| (row.workload.as_str(), target, cell))
        })
    }
}

/// The first row of each workload.
fn firsts(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.chunk_by(|a, b| a.workload == b.workload)
        .filter_map(<[Row]>::first)
}

fn consequence(pair: &Pair<'_>) -> &'static str {
    match (pair.readings.is_empty(), pair.was_given_up()) {
        (true, _) => "it has no figure",
        (false, true) => "it was not tried again, and its figures are of the runs before",
        (false, false) => "its figures are of the others alone",
    }
}

/// Where something was seen.
fn place(workload: &str, target: &str) -> String {
    format!("`{workload}` behind {target}")
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// The first few of `all`, and how many more there are.
fn list(all: &[String]) -> String {
    let named = all[..all.len().min(NAMED)].join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
