//! Noise of known distributions, for tests; the same seed makes the same.

use std::f64::consts::TAU;

/// Draws figures.
pub struct Noise(fastrand::Rng);

/// A factor by which noise lengthens a run.
pub type Shape = fn(&mut Noise) -> f64;

/// What runs are lengthened by: evenly, skewed, with a tail, or by a second mode.
pub const SHAPES: [(&str, Shape); 4] = [
    ("normal", |noise| 1.0 + noise.normal(0.05)),
    ("lognormal", |noise| noise.lognormal(0.3)),
    ("exponential", |noise| 1.0 + noise.exponential(0.3)),
    ("bimodal", Noise::bimodal),
];

impl Noise {
    /// Draws from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Around 0, by Box and Muller.
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        deviation * radius * (TAU * self.0.f64()).cos()
    }

    /// Its logarithm is normal around 0.
    pub fn lognormal(&mut self, deviation: f64) -> f64 {
        self.normal(deviation).exp()
    }

    /// Above 0.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.0.f64()).ln()
    }

    /// Around 1, and around 1.3 in three of ten.
    pub fn bimodal(&mut self) -> f64 {
        let mode = if self.0.f64() < 0.7 { 1.0 } else { 1.3 };
        mode + self.normal(0.01)
    }
}
