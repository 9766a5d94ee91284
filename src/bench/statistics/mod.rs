//! Samples become medians, and ratios with their intervals. It knows figures, and no wall.
//!
//! - [`sorted`]: quantiles, the distance from the median, and what lies far outside
//! - [`interval`]: where a median lies in 95 of a hundred repetitions
//! - [`ratio`]: how many times one is the other, and what that is worth
//! - [`trend`]: whether figures rise or fall from round to round
//!
//! Everything is at most a sort of its figures.

pub mod interval;
#[cfg(test)]
pub(crate) mod noise;
pub mod ratio;
pub mod sorted;
#[cfg(test)]
mod tests;
pub mod trend;

pub use ratio::{Ratio, Verdict};
pub use sorted::{Sorted, Spread};
