//! Each target's figures of one row: every one as a dot, and the middle half of them as a box.

use super::canvas::{Canvas, Margins, svg};
use super::{Plot, count, ends, short, ticks};
use crate::bench::statistics::Sorted;
use crate::bench::summary::{Cell, Row, Summary};
use crate::report::html::palette::{self, Colour, INK};
use crate::report::words;

/// How high the figures of a target are.
const LANE: i32 = 32;
const MARGINS: Margins = Margins {
    left: 108,
    right: 22,
    top: 4,
    bottom: 26,
};
/// The most dots of a target.
const MAX_DOTS: usize = 240;

/// The plot of `row`; `None` where nothing was measured.
pub(in super::super) fn distribution(summary: &Summary, row: &Row) -> Option<Plot> {
    let values = row
        .cells
        .iter()
        .flat_map(|cell| cell.values.iter().copied());
    let (low, high) = ends(values)?;
    // Figures that hardly differ are not blown up: a percent of the axis is left at either end.
    let (low, high) = (low / 1.02, high * 1.02);
    let height = MARGINS.top + MARGINS.bottom + LANE * count(row.cells.len());
    let svg = svg(height, MARGINS, low.ln()..high.ln(), 0.0..1.0, |canvas| {
        let ticks = ticks::of_unit(row.unit, low, high).into_iter();
        canvas.axis(ticks.map(|tick| (tick.ln(), ticks::label(row.unit, tick))));
        for (place, (target, cell)) in summary.targets.iter().zip(&row.cells).enumerate() {
            let y = MARGINS.top + LANE * count(place) + LANE / 2;
            let colour = palette::of_target(target, place, words::is_control(summary, target));
            canvas.label(y, &short(target, MARGINS.left), INK);
            lane(canvas, cell, y, colour);
        }
    });
    Some(Plot {
        svg,
        told: told(summary, row),
    })
}

fn lane(canvas: &Canvas<'_>, cell: &Cell, y: i32, colour: Colour) {
    let x = |value: f64| canvas.at((value.ln(), 0.0)).0;
    let seen: Vec<f64> = cell
        .values
        .iter()
        .copied()
        .filter(|value| *value > 0.0)
        .collect();
    let every = seen.len().div_ceil(MAX_DOTS).max(1);
    for (index, value) in seen.iter().enumerate().step_by(every) {
        canvas.dot((x(*value), y + jitter(index)), 2, colour.at(0.55));
    }
    if let Some(sorted) = Sorted::of(seen) {
        let [first, third] = [0.25, 0.75].map(|part| x(sorted.quantile(part)));
        canvas.block([(first, y - 9), (third, y + 9)], colour.at(0.22));
    }
    if let Some(spread) = cell.spread.filter(|spread| spread.median > 0.0) {
        let median = x(spread.median);
        canvas.line([(median, y - 11), (median, y + 11)], 3, colour);
    }
}

/// Dots beside each other are not one: up and down, the same each time.
fn jitter(index: usize) -> i32 {
    count(index * 5 % 13) - 6
}

fn told(summary: &Summary, row: &Row) -> String {
    let medians = summary.targets.iter().zip(&row.cells);
    let medians = medians.map(|(target, cell)| match cell.spread {
        Some(spread) => format!("{target} {}", row.unit.show(spread.median)),
        None => format!("{target} none"),
    });
    let medians = medians.collect::<Vec<_>>().join(", ");
    format!("All figures of {}; medians: {medians}", words::label(row))
}
