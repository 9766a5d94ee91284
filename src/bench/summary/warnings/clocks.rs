//! The clock behind a wall, by the host's.

use super::{Seen, list, place};
use crate::bench::statistics::Sorted;
use crate::bench::summary::runs::Pair;
use crate::bench::workload::Unit;

/// A clock may be ahead by this part.
const TOLERANCE: f64 = 0.01;
/// A clock that leaves out more than this part of a request is worth a word.
const PART: f64 = 0.25;
/// Shorter stretches than this are the request's own way to and fro: 20 ms.
const WAY: f64 = 20e6;

/// A request, by both clocks: medians in nanoseconds.
struct Request {
    host: f64,
    inside: f64,
}

impl Seen<'_> {
    /// That work took longer by the clock behind a wall than the whole request by the host's.
    pub(super) fn fast_clock(&self) -> Option<String> {
        let ahead = self.requests(|request, _| request.inside > request.host * (1.0 + TOLERANCE));
        (!ahead.is_empty()).then(|| {
            format!(
                "By the clock behind the wall the work alone took longer than the whole request by \
                 the host's: {}. That clock is fast, and its figures are too large; the record has \
                 the host's clock beside each.",
                list(&ahead)
            )
        })
    }

    /// That a wall's clock leaves out much of the request that the baseline's does not.
    pub(super) fn unknown_time(&self) -> Option<String> {
        let behind = self.requests(|request, baseline| {
            let is_much = request.unknown() > PART && request.host - request.inside > WAY;
            is_much && baseline.is_none_or(|baseline| baseline.unknown() < PART)
        });
        (!behind.is_empty()).then(|| {
            format!(
                "The clock behind the wall knows of less than the host's clock saw: {}. Either \
                 that clock is slow, and its figures are too small, or what is prepared for the \
                 work takes long there. The record has both clocks for each run.",
                list(&behind)
            )
        })
    }

    /// Where `tells` tells of a request something, which the baseline's is given to as well.
    fn requests(&self, tells: impl Fn(&Request, Option<&Request>) -> bool) -> Vec<String> {
        let baseline = self
            .columns
            .baseline
            .map(|place| self.columns.targets[place].name.as_str());
        let told = self.runs.pairs().filter_map(|(workload, target, pair)| {
            let request = Request::of(pair)?;
            let of_baseline =
                baseline.and_then(|baseline| Request::of(self.runs.pair(workload, baseline)?));
            tells(&request, of_baseline.as_ref()).then(|| {
                let [inside, host] =
                    [request.inside, request.host].map(|ns| Unit::Nanoseconds.show(ns));
                format!("{} {inside} of {host}", place(workload, target))
            })
        });
        told.collect()
    }
}

impl Request {
    /// Of runs of which both clocks are known.
    fn of(pair: &Pair<'_>) -> Option<Self> {
        let both = pair.readings.values();
        let both =
            both.filter_map(|reading| Some((reading.host_ns as f64, reading.inside_ns? as f64)));
        let (host, inside): (Vec<f64>, Vec<f64>) = both.unzip();
        Some(Self {
            host: Sorted::of(host)?.median(),
            inside: Sorted::of(inside)?.median(),
        })
    }

    /// The part that the clock behind the wall does not know of.
    fn unknown(&self) -> f64 {
        1.0 - self.inside / self.host.max(1.0)
    }
}
