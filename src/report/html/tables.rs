//! The table that a page is about.

use maud::{Markup, html};

use crate::bench::summary::{Cell, Row, Summary};
use crate::report::words::{self, Tone};

/// Medians and ratios of all targets, by families.
pub(super) fn medians(summary: &Summary) -> Markup {
    if summary.rows.is_empty() {
        return html! { p { "Nothing was measured." } };
    }
    let order = order(summary);
    let told = |row: &&Row| !words::is_detail(summary, row) || words::is_tail(row);
    html! {
        section aria-labelledby="table" {
            h2 #table { "Medians" }
            p.muted { (words::LEGEND) }
            div.scroll tabindex="0" role="region" aria-labelledby="table" {
                table {
                    thead {
                        tr {
                            th scope="col" { "workload" }
                            @for place in &order { th scope="col" { (summary.targets[*place]) } }
                            th scope="col" { "noise" }
                        }
                    }
                    @for family in words::families(&summary.rows) {
                        tbody { @for row in family.iter().filter(told) { (line(row, &order)) } }
                    }
                }
            }
        }
    }
}

/// The places of the targets: those that are over again beside the noise that they tell of.
fn order(summary: &Summary) -> Vec<usize> {
    let mut places: Vec<usize> = (0..summary.targets.len()).collect();
    places.sort_by_key(|place| words::is_control(summary, &summary.targets[*place]));
    places
}

fn line(row: &Row, order: &[usize]) -> Markup {
    html! {
        tr {
            th scope="row" { (words::label(row)) }
            @for cell in order.iter().filter_map(|place| row.cells.get(*place)) { td { (figure(row, cell)) } }
            td.mute { (words::noise(row)) }
        }
    }
}

fn figure(row: &Row, cell: &Cell) -> Markup {
    let (said, tone) = words::verdict(cell);
    let class = match tone {
        Tone::Dearer | Tone::Cheaper => "said",
        Tone::Mute => "said mute",
        Tone::Failed => "said failed",
    };
    html! {
        (words::median(row, cell))
        @if !said.is_empty() { span class=(class) { (said) } }
        @if let (Some((count, _)), Some(_)) = (&cell.failures, cell.spread) {
            small.failed { (count) " failed" }
        }
    }
}
