//! Named spans of a machine's life, from process start to power-off.
//!
//! Spans are consecutive: each mark ends the span that the mark before it began. Marks
//! come from several threads, so they are kept with their time and sorted at the end.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// A clock that starts with the process and remembers what happened when.
pub struct Timeline {
    origin: Instant,
    marks: Mutex<Vec<(&'static str, Duration)>>,
}

/// A stretch of time with the name of what it was spent on.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// What was done.
    pub name: &'static str,
    /// Microseconds from process start to its beginning.
    pub start_us: u128,
    /// Its length in microseconds.
    pub duration_us: u128,
}

impl Default for Timeline {
    fn default() -> Self {
        Self::starting_at(Instant::now())
    }
}

impl Timeline {
    /// A timeline whose first span begins at `origin`.
    pub fn starting_at(origin: Instant) -> Self {
        Self {
            origin,
            marks: Mutex::new(Vec::new()),
        }
    }

    /// Ends the span `name` now; it began with the mark before, or with the process.
    pub fn mark(&self, name: &'static str) {
        let now = self.origin.elapsed();
        let mut marks = self
            .marks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        marks.push((name, now));
    }

    /// When the first span begins, by the host's monotonic clock: other processes read the same.
    pub fn begun(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::try_from(now).unwrap_or_default();
        now.saturating_sub(self.origin.elapsed())
    }

    /// All spans in order.
    pub fn spans(&self) -> Vec<Span> {
        let mut marks = self
            .marks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        marks.sort_by_key(|(_, time)| *time);
        let starts = std::iter::once(Duration::ZERO).chain(marks.iter().map(|(_, time)| *time));
        marks
            .iter()
            .zip(starts)
            .map(|((name, end), start)| Span {
                name,
                start_us: start.as_micros(),
                duration_us: (*end - start).as_micros(),
            })
            .collect()
    }

    /// Writes the spans as JSON.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct File {
            version: u32,
            spans: Vec<Span>,
        }
        let file = File {
            version: 1,
            spans: self.spans(),
        };
        serde_json::to_writer_pretty(&mut out, &file)?;
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_begins_where_the_one_before_ended() {
        let timeline = Timeline::default();
        timeline.mark("first");
        timeline.mark("second");
        let spans = timeline.spans();
        assert_eq!((spans[0].start_us, spans[0].name), (0, "first"));
        assert_eq!(spans[1].start_us, spans[0].duration_us);
    }

    #[test]
    fn its_beginning_is_told_by_a_clock_that_others_read() {
        let read = || Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
        let before = read();
        let begun = Timeline::default().begun();
        // Two clocks are read one after the other.
        let slack = Duration::from_millis(100);
        assert!(begun + slack >= before && begun <= read());
    }

    #[test]
    fn the_file_is_json_with_a_version() {
        let timeline = Timeline::default();
        timeline.mark("boot");
        let mut file = Vec::new();
        timeline.write(&mut file).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&file).unwrap();
        assert_eq!(
            (&value["version"], &value["spans"][0]["name"]),
            (&1.into(), &"boot".into())
        );
    }
}
