//! How many times one is the other, and what that is worth.

use super::{Sorted, interval};

/// How many times the cost of the first target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median over paired rounds.
    pub value: f64,
    /// Where it lies in 95 of a hundred repetitions; `None` where there are too few rounds.
    pub interval: Option<(f64, f64)>,
    /// What it is worth.
    pub verdict: Verdict,
}

/// What a ratio is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It costs more.
    Dearer,
    /// It costs less.
    Cheaper,
    /// Its interval includes 1, or it lies inside of what the control shows to be noise.
    NoDifference,
    /// Too few rounds to say anything.
    TooFew,
}

/// A ratio before it is judged: its value, and the interval where there are figures enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Where it lies in 95 of a hundred repetitions.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Of what was measured in pairs, each `(of it, of what it is compared with)`: the median of
    /// their ratios. What both of a pair share, such as a processor that clocks lower for a
    /// while, cancels out. Of logarithms, so that twice as much and half as much weigh the same;
    /// a pair with a figure of 0 has no ratio and is left out.
    pub fn paired(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let pairs = pairs.into_iter().filter(|(of, to)| *of > 0.0 && *to > 0.0);
        let ratios = Sorted::of(pairs.map(|(of, to)| of.ln() - to.ln()).collect())?;
        Some(Self {
            value: ratios.median().exp(),
            interval: interval::of_median(&ratios).map(exp),
        })
    }

    /// Of what was measured apart: the ratio of the medians.
    pub fn unpaired(of: &[f64], to: &[f64]) -> Option<Self> {
        let [of, to] = [logarithms(of)?, logarithms(to)?];
        Some(Self {
            value: (of.median() - to.median()).exp(),
            interval: interval::of_difference(&of, &to).map(exp),
        })
    }

    /// The factor, of at least 1, that it has at the far end of its interval: if the two are the
    /// same, that much is made by chance.
    pub fn noise(&self) -> Option<f64> {
        self.interval.map(|(least, most)| most.max(1.0 / least))
    }

    /// Says what it is worth where `noise` is made by chance.
    pub fn judged(self, noise: Option<f64>) -> Ratio {
        Ratio {
            value: self.value,
            interval: self.interval,
            verdict: self.verdict(noise.unwrap_or(1.0)),
        }
    }

    fn verdict(&self, noise: f64) -> Verdict {
        let Some((least, most)) = self.interval else {
            return Verdict::TooFew;
        };
        let is_noise = self.value.max(1.0 / self.value) <= noise;
        if is_noise || (least <= 1.0 && most >= 1.0) {
            Verdict::NoDifference
        } else if least > 1.0 {
            Verdict::Dearer
        } else {
            Verdict::Cheaper
        }
    }
}

/// Those of `figures` that have one.
fn logarithms(figures: &[f64]) -> Option<Sorted> {
    let positive = figures.iter().filter(|figure| **figure > 0.0);
    Sorted::of(positive.map(|figure| figure.ln()).collect())
}

fn exp((least, most): (f64, f64)) -> (f64, f64) {
    (least.exp(), most.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, least: f64, most: f64) -> Estimate {
        Estimate {
            value,
            interval: Some((least, most)),
        }
    }

    #[test]
    fn what_a_pair_shares_cancels_out() {
        let drifting = (1..=30).map(f64::from);
        let ratio = Estimate::paired(drifting.map(|slow| (3.0 * slow, slow))).unwrap();
        let (least, most) = ratio.interval.unwrap();
        for found in [ratio.value, least, most] {
            assert!((found - 3.0).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn a_pair_with_a_figure_of_zero_has_no_ratio() {
        let ratio = Estimate::paired([(0.0, 1.0), (4.0, 2.0), (1.0, 0.0)]).unwrap();
        assert_eq!((ratio.value, ratio.interval), (2.0, None));
        assert_eq!(Estimate::paired([(0.0, 0.0)]), None);
        assert_eq!(Estimate::unpaired(&[0.0], &[1.0]), None);
    }

    #[test]
    fn too_few_rounds_have_no_winner() {
        let ratio = Estimate::paired([(9.0, 1.0); 5]).unwrap().judged(None);
        assert_eq!((ratio.interval, ratio.verdict), (None, Verdict::TooFew));
    }

    #[test]
    fn an_interval_that_includes_one_is_no_difference() {
        let verdict = |least, most| estimate(1.1, least, most).judged(None).verdict;
        assert_eq!(verdict(0.99, 1.3), Verdict::NoDifference);
        assert_eq!(verdict(1.0, 1.3), Verdict::NoDifference);
        assert_eq!(verdict(1.01, 1.3), Verdict::Dearer);
    }

    #[test]
    fn what_is_less_than_the_noise_is_no_difference() {
        let verdict = |value: f64| {
            let around = estimate(value, value * 0.999, value * 1.001);
            around.judged(Some(1.05)).verdict
        };
        assert_eq!(verdict(1.04), Verdict::NoDifference);
        assert_eq!(verdict(0.96), Verdict::NoDifference);
        assert_eq!(verdict(1.06), Verdict::Dearer);
        assert_eq!(verdict(0.94), Verdict::Cheaper);
    }

    #[test]
    fn noise_is_the_far_end_of_the_control_s_interval() {
        assert_eq!(estimate(1.0, 0.5, 1.1).noise(), Some(2.0));
        assert_eq!(estimate(1.0, 0.9, 1.25).noise(), Some(1.25));
    }
}
