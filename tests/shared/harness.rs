//! How a table of tests is run: by root, and those alone that are named.

use libtest_mimic::{Arguments, Trial};

/// Runs `trials` as the command line says, and ends.
pub fn run(trials: impl FnOnce() -> Vec<Trial>) -> ! {
    let (arguments, names) = arguments();
    let mut trials = match why_not() {
        Some(reason) => {
            eprintln!("skipped: {reason}");
            Vec::new()
        }
        None => trials(),
    };
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

/// Only root can mount what the walls need.
fn why_not() -> Option<&'static str> {
    let is_root = rustix::process::geteuid().is_root();
    (!is_root).then_some("these need root, to mount the image")
}
