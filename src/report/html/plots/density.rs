//! How much memory some instances have together, behind each wall.

use std::collections::BTreeMap;

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Margins, svg};
use super::{Plot, ends, short, ticks};
use crate::bench::record::Density;
use crate::bench::summary::Summary;
use crate::bench::workload::Unit;
use crate::report::html::palette::{self, MUTED, RULE};

const HEIGHT: i32 = 280;
const MARGINS: Margins = Margins {
    left: 66,
    right: 96,
    top: 12,
    bottom: 46,
};

/// The plot of all that was counted; `None` where nothing was.
pub(in super::super) fn density(summary: &Summary) -> Option<Plot> {
    let all = &summary.densities;
    let (few, many) = ends(all.iter().map(|one| f64::from(one.instances)))?;
    let (least, most) = ends(all.iter().map(bytes))?;
    let (least, most) = (least.log2().floor(), most.log2().ceil());
    let across = few.log2()..many.log2().max(few.log2() + 1.0);
    let down = most.max(least + 1.0)..least;
    let svg = svg(HEIGHT, MARGINS, across.clone(), down.clone(), |canvas| {
        axes(canvas, across, down);
        for (target, curve) in curves(all) {
            let place = summary.targets.iter().position(|one| one == target);
            let colour = palette::of_target(target, place.unwrap_or_default(), false);
            let points = curve
                .iter()
                .map(|(instances, bytes)| canvas.at((instances.log2(), bytes.log2())));
            let points: Vec<_> = points.collect();
            canvas.line(points.iter().copied(), 2, colour);
            points
                .iter()
                .for_each(|point| canvas.dot(*point, 4, colour));
            if let Some((x, y)) = points.last() {
                canvas.text(
                    (x + 10, *y),
                    HPos::Left,
                    &short(target, MARGINS.right),
                    colour,
                );
            }
        }
    });
    Some(Plot {
        svg,
        told: format!("Memory against the number of instances: {}", told(all)),
    })
}

#[allow(clippy::cast_precision_loss, reason = "a plot has fewer digits")]
fn bytes(density: &Density) -> f64 {
    density.bytes as f64
}

/// Instances and bytes of each target, by the number of instances.
fn curves(all: &[Density]) -> BTreeMap<&str, Vec<(f64, f64)>> {
    let mut curves: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.instances > 0 && one.bytes > 0) {
        let curve = curves.entry(&one.target).or_default();
        curve.push((one.instances.into(), bytes(one)));
    }
    for curve in curves.values_mut() {
        curve.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    curves
}

/// Twice as many, and twice as much, from line to line.
fn axes(canvas: &Canvas<'_>, across: std::ops::Range<f64>, down: std::ops::Range<f64>) {
    let (x, y) = canvas.inside();
    let powers = |from: f64, to: f64| {
        std::iter::successors(Some(from), |power| Some(power + 1.0))
            .take_while(move |power| *power <= to)
    };
    let step = ((down.start - down.end) / 6.0).ceil().max(1.0);
    for power in powers(down.end, down.start).filter(|power| (power - down.end) % step == 0.0) {
        let (_, y) = canvas.at((across.start, power));
        canvas.line([(x.start, y), (x.end, y)], 1, RULE);
        canvas.label(y, &ticks::label(Unit::Bytes, power.exp2()), MUTED);
    }
    canvas.axis(
        powers(across.start.floor(), across.end).map(|power| (power, power.exp2().to_string())),
    );
    canvas.text(
        ((x.start + x.end) / 2, y.end + 34),
        HPos::Center,
        "instances",
        MUTED,
    );
}

fn told(all: &[Density]) -> String {
    let each = curves(all).into_iter().filter_map(|(target, curve)| {
        let (instances, bytes) = curve.last()?;
        let each = Unit::Bytes.show(bytes / instances);
        Some(format!("{target} {each} each at {instances}"))
    });
    each.collect::<Vec<_>>().join(", ")
}
