//! How a table of tests is run: those alone that are named.

use libtest_mimic::{Arguments, Trial};

/// Runs `trials` as the command line says, and ends.
pub fn run(trials: impl FnOnce() -> Vec<Trial>) -> ! {
    let (arguments, names) = arguments();
    let mut trials = trials();
    if !names.is_empty() {
        trials.retain(|trial| names.iter().any(|name| name == trial.name()));
    }
    libtest_mimic::run(&arguments, trials).exit()
}

/// As `cargo test` takes them: several names may follow `--exact`.
fn arguments() -> (Arguments, Vec<String>) {
    let mut words: Vec<String> = std::env::args().collect();
    let exact = words.iter().position(|word| word == "--exact");
    let names = exact.map(|exact| words.split_off(exact).split_off(1));
    (Arguments::from_iter(words), names.unwrap_or_default())
}
