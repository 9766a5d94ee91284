//! The parts of a page that are plots.

use maud::{Markup, html};

use super::plots::{self, Launch};
use super::{drawing, figure, palette};
use crate::bench::record::Record;
use crate::bench::summary::Summary;
use crate::bench::workload::Unit;
use crate::report::words;

/// How many times the cost of the first target.
pub(super) fn ratios(summary: &Summary) -> Markup {
    let Some(plot) = plots::forest(summary) else {
        return html! {};
    };
    let first = summary.targets.first().map_or("the first", String::as_str);
    html! {
        section aria-labelledby="ratios" {
            h2 #ratios { "How many times the cost of " (first) }
            (figure(&plot, &html! {
                (key(summary))
                p {
                    "Medians of paired rounds on a logarithmic axis. The line through a mark is where it lies in \
                     95 of 100 repetitions."
                }
                p { "Shaded: by how much two targets differ that are the same." }
                p {
                    "An empty mark is no difference: none was measured. \
                     A small one is of too few rounds to say anything."
                }
            }))
        }
    }
}

/// Which colour is which target.
fn key(summary: &Summary) -> Markup {
    let all = summary.targets.iter().enumerate().skip(1);
    let told = all.filter(|(_, target)| !words::is_control(summary, target));
    html! {
        ul.key {
            @for (place, target) in told {
                @let colour = palette::of_target(target, place, false).name;
                li { i style={ "background:var(--" (colour) ")" } {} (target) }
            }
        }
    }
}

pub(super) fn warnings(summary: &Summary) -> Markup {
    let missing = words::missing(summary);
    if summary.warnings.is_empty() && missing.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="warnings" {
            h2 #warnings { "What to know of these figures" }
            ul.warnings {
                @for warning in &summary.warnings { li { (warning) } }
                @for missing in &missing { li { "" (missing) } }
            }
        }
    }
}

/// What happens until a command runs.
pub(super) fn launch(summary: &Summary, record: &Record) -> Markup {
    let launches = plots::launches(summary, record);
    let Some(plot) = plots::launch(summary, &launches) else {
        return html! {};
    };
    html! {
        section aria-labelledby="launch" {
            h2 #launch { "From the request to the command" }
            (figure(&plot, &html! {
                p { "Medians of each phase, one after the other." }
                @for launch in &launches { p { (phases(launch)) } }
            }))
        }
    }
}

fn phases(launch: &Launch) -> Markup {
    html! {
        b { (launch.target) } ": "
        @for (index, (name, length)) in launch.phases.iter().enumerate() {
            @if index > 0 { " · " }
            (name) " " span.muted { (Unit::Nanoseconds.show(*length)) }
        }
    }
}

/// Memory against the number of instances.
pub(super) fn density(summary: &Summary) -> Markup {
    let Some(plot) = plots::density(summary) else {
        return html! {};
    };
    html! {
        section aria-labelledby="density" {
            h2 #density { "Memory of many at once" }
            (figure(&plot, &html! {
                p { "All memory that instances of one image have together, each page counted once." }
                p { "Twice as many, and twice as much, are the same distance everywhere." }
            }))
        }
    }
}

/// All figures.
pub(super) fn distributions(summary: &Summary) -> Markup {
    let rows = summary
        .rows
        .iter()
        .filter(|row| !words::is_detail(summary, row));
    let plots: Vec<_> = rows
        .filter_map(|row| Some((words::label(row), plots::distribution(summary, row)?)))
        .collect();
    if plots.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="distributions" {
            h2 #distributions { "Every figure" }
            p.muted {
                "Each dot is a run; the box holds the middle half of them, the bar is their median. Axes are \
                 logarithmic: the same distance is the same factor."
            }
            div.grid {
                @for (label, plot) in &plots {
                    figure { figcaption { (label) } (drawing(plot)) }
                }
            }
        }
    }
}
