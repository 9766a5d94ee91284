//! The promises of docs/contract.md, one test for each, behind every wall.
//!
//! The process and the container wall are tried wherever root runs this, and by an ordinary user
//! where the host gives him a user namespace; the vm wall where `VMM_TEST_WALLS` names it, by
//! `scripts/test` on a KVM that boots stock kernels.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod channels;
mod endings;
mod handed_on;
#[path = "../shared/harness.rs"]
mod harness;
#[path = "../shared/image.rs"]
mod image;
mod launching;
mod limits;
#[path = "../shared/skip.rs"]
mod skip;
mod streams;
#[path = "../shared/user.rs"]
mod user;
mod volumes;
#[path = "../shared/wall.rs"]
mod wall;

use libtest_mimic::Trial;

use skip::trial;
use wall::Wall;

/// A promise: its number in docs/contract.md, what it says, and a test that needs it.
pub type Promise = (u32, &'static str, fn(&Wall));

fn main() {
    harness::run(trials);
}

fn trials() -> Vec<Trial> {
    let promises = [
        launching::PROMISES,
        streams::PROMISES,
        endings::PROMISES,
        limits::PROMISES,
        handed_on::PROMISES,
        channels::PROMISES,
        volumes::PROMISES,
    ]
    .concat();
    let walls = Wall::all();
    let mut trials = Vec::new();
    for (number, name, test) in promises {
        for wall in walls.clone() {
            let name = format!("{number:02}_{name}::{}", wall.column());
            trials.push(trial(name, move || test(&wall)));
        }
    }
    trials
}
