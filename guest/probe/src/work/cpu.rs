//! Arithmetic alone: no memory and no kernel. What came of it is known beforehand.

use std::hint::black_box;

use wire::Measured;

use super::failure::Failure;
use super::place::Place;
use super::watch::Watch;

/// The steps of an operation, each of which needs the one before.
const STEPS: u64 = 1000;

/// Of the congruential generator `x ← a·x + c` (Knuth's MMIX).
const FACTOR: u64 = 6_364_136_223_846_793_005;
const TERM: u64 = 1_442_695_040_888_963_407;

/// A thousand multiplications and additions of integers.
pub fn integer(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    // A compiler that knew them would take many steps at once.
    let (factor, term) = black_box((FACTOR, TERM));
    let mut number = 1_u64;
    let watch = Watch::start();
    for _ in 0..operations {
        number = (0..STEPS).fold(black_box(number), |number, _| {
            number.wrapping_mul(factor).wrapping_add(term)
        });
    }
    let measured = watch.stop(operations);
    match number == stepped(1, operations.wrapping_mul(STEPS)) {
        true => Ok(measured),
        false => Err(Failure::Wrong("integers were multiplied wrongly")),
    }
}

/// The number after so many steps from `number`, without going them: a step twice over is a step
/// again, with another factor and term.
fn stepped(number: u64, mut steps: u64) -> u64 {
    let (mut number, mut factor, mut term) = (number, FACTOR, TERM);
    while steps > 0 {
        if steps % 2 == 1 {
            number = number.wrapping_mul(factor).wrapping_add(term);
        }
        term = term.wrapping_mul(factor.wrapping_add(1));
        factor = factor.wrapping_mul(factor);
        steps /= 2;
    }
    number
}

/// The cosine and the sine of an angle: 4/5 and 3/5.
const COS: f64 = 0.8;
const SIN: f64 = 0.6;

/// A thousand turns of a vector by the same angle, four multiplications and two additions each.
pub fn float(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let mut vector = (1.0_f64, 0.0_f64);
    let watch = Watch::start();
    for _ in 0..operations {
        vector = (0..STEPS).fold(black_box(vector), |(x, y), _| {
            (x * COS - y * SIN, x * SIN + y * COS)
        });
    }
    let measured = watch.stop(operations);
    // Turning changes no length, but for what is rounded away.
    let (x, y) = vector;
    match (x * x + y * y - 1.0).abs() < 1e-3 {
        true => Ok(measured),
        false => Err(Failure::Wrong("numbers were multiplied wrongly")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;
    use super::*;

    #[test]
    fn what_must_come_of_it_comes_of_it() {
        let gone = (0..999).fold(1_u64, |number, _| {
            number.wrapping_mul(FACTOR).wrapping_add(TERM)
        });
        assert_eq!(stepped(1, 999), gone);
        assert_ne!(stepped(1, 998), gone);
        measured("cpu-integer", 3);
        measured("cpu-float", 3);
    }
}
