//! Plots, as SVG that a page contains. Each is drawn for light paper, in the palette's colours.

mod canvas;
mod density;
mod distribution;
mod forest;
mod launch;
mod ticks;

pub(super) use density::density;
pub(super) use distribution::distribution;
pub(super) use forest::forest;
pub(super) use launch::{Launch, launch, launches};

/// A drawing, and what it shows for those who do not see it.
pub(super) struct Plot {
    /// The drawing.
    pub(super) svg: String,
    /// What it shows, in a sentence.
    pub(super) told: String,
}

/// The least and the most of `values` that are above 0, if there are any.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let positive = values.filter(|value| *value > 0.0 && value.is_finite());
    positive.fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// As much of a name as there is `room` for, in pixels.
fn short(name: &str, room: i32) -> String {
    /// About as wide as a letter is.
    const LETTER: i32 = 7;
    let letters = usize::try_from(room / LETTER).unwrap_or_default();
    match name.chars().count() > letters {
        true => name
            .chars()
            .take(letters.saturating_sub(1))
            .chain(['…'])
            .collect(),
        false => name.to_owned(),
    }
}

/// A place in an order, as plots count.
fn count(index: usize) -> i32 {
    index.try_into().unwrap_or(i32::MAX)
}
