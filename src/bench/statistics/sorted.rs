//! Figures in their order: quantiles, the distance from the median, and what lies far outside.

/// A modified z-score beyond this lies far outside (Iglewicz and Hoaglin 1993).
const FAR: f64 = 3.5;
/// Of normal figures, the median distance from the median in standard deviations.
const MEDIAN_DISTANCE: f64 = 0.6745;
/// Of normal figures, the mean distance from the median in standard deviations.
const MEAN_DISTANCE: f64 = 0.7979;

/// The distribution of some figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Half are less.
    pub median: f64,
    /// 95 in a hundred are less.
    pub p95: f64,
    /// 99 in a hundred are less.
    pub p99: f64,
    /// Median of the distances from the median.
    pub mad: f64,
    /// Least.
    pub least: f64,
    /// Most.
    pub most: f64,
    /// Those far outside (kept in everything above).
    pub outliers: usize,
}

/// At least one figure, the least first.
#[derive(Clone, Debug, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts `figures`; `None` if there are none.
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        (!figures.is_empty()).then_some(Self(figures))
    }

    /// The figures.
    pub fn figures(&self) -> &[f64] {
        &self.0
    }

    /// What the part `p` (0 to 1) of the figures is less than: between the two figures next to
    /// that place in proportion, the least being at 0 and the most at 1 (type 7 of Hyndman and
    /// Fan 1996, as R and NumPy have it).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the place lies between 0 and the last index"
    )]
    pub fn quantile(&self, p: f64) -> f64 {
        let last = self.0.len() - 1;
        let place = p.clamp(0.0, 1.0) * last as f64;
        let below = self.0[place as usize];
        let above = self.0[(place.ceil() as usize).min(last)];
        below + (above - below) * place.fract()
    }

    /// Half are less.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// All that is told of their distribution.
    pub fn spread(&self) -> Spread {
        let distances = self.distances();
        Spread {
            count: self.0.len(),
            median: self.median(),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            mad: distances.median(),
            least: self.quantile(0.0),
            most: self.quantile(1.0),
            outliers: distances.far(),
        }
    }

    /// How far each is from the median.
    fn distances(&self) -> Self {
        let median = self.median();
        let mut distances: Vec<f64> = self
            .0
            .iter()
            .map(|figure| (figure - median).abs())
            .collect();
        distances.sort_by(f64::total_cmp);
        Self(distances)
    }

    /// Of distances from a median: how many are far.
    fn far(&self) -> usize {
        let limit = FAR * self.deviation();
        self.0.len() - self.0.partition_point(|distance| *distance <= limit)
    }

    /// Of distances from a median: the standard deviation that normal figures would have. Where
    /// more than half are equal, as a coarse clock makes them, the median distance is 0 and says
    /// nothing; there the mean has to do.
    fn deviation(&self) -> f64 {
        match self.median() {
            0.0 => self.0.iter().sum::<f64>() / self.0.len() as f64 / MEAN_DISTANCE,
            median => median / MEDIAN_DISTANCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(figures: &[f64]) -> Sorted {
        Sorted::of(figures.to_vec()).unwrap()
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours_in_proportion() {
        let figures = sorted(&[40.0, 10.0, 30.0, 20.0]);
        let quantiles = [0.0, 0.25, 0.5, 0.95, 1.0].map(|p| figures.quantile(p));
        assert_eq!(quantiles, [10.0, 17.5, 25.0, 38.5, 40.0]);
    }

    #[test]
    fn one_figure_is_every_quantile_and_none_has_none() {
        assert_eq!(sorted(&[7.0]).quantile(0.99), 7.0);
        assert_eq!(Sorted::of(Vec::new()), None);
    }

    #[test]
    fn what_lies_far_outside_is_counted_and_kept() {
        let spread = sorted(&[10.0, 11.0, 12.0, 13.0, 14.0, 1000.0]).spread();
        assert_eq!((spread.count, spread.outliers), (6, 1));
        assert_eq!(
            (spread.median, spread.mad, spread.most),
            (12.5, 1.5, 1000.0)
        );
    }

    #[test]
    fn the_limit_is_a_modified_z_score_of_three_and_a_half() {
        // Median 3 and MAD 1: 3.5 is at a distance of 5.189.
        let of = |last: f64| sorted(&[1.0, 2.0, 3.0, 4.0, last]).spread().outliers;
        assert_eq!((of(3.0 + 5.18), of(3.0 + 5.20)), (0, 1));
    }

    #[test]
    fn a_coarse_clock_makes_no_outliers_of_its_next_tick() {
        let mut figures = vec![5.0; 60];
        figures.extend([6.0; 40]);
        assert_eq!(sorted(&figures).spread().outliers, 0);
        figures.push(50.0);
        assert_eq!(sorted(&figures).spread().outliers, 1);
    }
}
