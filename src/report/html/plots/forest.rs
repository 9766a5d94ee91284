//! All ratios on one logarithmic axis, each with its interval, beside what is noise.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Margins, svg};
use super::{Plot, count, ends, short, ticks};
use crate::bench::statistics::{Ratio, Verdict};
use crate::bench::summary::{Row, Summary};
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

/// A row as it is drawn.
struct Group<'a> {
    label: String,
    noise: Option<f64>,
    marks: Vec<Mark<'a>>,
}

/// The plot of all rows that are told; `None` where there is no ratio.
pub(in super::super) fn forest(summary: &Summary) -> Option<Plot> {
    let groups = groups(summary);
    let (least, most) = ends(groups.iter().flat_map(Group::figures))?;
    let (low, high) = (least.min(0.95) / 1.05, most.max(1.05) * 1.05);
    let heights = groups.iter().map(|group| group.height() + GAP);
    let height = MARGINS.top + MARGINS.bottom + heights.sum::<i32>();
    let svg = svg(height, MARGINS, low.ln()..high.ln(), 0.0..1.0, |canvas| {
        axis(canvas, low, high);
        let mut y = MARGINS.top;
        for group in &groups {
            group.draw(canvas, y);
            y += group.height() + GAP;
        }
    });
    let told = format!(
        "How many times the cost of {} each workload has behind the others, from {} to {} times, \
         with 95 % intervals; the table has all figures",
        summary.targets.first().map_or("the first", String::as_str),
        words::factor(least),
        words::factor(most)
    );
    Some(Plot { svg, told })
}

/// A group for each row that is told and has a ratio.
fn groups(summary: &Summary) -> Vec<Group<'_>> {
    let workloads = summary
        .rows
        .chunk_by(|one, other| one.workload == other.workload);
    let groups = workloads.flat_map(|rows| {
        let told = rows
            .iter()
            .filter(|row| !words::is_detail(summary, row))
            .enumerate();
        told.map(move |(index, row)| Group {
            // The first measure is what the workload is about: its name says it.
            label: match index {
                0 => row.workload.clone(),
                _ => words::label(row),
            },
            noise: row.noise,
            marks: marks(summary, row),
        })
    });
    groups.filter(|group| !group.marks.is_empty()).collect()
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

impl Group<'_> {
    /// All that has to have a place on the axis.
    fn figures(&self) -> impl Iterator<Item = f64> {
        let noise = self
            .noise
            .into_iter()
            .flat_map(|noise| [noise, 1.0 / noise]);
        noise.chain(self.marks.iter().flat_map(|(ratio, _)| reach(ratio)))
    }

    fn height(&self) -> i32 {
        count(self.marks.len()) * LANE
    }

    /// Draws it from `y` on.
    fn draw(&self, canvas: &Canvas<'_>, y: i32) {
        let x = |value: f64| canvas.at((value.ln(), 0.0)).0;
        if let Some(noise) = self.noise {
            let corners = [(x(1.0 / noise), y), (x(noise), y + self.height())];
            canvas.block(corners, MUTED.at(0.28));
        }
        canvas.label(
            y + self.height() / 2,
            &short(&self.label, MARGINS.left),
            INK,
        );
        for (lane, (ratio, colour)) in self.marks.iter().enumerate() {
            mark(canvas, ratio, *colour, y + count(lane) * LANE + LANE / 2);
        }
    }
}

/// From where to where it goes.
fn reach(ratio: &Ratio) -> [f64; 3] {
    let (low, high) = ratio.interval.unwrap_or((ratio.value, ratio.value));
    [low, ratio.value, high]
}

fn mark(canvas: &Canvas<'_>, ratio: &Ratio, colour: Colour, y: i32) {
    let [low, value, high] = reach(ratio).map(|value| canvas.at((value.ln(), 0.0)).0);
    canvas.line([(low, y), (high, y)], 2, colour);
    match ratio.verdict {
        Verdict::Dearer | Verdict::Cheaper => {
            let right = canvas.inside().0.end + 10;
            let times = format!("×{}", words::factor(ratio.value));
            canvas.dot((value, y), 5, colour);
            canvas.text((right, y), HPos::Left, &times, INK);
        }
        Verdict::NoDifference => canvas.ring((value, y), 4, colour),
        Verdict::TooFew => canvas.ring((value, y), 2, colour),
    }
}

/// The marks of the axis at either end, and the line at 1.
fn axis(canvas: &Canvas<'_>, low: f64, high: f64) {
    let ticks: Vec<(f64, String)> = ticks::logarithmic(low, high)
        .into_iter()
        .map(|tick| (tick.ln(), ticks::factor(tick)))
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
