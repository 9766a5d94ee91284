//! Where a median lies in 95 of a hundred repetitions, whatever the distribution is.

use super::Sorted;

/// How often an interval holds the true median.
pub const CONFIDENCE: f64 = 0.95;
/// Fewer figures have no interval: even the least and the most of five hold the true median
/// between them in less than 95 of a hundred repetitions.
pub const FEWEST: usize = 6;

/// Where the median of what `sorted` was drawn from lies; `None` below [`FEWEST`].
///
/// The figure at rank *d* and its mirror hold the median between them unless fewer than *d* of
/// *n* figures came to lie on one side of it, whose chance is that of *n* throws of a coin. No
/// rank has just 95 %: the interval lies between that of the last one with more and that of the
/// first one with less (Hettmansperger and Sheather 1986). The percentiles of the bootstrap
/// are ranks too, but with 87 to 97 % for up to 15 figures (docs/benchmarking.md).
pub fn of_median(sorted: &Sorted) -> Option<(f64, f64)> {
    let figures = sorted.figures();
    let ranks = ranks(figures.len())?;
    let from = |at: &dyn Fn(usize) -> f64| {
        let (outer, inner) = (at(ranks.outer), at(ranks.outer + 1));
        outer + (inner - outer) * ranks.inward
    };
    let least = from(&|rank| figures[rank - 1]);
    let most = from(&|rank| figures[figures.len() - rank]);
    Some((least, most))
}

/// Where the difference of the medians of two lies that were drawn apart: that of `of` less
/// that of `to`.
///
/// From the interval of each (Zou and Donner 2008): at either end the distances to the ends that
/// count there add up as squares.
pub fn of_difference(of: &Sorted, to: &Sorted) -> Option<(f64, f64)> {
    let (of_least, of_most) = of_median(of)?;
    let (to_least, to_most) = of_median(to)?;
    let difference = of.median() - to.median();
    let down = (of.median() - of_least).hypot(to_most - to.median());
    let up = (of_most - of.median()).hypot(to.median() - to_least);
    Some((difference - down, difference + up))
}

/// Between which ranks an interval begins; it ends at their mirror.
struct Ranks {
    /// The last rank from outside that has enough confidence.
    outer: usize,
    /// How far it lies towards the next one: 0 at `outer`, 1 at the next.
    inward: f64,
}

fn ranks(count: usize) -> Option<Ranks> {
    if count < FEWEST {
        return None;
    }
    let mut chance = 0.0;
    for (outer, next) in coin(count).enumerate() {
        let here: f64 = 1.0 - 2.0 * chance;
        chance += next;
        let inside = 1.0 - 2.0 * chance;
        if inside < CONFIDENCE {
            let part = (here - CONFIDENCE) / (here - inside);
            let (outer_f, count) = (outer as f64, count as f64);
            let inward = (count - outer_f) * part / (outer_f + (count - 2.0 * outer_f) * part);
            return Some(Ranks { outer, inward });
        }
    }
    None
}

/// The chances of 0, 1, 2 … heads in `count` throws.
fn coin(count: usize) -> impl Iterator<Item = f64> {
    // As logarithms: the first is less than any f64 from 1075 throws on.
    let none = -(count as f64) * std::f64::consts::LN_2;
    let next = move |(heads, chance): &(usize, f64)| {
        let heads = heads + 1;
        let more = (count + 1 - heads) as f64 / heads as f64;
        Some((heads, chance + more.ln()))
    };
    std::iter::successors(Some((0, none)), next)
        .take(count + 1)
        .map(|(_, chance)| chance.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: u32) -> Sorted {
        Sorted::of((1..=count).map(f64::from).collect()).unwrap()
    }

    #[test]
    fn no_interval_is_claimed_below_six_figures() {
        assert_eq!(of_median(&counted(1)), None);
        assert_eq!(of_median(&counted(5)), None);
        assert!(of_median(&counted(6)).is_some());
    }

    #[test]
    fn ten_figures_have_the_interval_of_the_published_rule() {
        // Ranks 2 and 9 have 97.85 %, 3 and 8 have 89.06 %: part 0.3245 of the way by chance,
        // which is part 0.6577 by rank.
        let (least, most) = of_median(&counted(10)).unwrap();
        assert!((least - 2.6577).abs() < 1e-3, "{least}");
        assert!((most - 8.3423).abs() < 1e-3, "{most}");
    }

    #[test]
    fn many_figures_have_the_ranks_of_the_normal_approximation() {
        let (least, most) = of_median(&counted(100_000)).unwrap();
        let half = 1.96 * 100_000_f64.sqrt() / 2.0;
        assert!((least - (50_000.5 - half)).abs() < 1.0, "{least}");
        assert!((most - (50_000.5 + half)).abs() < 1.0, "{most}");
    }

    #[test]
    fn the_chances_of_a_coin_sum_up_to_one() {
        for count in [6, 100, 5000] {
            assert!((coin(count).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_figures_have_an_interval_without_a_width() {
        let equal = Sorted::of(vec![3.0; 30]).unwrap();
        assert_eq!(of_median(&equal), Some((3.0, 3.0)));
        assert_eq!(of_difference(&equal, &equal), Some((0.0, 0.0)));
    }
}
