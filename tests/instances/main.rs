//! What runs, as other commands see it: listed, entered, stopped, paused, forgotten; and what
//! is left where a process was killed that should have cleared up. Behind every wall, as in
//! `tests/contract/`.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod crowd;
mod exec;
mod fixture;
#[path = "../shared/harness.rs"]
mod harness;
#[path = "../shared/image.rs"]
mod image;
mod killed;
mod life;
mod listing;
mod logs;
#[path = "../shared/skip.rs"]
mod skip;
#[path = "../shared/user.rs"]
mod user;
#[path = "../shared/wall.rs"]
mod wall;

use libtest_mimic::Trial;

use wall::Wall;

/// What is promised, and a test that needs it.
type Promise = (&'static str, fn(&Wall));

/// The promises that these functions keep, by their names.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn(&Wall))),*]
    };
}
use promises;

fn main() {
    harness::run(trials);
}

fn trials() -> Vec<Trial> {
    let promises = [
        listing::PROMISES,
        exec::PROMISES,
        life::PROMISES,
        logs::PROMISES,
        crowd::PROMISES,
        killed::PROMISES,
    ]
    .concat();
    let trial = |name: &str, test: fn(&Wall), wall: Wall| {
        skip::trial(format!("{name}::{}", wall.column()), move || test(&wall))
    };
    let walls = Wall::all();
    let of_all = promises.into_iter().flat_map(|(name, test)| {
        let trials = walls
            .iter()
            .map(move |wall| trial(name, test, wall.clone()));
        trials.collect::<Vec<_>>()
    });
    of_all.collect()
}
