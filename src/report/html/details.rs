//! What stands behind the figures: mechanisms, distributions, surroundings, and what others found.

use maud::{Markup, html};

use crate::bench::record::{Explanation, Fact};
use crate::bench::summary::{Cell, Row, Summary};
use crate::report::references::{CAVEAT, REFERENCES};
use crate::report::words;

/// What accounts for the costs.
pub(super) fn explanations(summary: &Summary) -> Markup {
    if summary.explanations.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="why" {
            h2 #why { "Why it costs that" }
            p.muted {
                "Counted for one operation, in a pass of its own. System calls of the host that a workload \
                 reaches are exposure, not security."
            }
            div.scroll tabindex="0" role="region" aria-labelledby="why" {
                table.prose {
                    thead {
                        tr { @for name in ["workload", "behind", "what accounts for it", "counted", "host calls reached"] {
                            th scope="col" { (name) }
                        } }
                    }
                    tbody { @for one in &summary.explanations { (explanation(one)) } }
                }
            }
        }
    }
}

fn explanation(one: &Explanation) -> Markup {
    html! {
        tr {
            th scope="row" { (one.workload) }
            td { (one.target) }
            td { (one.sentence) }
            td.mute { @for (name, count) in &one.counts { div { (name) " " (words::factor(*count)) } } }
            td.mute { @if let Some(calls) = one.host_calls { (calls) } }
        }
    }
}

/// Every statistic of every cell.
pub(super) fn statistics(summary: &Summary) -> Markup {
    let names = [
        "workload",
        "behind",
        "median",
        "MAD",
        "p95",
        "p99",
        "least",
        "most",
        "runs",
        "far outside",
        "CPU of the host",
        "ratio",
    ];
    html! {
        section aria-labelledby="statistics" {
            h2 #statistics { "Every statistic" }
            details {
                summary { "Distributions of all targets" }
                div.scroll tabindex="0" role="region" aria-labelledby="statistics" {
                    table {
                        thead { tr { @for name in names { th scope="col" { (name) } } } }
                        @for row in &summary.rows {
                            tbody {
                                @for (target, cell) in summary.targets.iter().zip(&row.cells) {
                                    (spread(row, target, cell))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn spread(row: &Row, target: &str, cell: &Cell) -> Markup {
    let figures = cell.spread.map(|spread| {
        let shown = [spread.p95, spread.p99, spread.least, spread.most];
        (
            shown.map(|figure| row.unit.show(figure)),
            spread.count,
            spread.outliers,
        )
    });
    html! {
        tr {
            th scope="row" { (words::label(row)) }
            td { (target) }
            @match figures {
                None => td.failed colspan="10" { (words::verdict(cell).0) },
                Some((shown, count, outliers)) => {
                    td { (words::median(row, cell)) }
                    td { (words::deviation(cell)) }
                    @for figure in shown { td { (figure) } }
                    td { (count) }
                    td { (outliers) }
                    td { (words::processor(cell)) }
                    td { (words::verdict(cell).0) }
                },
            }
        }
    }
}

/// Where it was measured, all of it.
pub(super) fn environment(summary: &Summary) -> Markup {
    html! {
        section aria-labelledby="where" {
            h2 #where { "Where it was measured" }
            (facts(&summary.begin.environment))
            h3 { "The same for all" }
            (facts(&summary.begin.conditions))
        }
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl { @for fact in facts { div { dt { (fact.name) } dd { (fact.value) } } } }
    }
}

/// What others have measured, set apart.
pub(super) fn references() -> Markup {
    html! {
        aside.references aria-labelledby="references" {
            h2 #references { "What others have measured" }
            p.muted { (CAVEAT) }
            div.scroll tabindex="0" role="region" aria-labelledby="references" {
                table.prose {
                    thead { tr { @for name in ["what", "figure", "where", "how it came here"] { th scope="col" { (name) } } } }
                    tbody {
                        @for one in REFERENCES {
                            tr {
                                th scope="row" { (one.what) }
                                td { (one.figure) }
                                td { a href=(one.paper.address) { (one.paper.citation) } ", " (one.place) }
                                td.mute { (one.paper.source.mark()) }
                            }
                        }
                    }
                }
            }
        }
    }
}
