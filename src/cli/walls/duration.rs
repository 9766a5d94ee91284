//! Durations as they are typed.

use std::time::Duration;

/// Ten years: what is longer has no end, and is no number of the kernel's either.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// What a number can be followed by, and how many seconds that is.
const UNITS: [(&str, f64); 5] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("", 1.0),
];

/// A number of seconds, or one with a suffix.
pub fn duration(text: &str) -> Result<Duration, String> {
    let found = UNITS.iter().find_map(|(suffix, seconds)| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        Some(number * seconds)
    });
    let seconds = found.ok_or("use seconds, or a suffix, as in 500ms, 90s, 3m or 1h")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ if seconds > 0.0 => Err("ten years is the longest".to_owned()),
        _ => Err("use a number of seconds that is not negative".to_owned()),
    }
}

/// As [`duration`], and some time.
pub fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("no time at all".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_suffix_or_is_in_seconds() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs_f64());
        let all = ["500ms", "90", "90s", "1.5m", "2h", "0"].map(|text| seconds(text).unwrap());
        assert_eq!(all, [0.5, 90.0, 90.0, 90.0, 7200.0, 0.0]);
        assert!(some_duration("0s").is_err());
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "-1", "nan", "1d", "1 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["inf", "1e19", "1e300h", "87601h"] {
            assert_eq!(duration(text).unwrap_err(), "ten years is the longest");
        }
    }
}
