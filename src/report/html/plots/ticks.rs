//! Where an axis has its marks: round figures, and not too many.

use crate::bench::workload::Unit;

/// The most marks on an axis.
const MOST: usize = 5;

/// Round figures in `unit` from `low` to `high`, both above 0, on a logarithmic axis.
pub(super) fn of_unit(unit: Unit, low: f64, high: f64) -> Vec<f64> {
    let rate = |figure: f64| 1e9 / figure;
    let mut ticks = match unit {
        Unit::Nanoseconds | Unit::Count => logarithmic(low, high),
        Unit::Bytes => binary(low, high),
        // A reader sees bytes for a second: they are to be round.
        Unit::NanosecondsPerByte => binary(rate(high), rate(low))
            .into_iter()
            .map(rate)
            .collect(),
    };
    ticks.sort_by(f64::total_cmp);
    ticks
}

/// What stands at a mark: round figures need no decimals.
pub(super) fn label(unit: Unit, tick: f64) -> String {
    if tick == 0.0 {
        return "0".to_owned();
    }
    let shown = unit.show(tick);
    let (figure, name) = shown.split_once(' ').unwrap_or((&shown, ""));
    format!("{} {name}", trimmed(figure))
}

/// What stands at a mark of factors. A sum of steps is not quite round: `0.1 + 0.2`.
pub(super) fn factor(tick: f64) -> String {
    format!("×{}", trimmed(&format!("{tick:.9}")))
}

/// `figure` without decimals that are 0.
fn trimmed(figure: &str) -> &str {
    match figure.contains('.') {
        true => figure.trim_end_matches('0').trim_end_matches('.'),
        false => figure,
    }
}

/// As [`logarithmic`], in the greatest power of 1024 that is not above `high`.
fn binary(low: f64, high: f64) -> Vec<f64> {
    let scale = 1024_f64.powf(high.log2().div_euclid(10.0));
    let ticks = logarithmic(low / scale, high / scale).into_iter();
    ticks.map(|tick| tick * scale).collect()
}

/// Round figures from `low` to `high`: 1, 2 and 5 times a power of ten where there is room for
/// three, and even steps else.
pub(super) fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let powers = decade(low)..=decade(high);
    let of = |steps: &'static [f64]| -> Vec<f64> {
        let figures = powers
            .clone()
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        figures
            .filter(|figure| (low..=high).contains(figure))
            .collect()
    };
    let choices = [of(&[1.0, 2.0, 5.0]), of(&[1.0, 3.0]), of(&[1.0])];
    match choices.iter().find(|figures| figures.len() <= MOST) {
        Some(figures) if figures.len() >= 3 => figures.clone(),
        Some(_) => linear(low, high),
        None => thinned(&choices[2]),
    }
}

/// Every so many of them, that few are left.
fn thinned(figures: &[f64]) -> Vec<f64> {
    let step = figures.len().div_ceil(MOST);
    figures.iter().step_by(step).copied().collect()
}

/// Even steps of a round width from `low` to `high`.
pub(super) fn linear(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    if !(rough.is_normal() && rough > 0.0) {
        return vec![low];
    }
    let power = 10_f64.powi(decade(rough));
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil();
    let all = (0..=MOST).map(|index| (first + index_as_f64(index)) * step);
    all.take_while(|figure| *figure <= high).collect()
}

fn index_as_f64(index: usize) -> f64 {
    u32::try_from(index).map_or(f64::MAX, f64::from)
}

/// The power of ten that is not above `figure`.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a double's exponent has three digits"
)]
fn decade(figure: f64) -> i32 {
    figure.log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(unit: Unit, low: f64, high: f64) -> Vec<String> {
        let ticks = of_unit(unit, low, high);
        ticks.into_iter().map(|tick| label(unit, tick)).collect()
    }

    #[test]
    fn marks_are_round_figures() {
        let nanoseconds = |low, high| shown(Unit::Nanoseconds, low, high);
        assert_eq!(nanoseconds(900.0, 11e3), ["1 µs", "2 µs", "5 µs", "10 µs"]);
        assert_eq!(nanoseconds(68.2, 74.1), ["70 ns", "72 ns", "74 ns"]);
    }

    #[test]
    fn factors_are_round() {
        let shown: Vec<String> = logarithmic(0.09, 11.0).into_iter().map(factor).collect();
        assert_eq!(shown, ["×0.1", "×0.3", "×1", "×3", "×10"]);
        let shown: Vec<String> = linear(0.1, 0.5).into_iter().map(factor).collect();
        assert_eq!(shown, ["×0.1", "×0.2", "×0.3", "×0.4", "×0.5"]);
    }

    #[test]
    fn a_rate_is_round_as_it_is_read() {
        let shown = shown(Unit::NanosecondsPerByte, 0.1, 0.2);
        assert_eq!(shown, ["8 GiB/s", "6 GiB/s"]);
    }

    #[test]
    fn wide_ranges_have_few_marks() {
        for high in [1e3, 1e6, 1e12, 1e300] {
            let count = logarithmic(1.0, high).len();
            assert!((3..=MOST + 1).contains(&count), "{high:e}: {count}");
        }
    }

    #[test]
    fn a_range_without_width_has_one_mark() {
        assert_eq!(logarithmic(7.0, 7.0), [7.0]);
    }
}
