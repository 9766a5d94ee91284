//! What has changed from one record to another, as text.

use comfy_table::{CellAlignment, Table, presets};

use crate::bench::diff::{Change, Diff};
use crate::bench::statistics::Verdict;
use crate::output::plain;

/// The columns of the table.
const HEADS: [&str; 6] = ["workload", "measure", "target", "before", "after", "change"];

/// The difference as text.
pub fn text(diff: &Diff) -> String {
    let mut text = String::new();
    for unlike in &diff.unlike {
        text += &format!("! the records differ in {}\n", plain(&unlike.to_string()));
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(HEADS);
    diff.changes.iter().for_each(|change| {
        table.add_row(row(change));
    });
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    text += &format!("{}\n", table.trim_fmt());
    for note in &diff.notes {
        text += &format!("note: {}\n", plain(note));
    }
    text
}

fn row(change: &Change) -> [String; 6] {
    [
        plain(&change.workload),
        plain(&change.measure),
        plain(&change.target),
        change.unit.show(change.before.median),
        change.unit.show(change.after.median),
        verdict(change),
    ]
}

fn verdict(change: &Change) -> String {
    let interval = change
        .ratio
        .interval
        .map(|(low, high)| format!(" ({low:.2}–{high:.2})"));
    let ratio = format!(
        "× {:.2}{}",
        change.ratio.value,
        interval.unwrap_or_default()
    );
    match change.ratio.verdict {
        Verdict::Dearer => format!("dearer {ratio}"),
        Verdict::Cheaper => format!("cheaper {ratio}"),
        Verdict::NoDifference => "no difference".to_owned(),
        Verdict::TooFew => "too few rounds".to_owned(),
    }
}
