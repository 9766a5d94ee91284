//! Containers with real walls, by our own engine, runc and crun.
//!
//! Our own engine starts the program that it stands in once more: this one, which therefore
//! has a `main` of its own.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod failures;
mod fixture;
mod speed;
mod walls;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use vmm::container::Runtime;

use fixture::Fixture;

/// What is promised of every runtime.
type Promise = (&'static str, fn(&Fixture));

/// The promises that these functions keep, by their names.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn(&crate::fixture::Fixture))),*]
    };
}
use promises;

fn main() -> ExitCode {
    if let Some(status) = vmm::container::run_if_told() {
        return status;
    }
    let words: Vec<String> = env::args().skip(1).collect();
    match words.split_first() {
        Some((word, rest)) if word == "abandon" => failures::abandon(rest),
        Some((word, rest)) if word == "rootless" => failures::rootless(rest),
        Some((word, _)) if word == "speed" => speed::measure(),
        _ => return run_tests(),
    }
    ExitCode::SUCCESS
}

fn run_tests() -> ExitCode {
    let promises = [walls::PROMISES, failures::PROMISES].concat();
    let trials = fixture::runtimes()
        .into_iter()
        .flat_map(|(name, runtime)| {
            promises
                .iter()
                .map(move |one| trial(name, &runtime, *one))
                .collect::<Vec<_>>()
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test of one promise; ignored where there are no rights or there is no such runtime.
fn trial(name: &'static str, runtime: &Runtime, (promise, keep): Promise) -> Trial {
    let is_there = fixture::is_root() && fixture::is_there(runtime);
    let runtime = runtime.clone();
    let run = move || {
        keep(&Fixture::new(name, promise, runtime));
        Ok(())
    };
    Trial::test(format!("{name}::{promise}"), run).with_ignored_flag(!is_there)
}
