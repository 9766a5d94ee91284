//! One page with all of it: no script, no network, no font but the reader's own. Whatever users
//! and guests wrote is text here and nothing else.

mod details;
mod head;
mod palette;
mod plots;
mod sections;
mod tables;

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::bench::record::Record;
use crate::bench::summary::Summary;
use plots::Plot;

/// Writes the page.
///
/// # Errors
/// It cannot be written.
pub fn write(summary: &Summary, record: &Record, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(summary, record).into_string().as_bytes())
}

fn page(summary: &Summary, record: &Record) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="vmm bench";
                // A second wall: even what were not escaped could load and run nothing.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "What the walls cost: " (head::subject(summary)) }
                style { (PreEscaped(palette::style())) (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (head::head(summary))
                main {
                    (sections::ratios(summary))
                    (tables::medians(summary))
                    (sections::warnings(summary))
                    (sections::launch(summary, record))
                    (sections::density(summary))
                    (sections::distributions(summary))
                    (details::explanations(summary))
                    (details::statistics(summary))
                    (details::environment(summary))
                    (details::references())
                }
                footer { (head::ending(summary)) }
            }
        }
    }
}

/// A plot, and beside it what has to be known to read it.
fn figure(plot: &Plot, caption: &Markup) -> Markup {
    html! {
        figure.beside { (drawing(plot)) figcaption { (caption) } }
    }
}

/// A plot as an image that can be read aloud.
fn drawing(plot: &Plot) -> Markup {
    html! {
        div.plot role="img" aria-label=(plot.told) { (PreEscaped(&plot.svg)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn written(summary: &Summary) -> String {
        page(summary, &example::record()).into_string()
    }

    #[test]
    fn a_page_needs_nothing_else() {
        let page = written(&example::summary());
        for word in [
            "<script", "src=", "url(", "@import", "<link", "<img", "<iframe",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn caveats_stand_above_every_figure() {
        let page = written(&example::summary());
        let caveat = page.find("KVM runs in an emulator here").unwrap();
        assert!(caveat < page.find("<svg").unwrap());
        assert!(caveat < page.find("<table").unwrap());
    }

    #[test]
    fn every_plot_is_told_to_those_who_do_not_see_it() {
        let page = written(&example::summary());
        let told = page.matches("role=\"img\" aria-label=\"").count();
        assert_eq!(told, page.matches("<svg").count());
        assert!(told > 10);
    }

    #[test]
    fn nothing_measured_is_a_page_without_plots() {
        let mut summary = example::summary();
        summary.rows.clear();
        summary.densities.clear();
        summary.explanations.clear();
        let record = Record {
            entries: Vec::new(),
            ..example::record()
        };
        let page = page(&summary, &record).into_string();
        assert!(page.contains("Nothing was measured.") && !page.contains("<svg"));
    }

    #[test]
    fn a_figure_of_zero_breaks_no_plot() {
        let mut summary = example::summary();
        for cell in summary.rows.iter_mut().flat_map(|row| &mut row.cells) {
            cell.values.fill(0.0);
            if let Some(spread) = &mut cell.spread {
                spread.median = 0.0;
            }
        }
        assert!(written(&summary).contains("</html>"));
    }
}
