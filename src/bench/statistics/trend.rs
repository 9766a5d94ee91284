//! Whether figures rise or fall from round to round.

use super::Sorted;

/// Beyond this many standard deviations a trend is none of chance: one in a thousand would be.
const SURE: f64 = 3.29;
/// Below this many figures not even a perfect order goes beyond [`SURE`].
const FEWEST: usize = 12;

/// How many times the first third the last third of `figures` is, by their medians; `None` if
/// their order may be chance. The test is Spearman's correlation of ranks with the order, whose
/// standard deviation without a trend is 1/√(n−1).
pub fn of(figures: &[f64]) -> Option<f64> {
    let count = figures.len();
    if count < FEWEST {
        return None;
    }
    let deviations = correlation(figures) * (count as f64 - 1.0).sqrt();
    let median = |part: &[f64]| Sorted::of(part.to_vec()).map(|sorted| sorted.median());
    let first = median(&figures[..count / 3])?;
    let last = median(&figures[count - count / 3..])?;
    (deviations.abs() > SURE && first > 0.0).then_some(last / first)
}

/// The correlation of the ranks of `figures` with their order; 0 if all are equal.
fn correlation(figures: &[f64]) -> f64 {
    let middle = (figures.len() as f64 - 1.0) / 2.0;
    let [mut together, mut by_rank, mut by_order] = [0.0; 3];
    for (order, rank) in ranks(figures).into_iter().enumerate() {
        let (order, rank) = (order as f64 - middle, rank - middle);
        together += order * rank;
        by_rank += rank * rank;
        by_order += order * order;
    }
    match by_rank {
        0.0 => 0.0,
        by_rank => together / (by_rank * by_order).sqrt(),
    }
}

/// The rank of each, from 0; equal ones share the middle of theirs.
fn ranks(figures: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..figures.len()).collect();
    order.sort_by(|a, b| figures[*a].total_cmp(&figures[*b]));
    let mut ranks = vec![0.0; figures.len()];
    let mut below = 0;
    for equal in order.chunk_by(|a, b| figures[*a] == figures[*b]) {
        let shared = below as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|place| ranks[*place] = shared);
        below += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::statistics::noise::Noise;

    #[test]
    fn equal_figures_share_the_middle_of_their_ranks() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 9.0]), [1.5, 0.0, 1.5, 3.0]);
    }

    #[test]
    fn what_gets_faster_from_round_to_round_is_a_trend() {
        let falling: Vec<f64> = (0..30).map(|round| 200.0 - f64::from(round)).collect();
        let factor = of(&falling).unwrap();
        assert!((factor - 175.5 / 195.5).abs() < 1e-12, "{factor}");
    }

    #[test]
    fn equal_figures_have_no_trend() {
        assert_eq!(of(&[4.0; 30]), None);
    }

    #[test]
    fn chance_alone_makes_a_trend_once_in_a_thousand() {
        let trends = (0..5000).filter(|seed| {
            let mut noise = Noise::seeded(*seed);
            let figures: Vec<f64> = (0..30).map(|_| noise.lognormal(0.3)).collect();
            of(&figures).is_some()
        });
        assert!(trends.count() <= 15);
    }
}
