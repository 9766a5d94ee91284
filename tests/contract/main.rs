//! The promises of docs/contract.md, one test for each, behind every wall.
//!
//! The process and the container wall are tried wherever root runs this; the vm wall where
//! `VMM_TEST_WALLS` names it, by `scripts/test` on a KVM that boots stock kernels.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod endings;
#[path = "../shared/image.rs"]
mod image;
mod launching;
mod limits;
mod streams;
#[path = "../shared/wall.rs"]
mod wall;

use libtest_mimic::{Arguments, Trial};

use wall::Wall;

/// A promise: its number in docs/contract.md, what it says, and a test that needs it.
pub type Promise = (u32, &'static str, fn(&Wall));

fn main() {
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
    libtest_mimic::run(&arguments, trials).exit();
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

fn trials() -> Vec<Trial> {
    let promises = [
        launching::PROMISES,
        streams::PROMISES,
        endings::PROMISES,
        limits::PROMISES,
    ]
    .concat();
    let walls = Wall::all();
    let mut trials = Vec::new();
    for (number, name, test) in promises {
        for wall in walls.clone() {
            let name = format!("{number:02}_{name}::{}", wall.name());
            trials.push(Trial::test(name, move || {
                test(&wall);
                Ok(())
            }));
        }
    }
    trials
}
