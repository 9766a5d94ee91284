//! The table on a terminal. What a guest has printed moves no cursor.

use comfy_table::{ContentArrangement, Table, presets};

use super::words;
use crate::bench::statistics::Spread;
use crate::bench::summary::{Cell, Row, Summary};
use crate::output::plain;

/// How a table is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// How many characters fit beside each other.
    pub width: u16,
    /// Whether the reader sees colour.
    pub colour: bool,
    /// How much is told.
    pub detail: Detail,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Medians and ratios.
    Compact,
    /// The distribution of each target's figures too, the control's as well.
    Full,
}

/// The summary as text.
pub fn text(summary: &Summary, look: Look) -> String {
    let sections = [
        yellow(notes("!", &summary.begin.caveats, look.width), look),
        above(summary, look),
        toned(figures(summary, look), look),
        notes("missing:", &words::missing(summary), look.width),
        yellow(notes("warning:", &summary.warnings, look.width), look),
        notes("memory:", &words::densities(summary), look.width),
        notes("why:", &words::explanations(summary), look.width),
        notes("note:", &[words::LEGEND.to_owned()], look.width),
        notes("end:", &[words::ending(summary)], look.width),
    ];
    let there = sections.into_iter().filter(|section| !section.is_empty());
    there.collect::<Vec<_>>().join("\n")
}

/// Where and under which conditions.
fn above(summary: &Summary, Look { width, detail, .. }: Look) -> String {
    let begin = &summary.begin;
    let host = match detail {
        Detail::Compact => words::facts(words::telling(begin)),
        Detail::Full => words::facts(begin.environment.iter()),
    };
    let rows = [
        ("host", host),
        ("for all alike", words::facts(begin.conditions.iter())),
    ];
    block(rows.into_iter(), width)
}

/// Sentences, each under its `mark`.
fn notes(mark: &str, sentences: &[String], width: u16) -> String {
    block(sentences.iter().map(|text| (mark, text.clone())), width)
}

/// Texts beside their names, broken between words.
fn block<'a>(rows: impl Iterator<Item = (&'a str, String)>, width: u16) -> String {
    let mut table = bare();
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    for (name, text) in rows.filter(|(_, text)| !text.is_empty()) {
        table.add_row([name.to_owned(), plain(&text)]);
    }
    lines(&table)
}

/// All rows, in the first layout that fits.
fn figures(summary: &Summary, look: Look) -> String {
    let listed = || fitted(listed(summary, look.detail), look.width);
    if look.detail == Detail::Full {
        return listed();
    }
    let beside = |median: &str, ratio: &str| format!("{median:>10}  {ratio}");
    let below = |median: &str, ratio: &str| format!("{median}\n{ratio}");
    let layouts = [
        lines(&matrix(summary, beside)),
        lines(&matrix(summary, below)),
    ];
    let fits = |text: &String| {
        text.lines()
            .all(|line| line.chars().count() <= look.width.into())
    };
    layouts.into_iter().find(fits).unwrap_or_else(listed)
}

/// A row for each measure and a column for each target, where `join` makes a cell of a median and
/// a ratio.
fn matrix(summary: &Summary, join: fn(&str, &str) -> String) -> Table {
    let mut table = bare();
    let shown = shown(summary, Detail::Compact);
    let names = shown
        .iter()
        .map(|(_, name)| join(&plain(name), "").trim_end().to_owned());
    let names = names.chain(["noise".to_owned()]);
    table.set_header([String::new()].into_iter().chain(names));
    for_each_row(summary, Detail::Compact, &mut table, |table, row| {
        let cells = shown.iter().filter_map(|(place, _)| row.cells.get(*place));
        let cells = cells.map(|cell| join(&words::median(row, cell), &said(cell)));
        let cells = cells.chain([words::noise(row)]);
        table.add_row([plain(&words::label(row))].into_iter().chain(cells));
    });
    table
}

/// Below the name of each measure a row for each target.
fn listed(summary: &Summary, detail: Detail) -> Table {
    let mut table = bare();
    let statistics = match detail {
        Detail::Compact => &[][..],
        Detail::Full => &STATISTICS[..],
    };
    let names = statistics.iter().map(|(name, _)| *name);
    table.set_header(["", "median"].into_iter().chain(names).chain(["ratio"]));
    let shown = shown(summary, detail);
    for_each_row(summary, detail, &mut table, |table, row| {
        let empty = statistics.iter().map(|_| String::new());
        let heading = [plain(&words::label(row)), String::new()].into_iter();
        table.add_row(
            heading
                .chain(empty)
                .chain([format!("noise {}", words::noise(row))]),
        );
        for (target, cell) in shown
            .iter()
            .filter_map(|(at, name)| Some((name, row.cells.get(*at)?)))
        {
            let figures = statistics.iter().map(|(_, figure)| figure(row, cell));
            let first = [format!("  {}", plain(target)), words::median(row, cell)];
            table.add_row(first.into_iter().chain(figures).chain([said(cell)]));
        }
    });
    table
}

/// A statistic of a cell, as it is read.
type Statistic = fn(&Row, &Cell) -> String;
/// What the full table has besides.
const STATISTICS: [(&str, Statistic); 5] = [
    ("MAD", |_, cell| words::deviation(cell)),
    ("p95", |row, cell| of(row, cell, |spread| spread.p95)),
    ("p99", |row, cell| of(row, cell, |spread| spread.p99)),
    ("CPU", |_, cell| words::processor(cell)),
    ("n", |_, cell| words::count(cell)),
];

fn of(row: &Row, cell: &Cell, figure: fn(&Spread) -> f64) -> String {
    let spread = cell.spread.as_ref();
    spread
        .map(|spread| row.unit.show(figure(spread)))
        .unwrap_or_default()
}

/// Its ratio in words, and that some of it failed.
fn said(cell: &Cell) -> String {
    let (ratio, _) = words::verdict(cell);
    match (&cell.failures, cell.spread) {
        (Some((count, _)), Some(_)) => format!("{ratio} ({count} failed)").trim_start().to_owned(),
        _ => ratio,
    }
}

/// The targets that have columns, by their places; the control's is told as noise.
fn shown(summary: &Summary, detail: Detail) -> Vec<(usize, &str)> {
    let targets = summary.targets.iter().map(String::as_str).enumerate();
    let wanted =
        |(_, target): &(usize, &str)| detail == Detail::Full || !words::is_control(summary, target);
    targets.filter(wanted).collect()
}

/// Gives each row that is told to `add`, and an empty line between families.
fn for_each_row<'a>(
    summary: &'a Summary,
    detail: Detail,
    table: &mut Table,
    mut add: impl FnMut(&mut Table, &'a Row),
) {
    for family in words::families(&summary.rows) {
        if !table.is_empty() {
            table.add_row([""]);
        }
        let told = |row: &&Row| detail == Detail::Full || !words::is_detail(summary, row);
        family.iter().filter(told).for_each(|row| add(table, row));
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn fitted(mut table: Table, width: u16) -> String {
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    lines(&table)
}

/// What the table looks like; nothing where it has no row.
fn lines(table: &Table) -> String {
    match table.is_empty() {
        true => String::new(),
        false => format!("{}\n", table.trim_fmt()),
    }
}

/// What has to be seen first.
fn yellow(text: String, look: Look) -> String {
    painted(text, "33", look)
}

fn painted(text: String, colour: &str, look: Look) -> String {
    match look.colour {
        false => text,
        true => text
            .lines()
            .map(|line| format!("\x1b[{colour}m{line}\x1b[0m\n"))
            .collect(),
    }
}

/// What says nothing steps back, what failed stands out.
fn toned(text: String, look: Look) -> String {
    const TONES: [(&str, &str); 5] = [
        ("no difference", "2"),
        ("too few rounds", "2"),
        ("not measured", "2"),
        ("unknown", "2"),
        ("failed", "31"),
    ];
    let tone = |text: String, (word, colour): &(&str, &str)| {
        text.replace(word, &format!("\x1b[{colour}m{word}\x1b[0m"))
    };
    match look.colour {
        false => text,
        true => TONES.iter().fold(text, tone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn look(width: u16, detail: Detail) -> Look {
        Look {
            width,
            colour: false,
            detail,
        }
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap()
    }

    #[test]
    fn caveats_are_told_above_the_first_row() {
        let text = text(&example::summary(), look(100, Detail::Compact));
        let first = text.lines().next().unwrap();
        assert!(first.contains("All figures of this report are made up"));
        assert!(text.find("KVM runs in an emulator") < text.find("getpid"));
    }

    #[test]
    fn a_table_fits_where_it_is_shown() {
        for width in [80, 100, 120] {
            for detail in [Detail::Compact, Detail::Full] {
                let text = text(&example::summary(), look(width, detail));
                assert!(widest(&text) <= width.into(), "{width} {detail:?}:\n{text}");
            }
        }
    }

    #[test]
    fn a_figure_stays_in_one_piece() {
        for width in [80, 100, 120] {
            let text = text(&example::summary(), look(width, Detail::Compact));
            assert!(text.contains("×92.6 (91.2–93.6)"), "{width}:\n{text}");
            assert!(text.contains("no difference"), "{width}:\n{text}");
        }
    }

    #[test]
    fn percentiles_are_told_in_full_only() {
        let of = |detail| text(&example::summary(), look(120, detail));
        let columns = ["MAD    p95", "p95         p99", "file-read-direct-4k: p99"];
        let tells = |text: String| columns.map(|word| text.contains(word));
        assert_eq!(tells(of(Detail::Compact)), [false; 3]);
        assert_eq!(tells(of(Detail::Full)), [true; 3]);
    }

    #[test]
    fn what_failed_and_what_is_missing_have_their_reasons_below() {
        let text = text(&example::summary(), look(200, Detail::Compact));
        let missing = "runsc: not to be had here: there is no program `runsc` on PATH";
        assert!(
            text.contains("(2 failed)") && text.contains(missing),
            "{text}"
        );
        assert!(text.contains("it took longer than 10 s."), "{text}");
    }

    #[test]
    fn colour_is_there_only_where_it_is_asked_for() {
        let of = |colour| {
            let look = Look {
                colour,
                ..look(100, Detail::Compact)
            };
            text(&example::summary(), look)
        };
        assert!(of(true).contains("\x1b[33m"));
        assert!(!of(false).contains('\x1b'));
    }

    #[test]
    fn a_reason_moves_no_cursor() {
        let mut summary = example::summary();
        summary.missing[0].reason = "\x1b[2Jgone\r".to_owned();
        let text = text(&summary, look(100, Detail::Compact));
        assert!(text.contains("\\u{1b}[2Jgone\\r"), "{text}");
    }

    #[test]
    fn nothing_measured_is_no_table() {
        let mut summary = example::summary();
        summary.rows.clear();
        let text = text(&summary, look(80, Detail::Compact));
        assert!(
            !text.contains("noise ±") && text.contains("made up"),
            "{text}"
        );
    }
}
