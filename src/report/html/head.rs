//! How a page begins and ends: what was measured, and what has to be known before any figure.

use maud::{Markup, html};

use crate::bench::summary::Summary;
use crate::report::{date, words};

/// What was measured, in a few words.
pub(super) fn subject(summary: &Summary) -> String {
    summary.begin.command.join(" ")
}

pub(super) fn head(summary: &Summary) -> Markup {
    let begin = &summary.begin;
    let compared = summary
        .targets
        .iter()
        .filter(|target| !words::is_control(summary, target));
    let compared: Vec<&str> = compared.map(String::as_str).collect();
    html! {
        header {
            h1 { "What the walls cost" }
            p.lead { (compared.join(", ")) ", side by side, on " (date::utc(begin.started)) "." }
            pre { code { (subject(summary)) } }
            @if !begin.caveats.is_empty() {
                ul.caveats role="note" aria-label="Caveats" {
                    @for caveat in &begin.caveats { li { (caveat) } }
                }
            }
            dl {
                @for fact in words::telling(begin) {
                    div { dt { (fact.name) } dd { (fact.value) } }
                }
            }
            p.muted { "The same for all: " (words::facts(begin.conditions.iter())) "." }
        }
    }
}

pub(super) fn ending(summary: &Summary) -> Markup {
    html! {
        p {
            "How it ended: " (words::ending(summary)) "."
            @if let Some(end) = &summary.end {
                @if !end.during.is_empty() {
                    " Meanwhile: " (words::facts(end.during.iter())) "."
                }
            }
        }
        p {
            "Made by " code { "vmm bench" } ", format " (summary.begin.version)
            ", orders drawn from seed " (summary.begin.seed) "."
        }
    }
}
