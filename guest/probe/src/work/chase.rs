//! Memory latency: each load tells where the next one is, in an order that nobody can foresee.

use std::hint::black_box;

use wire::Measured;

use super::failure::Failure;
use super::mapping::{Mapping, Pages};
use super::place::Place;
use super::random::Random;
use super::watch::Watch;

/// What a cache loads at once, in indexes.
const LINE: usize = 64 / size_of::<usize>();
/// The most loads before those that count: what is in the caches by then is in them.
const WARM_UP: usize = 1 << 18;

/// So many loads all over so many bytes, in pages of 4 KiB.
pub fn walk(bytes: usize, operations: u64) -> Result<Measured, Failure> {
    let mut mapping = Mapping::new(bytes, Pages::Small)?;
    let memory = mapping.indexes();
    lay_out(memory);
    let mut at = (0..WARM_UP.min(bytes / 64)).fold(0, |at, _| memory[at]);
    let watch = Watch::start();
    for _ in 0..operations {
        at = memory[at];
    }
    let measured = watch.stop(operations);
    black_box(at);
    Ok(measured)
}

/// The same for each size that has a name of its own.
pub fn of<const BYTES: usize>(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    walk(BYTES, operations)
}

/// Makes one ring of all lines: the first index in each tells that of the next.
///
/// It is drawn by Sattolo's algorithm (1986), in a list of its own: that is compact, and `memory`
/// is written from its start to its end.
fn lay_out(memory: &mut [usize]) {
    let mut next: Vec<u32> = (0..).take(memory.len() / LINE).collect();
    let mut random = Random::new();
    for last in (1..next.len()).rev() {
        next.swap(last, random.below(last));
    }
    for (line, next) in memory.chunks_exact_mut(LINE).zip(next) {
        line[0] = next as usize * LINE;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;
    use super::*;

    #[test]
    fn a_walk_comes_by_every_line_before_it_starts_again() {
        let mut memory = vec![usize::MAX; 1000 * LINE];
        lay_out(&mut memory);
        let mut met = vec![false; 1000];
        let end = (0..1000).fold(0, |at, _| {
            met[at / LINE] = true;
            memory[at]
        });
        assert_eq!(end, 0);
        assert!(met.into_iter().all(|met| met));
    }

    #[test]
    fn farther_memory_takes_longer() {
        let [near, far] = ["latency-4k", "latency-16m"].map(|name| measured(name, 100_000));
        assert!(near.elapsed_ns < far.elapsed_ns, "{near:?} {far:?}");
    }
}
