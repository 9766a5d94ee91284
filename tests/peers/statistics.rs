//! Medians, and how sure a ratio of two of them is.

/// How often the rounds are drawn anew for an interval.
const RESAMPLES: usize = 2000;

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The median of `ours` over that of `theirs`, and its 95 % interval by a bootstrap over
/// rounds: both values of a round are drawn together, as they saw the same machine.
pub fn ratio_interval(ours: &[f64], theirs: &[f64]) -> (f64, f64, f64) {
    let rounds = ours.len().min(theirs.len());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..rounds).map(|_| random.below(rounds)).collect();
            let of = |values: &[f64]| {
                median(&drawn.iter().map(|round| values[*round]).collect::<Vec<_>>())
            };
            of(ours) / of(theirs)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: usize| ratios[RESAMPLES * share / 1000];
    (median(ours) / median(theirs), at(25), at(975))
}

/// Orders for the rounds.
pub struct Shuffle(Random);

impl Shuffle {
    pub fn new(seed: u64) -> Self {
        Self(Random(seed | 1))
    }

    /// The numbers below `count` in a random order (Fisher and Yates).
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.0.below(last + 1));
        }
        order
    }
}

/// xorshift64*, good enough to draw rounds.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % limit.max(1)
    }
}
