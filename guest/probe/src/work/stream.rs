//! Memory bandwidth: the four kernels of STREAM (McCalpin 1995), on one CPU.
//!
//! Three arrays of 64 MiB are more than the caches of most machines; where they are not, it is
//! those that are measured, behind every wall alike.

use std::hint::black_box;

use wire::Measured;

use super::failure::Failure;
use super::mapping::{Mapping, Pages};
use super::place::Place;
use super::watch::Watch;

/// Of an array, in bytes.
const ARRAY: usize = 64 << 20;
/// What an operation does of each array, in bytes.
const BLOCK: usize = 1 << 20;
/// That of STREAM.
const SCALAR: f64 = 3.0;

/// `c = a`
pub fn copy(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    stream(operations, 2, 1.0, |[a, _, c]| c.copy_from_slice(a))
}

/// `c = s · a`
pub fn scale(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    stream(operations, 2, 3.0, |[a, _, c]| {
        c.iter_mut().zip(a).for_each(|(c, a)| *c = SCALAR * *a);
    })
}

/// `c = a + b`
pub fn add(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    stream(operations, 3, 3.0, |[a, b, c]| {
        let sources = a.iter().zip(b);
        c.iter_mut()
            .zip(sources)
            .for_each(|(c, (a, b))| *c = *a + *b);
    })
}

/// `c = a + s · b`
pub fn triad(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    stream(operations, 3, 7.0, |[a, b, c]| {
        let sources = a.iter().zip(b);
        c.iter_mut()
            .zip(sources)
            .for_each(|(c, (a, b))| *c = *a + SCALAR * *b);
    })
}

/// The same block of each array.
type Block<'a> = [&'a mut [f64]; 3];

/// Does `kernel` block after block, which reads or writes so many `arrays` and leaves `expected`.
fn stream(
    operations: u64,
    arrays: u64,
    expected: f64,
    kernel: impl Fn(Block<'_>),
) -> Result<Measured, Failure> {
    let mut mapping = Mapping::new(3 * ARRAY, Pages::HugeIfAny)?;
    let numbers = mapping.numbers();
    let (a, rest) = numbers.split_at_mut(ARRAY / size_of::<f64>());
    let (b, c) = rest.split_at_mut(ARRAY / size_of::<f64>());
    [&mut *a, &mut *b, &mut *c]
        .into_iter()
        .zip([1.0, 2.0, 0.0])
        .for_each(|(array, number)| array.fill(number));
    let mut left = operations;
    let watch = Watch::start();
    while left > 0 {
        let blocks = blocks(a).zip(blocks(b)).zip(blocks(c));
        let now = blocks.take(usize::try_from(left).unwrap_or(usize::MAX));
        for ((a, b), c) in now {
            kernel(black_box([a, b, c]));
            left -= 1;
        }
    }
    let measured = watch.stop(operations);
    match c.first() == Some(&expected) {
        true => Ok(Measured {
            bytes: operations * arrays * BLOCK as u64,
            ..measured
        }),
        false => Err(Failure::Wrong("numbers were added up wrongly")),
    }
}

fn blocks(array: &mut [f64]) -> impl Iterator<Item = &mut [f64]> {
    array.chunks_exact_mut(BLOCK / size_of::<f64>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn bytes_are_counted_as_stream_counts_them() {
        assert_eq!(measured("stream-copy", 2).bytes, 4 << 20);
        assert_eq!(measured("stream-scale", 1).bytes, 2 << 20);
        assert_eq!(measured("stream-add", 1).bytes, 3 << 20);
        assert_eq!(measured("stream-triad", 65).bytes, 65 * (3 << 20));
    }
}
