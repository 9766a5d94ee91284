//! What happens from the request to the command, behind each wall, on one axis.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Margins, svg};
use super::{Plot, count, short, ticks};
use crate::bench::record::{Entry, Record};
use crate::bench::sample::{Outcome, Phase};
use crate::bench::statistics::Sorted;
use crate::bench::summary::Summary;
use crate::bench::workload::Unit;
use crate::report::html::palette::{self, INK, MUTED};
use crate::report::words;

/// How high a bar is, and from bar to bar.
const BAR: i32 = 22;
const LANE: i32 = 38;
const MARGINS: Margins = Margins {
    left: 108,
    right: 66,
    top: 4,
    bottom: 28,
};

/// The phases of launches behind one wall, each with its median in nanoseconds, in their order.
pub(in super::super) struct Launch {
    pub(in super::super) target: String,
    pub(in super::super) phases: Vec<(String, f64)>,
}

impl Launch {
    pub(in super::super) fn whole(&self) -> f64 {
        self.phases.iter().map(|(_, length)| length).sum()
    }
}

/// The launches in `record`, of the first workload that has phases.
pub(in super::super) fn launches(summary: &Summary, record: &Record) -> Vec<Launch> {
    let counted = || {
        record.entries.iter().filter_map(|entry| match entry {
            Entry::Sample(sample) if sample.round.is_some() => match &sample.outcome {
                Outcome::Measured(reading) if !reading.phases.is_empty() => Some((sample, reading)),
                _ => None,
            },
            _ => None,
        })
    };
    let Some((first, _)) = counted().next() else {
        return Vec::new();
    };
    let of = |target: &String| {
        let mine = counted()
            .filter(|(sample, _)| sample.workload == first.workload && sample.target == *target);
        let all: Vec<&[Phase]> = mine.map(|(_, reading)| reading.phases.as_slice()).collect();
        let order = all.first()?;
        let phases = order
            .iter()
            .map(|phase| (phase.name.clone(), median(&all, &phase.name)));
        Some(Launch {
            target: target.clone(),
            phases: phases.collect(),
        })
    };
    let targets = summary.targets.iter();
    targets
        .filter(|target| !words::is_control(summary, target))
        .filter_map(of)
        .collect()
}

/// Of the phase `name` in all launches.
#[allow(
    clippy::cast_precision_loss,
    reason = "a launch takes less than 2^53 ns, 104 days"
)]
fn median(launches: &[&[Phase]], name: &str) -> f64 {
    let phases = launches.iter().flat_map(|phases| phases.iter());
    let lengths = phases
        .filter(|phase| phase.name == name)
        .map(|phase| phase.ns as f64);
    Sorted::of(lengths.collect()).map_or(0.0, |lengths| lengths.median())
}

/// The plot of `launches`; `None` where there are none.
pub(in super::super) fn launch(summary: &Summary, launches: &[Launch]) -> Option<Plot> {
    let longest = launches.iter().map(Launch::whole).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let height = MARGINS.top + MARGINS.bottom + LANE * count(launches.len());
    let svg = svg(height, MARGINS, 0.0..longest, 0.0..1.0, |canvas| {
        let ticks = ticks::linear(0.0, longest).into_iter();
        canvas.axis(ticks.map(|tick| (tick, ticks::label(Unit::Nanoseconds, tick))));
        for (lane, launch) in launches.iter().enumerate() {
            bar(
                canvas,
                summary,
                launch,
                MARGINS.top + LANE * count(lane) + 6,
            );
        }
    });
    let told = launches.iter().map(|launch| {
        format!(
            "{} takes {}",
            launch.target,
            Unit::Nanoseconds.show(launch.whole())
        )
    });
    let told = told.collect::<Vec<_>>().join(", ");
    Some(Plot {
        svg,
        told: format!("From the request to the end of a launch, phase by phase: {told}"),
    })
}

fn bar(canvas: &Canvas<'_>, summary: &Summary, launch: &Launch, y: i32) {
    let place = summary
        .targets
        .iter()
        .position(|target| *target == launch.target);
    let colour = palette::of_target(&launch.target, place.unwrap_or_default(), false);
    canvas.label(y + BAR / 2, &short(&launch.target, MARGINS.left), INK);
    let mut begin = 0.0;
    for (index, (name, length)) in launch.phases.iter().enumerate() {
        let from = canvas.at((begin, 0.0)).0;
        begin += length;
        let to = canvas.at((begin, 0.0)).0;
        let alpha = [0.55, 0.3][index % 2];
        canvas.block([(from, y), (to, y + BAR)], colour.at(alpha));
        canvas.line([(from, y), (from, y + BAR)], 1, colour);
        // A letter is about 7 pixels wide.
        if (to - from) > 7 * count(name.chars().count()) + 8 {
            canvas.text(((from + to) / 2, y + BAR / 2), HPos::Center, name, INK);
        }
    }
    let end = canvas.at((begin, 0.0)).0;
    let whole = Unit::Nanoseconds.show(launch.whole());
    canvas.text((end + 8, y + BAR / 2), HPos::Left, &whole, MUTED);
}
