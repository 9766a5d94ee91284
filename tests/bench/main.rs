//! `vmm bench` behind the walls that need no KVM: that it measures, and what it does where it
//! cannot. How much something costs is nothing to be tested.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod channels;
#[path = "../shared/harness.rs"]
mod harness;
mod host;
#[path = "../shared/image.rs"]
mod image;
mod mistakes;
mod records;
mod stops;
mod tools;
mod vmms;

use libtest_mimic::Trial;

type Test = (&'static str, fn());

fn main() {
    harness::run(|| {
        let all = [
            records::ALL,
            mistakes::ALL,
            stops::ALL,
            tools::ALL,
            vmms::ALL,
            channels::ALL,
        ]
        .concat();
        let trial = |(name, test): Test| {
            Trial::test(name, move || {
                test();
                Ok(())
            })
        };
        all.into_iter().map(trial).collect()
    })
}
