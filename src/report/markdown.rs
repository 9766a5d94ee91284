//! The table as GitHub and others render it, with all that has to be said of it.

use std::fmt::Write;

use super::references::{CAVEAT, REFERENCES};
use super::words;
use crate::bench::summary::{Cell, Row, Summary};
use crate::output::plain;

/// The summary as Markdown.
pub fn markdown(summary: &Summary) -> String {
    let begin = &summary.begin;
    let mut text = format!(
        "# What the walls cost\n\n`{}`\n",
        code(&begin.command.join(" "))
    );
    for caveat in &begin.caveats {
        let _ = write!(text, "\n> **{}**\n", escaped(caveat));
    }
    let facts = [
        ("Host", words::facts(words::telling(begin))),
        ("The same for all", words::facts(begin.conditions.iter())),
    ];
    for (name, facts) in facts {
        let _ = write!(text, "\n{name}: {}.\n", escaped(&facts));
    }
    if !summary.rows.is_empty() {
        table(&mut text, summary);
    }
    let _ = write!(text, "\n{}\n", words::LEGEND);
    list(
        &mut text,
        "What to know of these figures",
        &warnings(summary),
    );
    list(
        &mut text,
        "Memory of many at once",
        &words::densities(summary),
    );
    list(
        &mut text,
        "Why it costs that",
        &words::explanations(summary),
    );
    let _ = write!(
        text,
        "\nHow it ended: {}.\n",
        escaped(&words::ending(summary))
    );
    references(&mut text);
    text
}

fn table(text: &mut String, summary: &Summary) {
    let names = ["workload"]
        .into_iter()
        .chain(summary.targets.iter().map(String::as_str))
        .chain(["noise"]);
    text.push('\n');
    line(text, names.map(escaped));
    line(
        text,
        (0..summary.targets.len() + 2).map(|_| "---".to_owned()),
    );
    for row in &summary.rows {
        let cells = row.cells.iter().map(|cell| figure(row, cell));
        line(
            text,
            [escaped(&words::label(row))]
                .into_iter()
                .chain(cells)
                .chain([words::noise(row)]),
        );
    }
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let _ = writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn figure(row: &Row, cell: &Cell) -> String {
    let (said, _) = words::verdict(cell);
    let median = words::median(row, cell);
    match (median.is_empty(), said.is_empty()) {
        (_, true) => median,
        (true, false) => said,
        (false, false) => format!("{median}, {said}"),
    }
}

fn warnings(summary: &Summary) -> Vec<String> {
    [summary.warnings.clone(), words::missing(summary)].concat()
}

fn list(text: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(text, "\n## {title}\n\n");
    for item in items {
        let _ = writeln!(text, "- {}", escaped(item));
    }
}

fn references(text: &mut String) {
    let _ = write!(text, "\n## What others have measured\n\n{CAVEAT}\n\n");
    line(
        text,
        ["what", "figure", "where", ""]
            .map(str::to_owned)
            .into_iter(),
    );
    line(text, (0..4).map(|_| "---".to_owned()));
    for one in REFERENCES {
        let paper = one.paper;
        let place = format!(
            "[{}]({}), {}",
            escaped(paper.citation),
            paper.address,
            one.place
        );
        let cells = [
            escaped(one.what),
            escaped(one.figure),
            place,
            paper.source.mark().to_owned(),
        ];
        line(text, cells.into_iter());
    }
}

/// `text` as nothing but text: no mark-up, and no line of its own.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' | '!' => {
            format!("\\{c}")
        }
        c => c.to_string(),
    };
    plain(text).chars().map(escape).collect()
}

/// `text` between single back-quotes.
fn code(text: &str) -> String {
    plain(text).replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn caveats_stand_above_the_table() {
        let text = markdown(&example::summary());
        let caveat = text.find("> **KVM runs in an emulator here").unwrap();
        assert!(caveat < text.find("| workload |").unwrap());
    }

    #[test]
    fn every_line_of_a_table_has_the_same_cells() {
        let text = markdown(&example::summary());
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<usize> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(cells)
            .collect();
        let wide = example::summary().targets.len() + 3;
        assert!(
            lines.iter().all(|cells| [wide, 5].contains(cells)),
            "{lines:?}"
        );
    }

    #[test]
    fn what_a_guest_wrote_is_text() {
        let mut summary = example::summary();
        summary.missing[0].reason = "<script>|\n# a [b](c)".to_owned();
        let text = markdown(&summary);
        assert!(text.contains(r"\<script\>\|\\n\# a \[b\](c)"), "{text}");
    }
}
