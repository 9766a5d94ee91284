//! What is promised of intervals and verdicts, over many seeds: a promise of 95 % is kept by
//! 95 of a hundred seeds, give or take what so many throws of a coin leave to chance.

use super::noise::{Noise, SHAPES, Shape};
use super::ratio::{Estimate, Verdict};

const SEEDS: u64 = 4000;
const SIZES: [usize; 5] = [6, 10, 20, 30, 100];
/// Four standard deviations of the share of `SEEDS` that a chance of 95 % makes.
const CHANCE: f64 = 4.0 * 0.003_446;

/// `rounds` pairs of runs that cost `ratio` to 1, both lengthened by `shape`.
fn pairs(noise: &mut Noise, shape: Shape, rounds: usize, ratio: f64) -> Vec<(f64, f64)> {
    let mut pair = || (ratio * shape(noise), shape(noise));
    (0..rounds).map(|_| pair()).collect()
}

/// In which share of the seeds `holds`.
fn share(holds: impl Fn(&mut Noise) -> bool) -> f64 {
    let seeds = (0..SEEDS).map(Noise::seeded);
    seeds
        .filter_map(|mut noise| holds(&mut noise).then_some(()))
        .count() as f64
        / SEEDS as f64
}

fn holds(estimate: &Estimate, truth: f64) -> bool {
    let (least, most) = estimate.interval.unwrap();
    least <= truth && truth <= most
}

#[test]
fn an_interval_of_pairs_holds_the_true_ratio_in_95_of_a_hundred_seeds() {
    for (name, shape) in SHAPES {
        for rounds in SIZES {
            let share = share(|noise| {
                let pairs = pairs(noise, shape, rounds, 1.7);
                holds(&Estimate::paired(pairs).unwrap(), 1.7)
            });
            println!("{name}, {rounds} rounds: {share:.3}");
            assert!((share - 0.95).abs() < CHANCE, "{name}, {rounds}: {share}");
        }
    }
}

#[test]
fn an_interval_of_pairs_of_unlike_noise_holds_the_true_median() {
    // Skewed over steady, whose true median is known.
    let truth = 1.0 + 0.3 * 2.0_f64.ln();
    for rounds in SIZES {
        let share = share(|noise| {
            let pairs = (0..rounds).map(|_| (1.0 + noise.exponential(0.3), 1.0));
            holds(&Estimate::paired(pairs).unwrap(), truth)
        });
        println!("unlike, {rounds} rounds: {share:.3}");
        assert!((share - 0.95).abs() < CHANCE, "{rounds}: {share}");
    }
}

#[test]
fn an_interval_of_what_was_measured_apart_holds_it_in_95_of_a_hundred_at_least() {
    for (name, shape) in SHAPES {
        for rounds in SIZES {
            let share = share(|noise| {
                let (after, before): (Vec<f64>, Vec<f64>) =
                    pairs(noise, shape, rounds, 1.7).into_iter().unzip();
                holds(&Estimate::unpaired(&after, &before).unwrap(), 1.7)
            });
            println!("{name}, {rounds} apart: {share:.3}");
            assert!(share > 0.95 - CHANCE, "{name}, {rounds}: {share}");
            assert!(share < 0.99, "{name}, {rounds}: {share}");
        }
    }
}

#[test]
fn the_same_twice_is_no_difference_in_95_of_a_hundred_seeds() {
    for (name, shape) in SHAPES {
        let share = share(|noise| {
            let ratio = Estimate::paired(pairs(noise, shape, 30, 1.0)).unwrap();
            ratio.judged(None).verdict == Verdict::NoDifference
        });
        assert!((share - 0.95).abs() < CHANCE, "{name}: {share}");
    }
}

#[test]
fn beside_a_control_the_same_is_no_difference_more_often_still() {
    for (name, shape) in SHAPES {
        let share = share(|noise| {
            let control = Estimate::paired(pairs(noise, shape, 30, 1.0)).unwrap();
            let ratio = Estimate::paired(pairs(noise, shape, 30, 1.0)).unwrap();
            ratio.judged(control.noise()).verdict == Verdict::NoDifference
        });
        println!("{name}, no difference beside a control: {share:.4}");
        assert!(share > 0.99, "{name}: {share}");
    }
}

#[test]
fn a_tenth_more_is_found_through_noise_of_a_fiftieth() {
    let share = share(|noise| {
        let shape: Shape = |noise| 1.0 + noise.normal(0.02);
        let control = Estimate::paired(pairs(noise, shape, 30, 1.0)).unwrap();
        let ratio = Estimate::paired(pairs(noise, shape, 30, 1.1)).unwrap();
        ratio.judged(control.noise()).verdict == Verdict::Dearer
    });
    assert!(share > 0.999, "{share}");
}

/// Slow drift of the machine, which pairs share: 40 % over the rounds.
#[test]
fn a_drift_of_the_machine_leaves_the_interval_of_pairs_right() {
    let share = share(|noise| {
        let drift = |round: u32| 1.0 + 0.4 * f64::from(round) / 30.0;
        let pairs = (0..30).map(|round| {
            let [of, to] = [0.0; 2].map(|_: f64| drift(round) * noise.lognormal(0.05));
            (1.7 * of, to)
        });
        holds(&Estimate::paired(pairs).unwrap(), 1.7)
    });
    assert!((share - 0.95).abs() < CHANCE, "{share}");
}
