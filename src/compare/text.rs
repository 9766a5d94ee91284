//! Comparisons as a user reads them. What a guest has printed moves no cursor.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};
use wire::Value;

use super::facts::{Cell, Comparison, Whose};
use super::lines::{Line, Lines};
use crate::output::plain;

/// What it says where something is one and the same thing on the host.
pub const SHARED: &str = "host's";
/// The most names that are told one by one.
const MAX_NAMES: usize = 8;

/// The facts as a table, `width` characters wide.
pub fn table(comparison: &Comparison, width: u16) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    let walls = comparison.walls.iter().map(|wall| wall.name());
    table.set_header(["", "host"].into_iter().chain(walls));
    for row in &comparison.rows {
        let cells = row.cells.iter().map(|cell| match cell {
            Some(cell) => behind(cell, &row.host),
            None => "not told".to_owned(),
        });
        let host = [row.name.clone(), alone(&row.host)];
        table.add_row(host.into_iter().chain(cells).map(|text| plain(&text)));
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for missing in &comparison.missing {
        let (wall, reason) = (missing.wall.name(), plain(&missing.reason));
        let _ = writeln!(text, "\n{wall}: not to be had here: {reason}");
    }
    text
}

/// A value of the host, on which the others look.
fn alone(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Set(names) if names.len() <= MAX_NAMES => words(names.iter()),
        Value::Set(names) => names.len().to_string(),
        Value::Unknown(reason) => format!("unknown: {reason}"),
    }
}

fn behind(cell: &Cell, host: &Value) -> String {
    match (cell.whose, cell.value == *host) {
        (Whose::Own, _) if matches!(cell.value, Value::Unknown(_)) => alone(&cell.value),
        (Whose::Hosts, true) => SHARED.to_owned(),
        (Whose::Hosts, false) => format!("{SHARED}: {}", alone(&cell.value)),
        (Whose::Own, _) => format!("own: {}", beside(&cell.value, host)),
    }
}

/// A value beside the host's: of many names, those that make the difference.
fn beside(value: &Value, host: &Value) -> String {
    let (Value::Set(names), Value::Set(host)) = (value, host) else {
        return alone(value);
    };
    if names.len() <= MAX_NAMES {
        return words(names.iter());
    }
    let mut text = names.len().to_string();
    for (word, some, others) in [("without", host, names), ("and besides", names, host)] {
        if some.difference(others).next().is_some() {
            let _ = write!(text, ", {word} {}", difference(some, others));
        }
    }
    text
}

fn difference(some: &BTreeSet<String>, others: &BTreeSet<String>) -> String {
    let names = some.difference(others);
    let count = names.clone().count();
    match count <= MAX_NAMES {
        true => words(names),
        false => format!(
            "{} and {} more",
            words(names.take(MAX_NAMES)),
            count - MAX_NAMES
        ),
    }
}

fn words<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let words: Vec<&str> = names.map(String::as_str).collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(" "),
    }
}

/// What was said, line by line.
pub fn lines(lines: &Lines) -> String {
    let mut text = String::new();
    stream(&mut text, "", &lines.of_stream(|printed| &printed.output));
    stream(
        &mut text,
        "stderr ",
        &lines.of_stream(|printed| &printed.errors),
    );
    let statuses = lines
        .stood()
        .map(|(wall, printed)| format!("{} {}", wall.name(), printed.status));
    let _ = writeln!(text, "status: {}", statuses.collect::<Vec<_>>().join(", "));
    for said in &lines.said {
        if let Err(reason) = &said.printed {
            let _ = writeln!(
                text,
                "{}: not to be had here: {}",
                said.wall.name(),
                plain(reason)
            );
        }
    }
    text
}

fn stream(text: &mut String, name: &str, lines: &[Line<'_>]) {
    for line in lines {
        match line {
            Line::Same(line) => {
                let _ = writeln!(text, "{name}same       {}", plain(line));
            }
            Line::Differs(all) => {
                for (wall, line) in all {
                    let line = line.map_or("(no such line)".to_owned(), plain);
                    let _ = writeln!(text, "{name}{:<10} {line}", wall.name());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> Value {
        Value::Set(names.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn of_many_names_those_are_told_that_make_the_difference() {
        let host = set("a b c d e f g h i j k");
        assert_eq!(
            beside(&set("a b c d e f g h i z"), &host),
            "10, without j k, and besides z"
        );
        assert_eq!(beside(&set("a b"), &host), "a b");
    }

    #[test]
    fn what_is_shared_and_looks_different_is_told_as_both() {
        let cell = |whose| Cell {
            value: Value::Text("9".into()),
            whose,
        };
        let host = Value::Text("7".into());
        assert_eq!(behind(&cell(Whose::Hosts), &host), "host's: 9");
        assert_eq!(behind(&cell(Whose::Own), &host), "own: 9");
        assert_eq!(
            behind(&cell(Whose::Hosts), &Value::Text("9".into())),
            "host's"
        );
    }
}
