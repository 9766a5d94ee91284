//! What the crates log, on standard error: warnings and errors, not too many a second.
//!
//! A guest can make its devices complain as often as it likes; it cannot fill the user's
//! terminal or his disk that way.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

use crate::output;
use crate::terminal::raw;

/// The variable that changes how much is told: off, error, warn, info or debug.
const LEVEL: &str = "VMM_LOG";
/// How many messages a period may bring.
const BURST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// Starts to tell what is logged.
pub fn start() {
    let level = std::env::var(LEVEL).ok();
    let level = level.and_then(|level| level.parse().ok());
    log::set_max_level(level.unwrap_or(LevelFilter::Warn));
    // Whoever was first tells it all.
    let _ = log::set_logger(&TELLER);
}

static TELLER: Teller = Teller {
    limit: Mutex::new(Limit {
        began: None,
        count: 0,
    }),
};

/// Tells messages as long as the limit lets it.
struct Teller {
    limit: Mutex<Limit>,
}

impl Log for Teller {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        // In raw mode a line feed alone stays in its column.
        let begin = raw::line_end().trim_end_matches('\n');
        match limit.admit(Instant::now()) {
            Verdict::Tell => output::say(format_args!("{begin}vmm: {}{begin}", record.args())),
            Verdict::TellThatMoreCame => {
                output::say(format_args!(
                    "{begin}vmm: too many messages; some are left out{begin}"
                ));
            }
            Verdict::Drop => {}
        }
    }

    fn flush(&self) {}
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Tell,
    TellThatMoreCame,
    Drop,
}

/// How many messages have come since the period began.
#[derive(Default)]
struct Limit {
    began: Option<Instant>,
    count: u32,
}

impl Limit {
    fn admit(&mut self, now: Instant) -> Verdict {
        if self
            .began
            .is_none_or(|began| now.duration_since(began) >= PERIOD)
        {
            self.began = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        match self.count {
            0..=BURST => Verdict::Tell,
            count if count == BURST + 1 => Verdict::TellThatMoreCame,
            _ => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_once_and_ends_with_its_period() {
        let (mut limit, begin) = (Limit::default(), Instant::now());
        let verdicts: Vec<_> = (0..15).map(|_| limit.admit(begin)).collect();
        assert_eq!(verdicts[9], Verdict::Tell);
        assert_eq!(verdicts[10], Verdict::TellThatMoreCame);
        assert_eq!(verdicts[14], Verdict::Drop);
        assert_eq!(limit.admit(begin + PERIOD), Verdict::Tell);
    }
}
