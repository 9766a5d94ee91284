//! All ratios on one logarithmic axis, each with its interval, beside what is noise.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Margins, svg};
use super::{Plot, count, ends, short, ticks};
use crate::bench::summary::{Ratio, Row, Summary, Verdict};
use crate::report::html::palette::{self, Colour, INK, MUTED};
use crate::report::words;

/// How high a ratio is, and what lies between rows.
const LANE: i32 = 16;
const GAP: i32 = 10;
const MARGINS: Margins = Margins {
    left: 148,
    right: 52,
    top: 24,
    bottom: 28,
};

/// A ratio of a row, and the colour of its target.
type Mark<'a> = (&'a Ratio, Colour);

/// The plot of all rows that are told; `None` where there is no ratio.
pub(in super::super) fn forest(summary: &Summary) -> Option<Plot> {
    let rows: Vec<(&Row, Vec<Mark<'_>>)> = summary
        .rows
        .iter()
        .filter(|row| !words::is_tail(row))
        .map(|row| (row, marks(summary, row)))
        .filter(|(_, marks)| !marks.is_empty())
        .collect();
    let all = rows.iter().flat_map(|(row, marks)| {
        let noise = row.noise.into_iter().flat_map(|noise| [noise, 1.0 / noise]);
        noise.chain(marks.iter().flat_map(|(ratio, _)| reach(ratio)))
    });
    let (low, high) = ends(all)?;
    let (low, high) = (low.min(0.95) / 1.05, high.max(1.05) * 1.05);
    let lanes = rows
        .iter()
        .map(|(_, marks)| count(marks.len()) * LANE + GAP);
    let height = MARGINS.top + MARGINS.bottom + lanes.sum::<i32>();
    let svg = svg(height, MARGINS, low.ln()..high.ln(), 0.0..1.0, |canvas| {
        axis(canvas, low, high);
        rows.iter().fold(MARGINS.top, |y, (row, marks)| {
            self::row(canvas, row, marks, y)
        });
    });
    let told = format!(
        "How many times the cost of {} each workload has behind the others, from {} to {} times, \
         with 95 % intervals; the table has all figures",
        summary.targets.first().map_or("the first", String::as_str),
        words::factor(low),
        words::factor(high)
    );
    Some(Plot { svg, told })
}

fn marks<'a>(summary: &Summary, row: &'a Row) -> Vec<Mark<'a>> {
    let named = summary.targets.iter().zip(&row.cells).enumerate();
    let walls = named.filter(|(_, (target, _))| !words::is_control(summary, target));
    walls
        .filter_map(|(place, (target, cell))| {
            let ratio = cell.ratio.as_ref().filter(|ratio| ratio.value > 0.0)?;
            Some((ratio, palette::of_target(target, place, false)))
        })
        .collect()
}

/// From where to where it goes.
fn reach(ratio: &Ratio) -> [f64; 3] {
    let (low, high) = ratio.interval.unwrap_or((ratio.value, ratio.value));
    [low, ratio.value, high]
}

/// Draws a row from `y` on and says where the next one begins.
fn row(canvas: &Canvas<'_>, row: &Row, marks: &[Mark<'_>], y: i32) -> i32 {
    let height = count(marks.len()) * LANE;
    let x = |value: f64| canvas.at((value.ln(), 0.0)).0;
    if let Some(noise) = row.noise {
        canvas.block(
            [(x(1.0 / noise), y), (x(noise), y + height)],
            MUTED.at(0.28),
        );
    }
    canvas.label(y + height / 2, &short(&words::label(row)), INK);
    for (lane, (ratio, colour)) in marks.iter().enumerate() {
        let y = y + count(lane) * LANE + LANE / 2;
        mark(canvas, ratio, *colour, y);
    }
    y + height + GAP
}

fn mark(canvas: &Canvas<'_>, ratio: &Ratio, colour: Colour, y: i32) {
    let [low, value, high] = reach(ratio).map(|value| canvas.at((value.ln(), 0.0)).0);
    canvas.line([(low, y), (high, y)], 2, colour);
    let says = |text: &str, colour| {
        let right = canvas.inside().0.end;
        canvas.text((right + 10, y), HPos::Left, text, colour);
    };
    match ratio.verdict {
        Verdict::Dearer | Verdict::Cheaper => {
            canvas.dot((value, y), 5, colour);
            says(&format!("×{}", words::factor(ratio.value)), INK);
        }
        Verdict::NoDifference => {
            canvas.ring((value, y), 4, colour);
        }
        Verdict::TooFew => {
            canvas.ring((value, y), 2, colour);
            says("too few", MUTED);
        }
    }
}

/// The marks of the axis at either end, and the line at 1.
fn axis(canvas: &Canvas<'_>, low: f64, high: f64) {
    let ticks: Vec<(f64, String)> = ticks::logarithmic(low, high)
        .into_iter()
        .map(|tick| (tick.ln(), format!("×{tick}")))
        .collect();
    canvas.axis(ticks.iter().cloned());
    let top = canvas.inside().1.start;
    for (value, label) in &ticks {
        canvas.text(
            (canvas.at((*value, 0.0)).0, top - 12),
            HPos::Center,
            label,
            MUTED,
        );
    }
    let one = canvas.at((0.0, 0.0)).0;
    canvas.line([(one, top), (one, canvas.inside().1.end)], 2, MUTED);
}
