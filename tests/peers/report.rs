//! What was measured, a table for each quantity.

use crate::rounds::Series;
use crate::statistics::{median, ratio_interval};

/// Prints medians, and how ours, the first of `all`, compares with each other one.
pub fn print(all: &[Series]) {
    let Some((ours, sample)) = all
        .first()
        .and_then(|ours| Some((ours, ours.samples.first()?)))
    else {
        println!("nothing was measured");
        return;
    };
    println!(
        "medians of {} rounds, and vmm's / its (95 % interval)",
        ours.samples.len()
    );
    for (quantity, _) in sample {
        println!("{quantity}");
        for series in all {
            print_line(ours, series, quantity);
        }
    }
}

fn print_line(ours: &Series, series: &Series, quantity: &str) {
    let values = series.values(quantity);
    print!("  {:<18} {:>12.1}", series.name, median(&values));
    if series.name == ours.name || values.is_empty() {
        println!();
        return;
    }
    let (ratio, low, high) = ratio_interval(&ours.values(quantity), &values);
    println!("  {ratio:.3} ({low:.3} to {high:.3})");
}
