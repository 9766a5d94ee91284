//! How far a bench is, on standard error: one line that is overwritten on a terminal, and a line
//! for each round elsewhere. It writes between runs only, and has no thread that a run could feel.

use std::io::{self, IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

use crate::output::plain;
use crate::terminal;

/// The eye follows this.
const PACE: Duration = Duration::from_millis(100);
/// How wide a terminal is that does not say.
const WIDTH: u16 = 80;

/// What comes next, and what has been done.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// What is done next, in words.
    pub doing: &'a str,
    /// The round; what comes before the first has none.
    pub round: Option<u32>,
    /// How many runs are done.
    pub done: usize,
    /// How many there are; 0 while that is not known.
    pub total: usize,
    /// How long it will still take, where that is known.
    pub remaining: Option<Duration>,
}

/// Tells how far it is, for as long as it lives.
pub struct Live<W: Write> {
    out: W,
    /// Where it is told: how wide a terminal is.
    terminal: Option<u16>,
    next: Instant,
    round: Option<u32>,
    begun: bool,
}

impl Live<Stderr> {
    /// Tells it on standard error.
    pub fn on_stderr() -> Self {
        let stderr = io::stderr();
        let width = match terminal::window_size().columns {
            0 => WIDTH,
            columns => columns,
        };
        let terminal = stderr.is_terminal().then_some(width);
        Self::new(stderr, terminal)
    }
}

impl<W: Write> Live<W> {
    fn new(out: W, terminal: Option<u16>) -> Self {
        Self {
            out,
            terminal,
            next: Instant::now(),
            round: None,
            begun: false,
        }
    }

    /// It is there.
    pub fn at(&mut self, now: &Now<'_>) {
        match self.terminal {
            Some(width) if self.next <= Instant::now() => {
                self.overwrite(now, width);
                self.next = Instant::now() + PACE;
            }
            Some(_) => {}
            None => self.log(now),
        }
    }

    fn overwrite(&mut self, now: &Now<'_>, width: u16) {
        let line = [amount(now), plain(now.doing), left(now)];
        let line = line.into_iter().filter(|word| !word.is_empty());
        let line = line.collect::<Vec<_>>().join(" · ");
        // The last column stays empty: some terminals begin a line there.
        let line: String = line
            .chars()
            .take(usize::from(width).saturating_sub(1))
            .collect();
        let _ = write!(self.out, "\r\x1b[K{line}");
        let _ = self.out.flush();
        self.begun = true;
    }

    /// A line where it begins, and one for each whole round.
    fn log(&mut self, now: &Now<'_>) {
        let line = match (self.begun, self.round == now.round) {
            (false, _) => plain(now.doing),
            (true, true) => return,
            (true, false) => {
                let done = match self.round {
                    None => "warm-up done".to_owned(),
                    Some(round) => format!("round {round} done"),
                };
                let words = [done, amount(now), left(now)].into_iter();
                words
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        };
        let _ = writeln!(self.out, "{line}");
        self.begun = true;
        self.round = now.round;
    }
}

impl<W: Write> Drop for Live<W> {
    fn drop(&mut self) {
        if self.terminal.is_some() && self.begun {
            let _ = write!(self.out, "\r\x1b[K");
            let _ = self.out.flush();
        }
    }
}

/// How much of it is done.
fn amount(now: &Now<'_>) -> String {
    match now.total {
        0 => String::new(),
        total => format!("{} of {total} runs", now.done),
    }
}

/// How long it will still take.
fn left(now: &Now<'_>) -> String {
    match now.remaining.map(|remaining| remaining.as_secs()) {
        None => String::new(),
        Some(seconds @ 0..60) => format!("{seconds} s left"),
        Some(seconds) => format!("{} min {:02} s left", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(doing: &str, round: Option<u32>, done: usize) -> Now<'_> {
        Now {
            doing,
            round,
            done,
            total: 12,
            remaining: round.map(|_| Duration::from_secs(130)),
        }
    }

    fn told(terminal: Option<u16>, all: &[Now<'_>]) -> String {
        let mut told = Vec::new();
        let mut live = Live::new(&mut told, terminal);
        all.iter().for_each(|now| live.at(now));
        drop(live);
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn a_terminal_has_one_line_that_goes_away() {
        let told = told(Some(80), &[now("switch-pipe behind vm", Some(1), 5)]);
        let line = "5 of 12 runs · switch-pipe behind vm · 2 min 10 s left";
        assert_eq!(told, format!("\r\x1b[K{line}\r\x1b[K"));
    }

    #[test]
    fn a_line_is_no_wider_than_the_terminal() {
        let told = told(Some(20), &[now("switch-pipe behind vm", None, 5)]);
        assert_eq!(told, "\r\x1b[K5 of 12 runs · swit\r\x1b[K");
    }

    #[test]
    fn elsewhere_there_is_a_line_for_each_round() {
        let all = [
            now("preparing process", None, 0),
            now("a", None, 1),
            now("a", Some(1), 4),
            now("b", Some(1), 5),
            now("a", Some(2), 8),
        ];
        let wanted = "preparing process\n\
                      warm-up done, 4 of 12 runs, 2 min 10 s left\n\
                      round 1 done, 8 of 12 runs, 2 min 10 s left\n";
        assert_eq!(told(None, &all), wanted);
    }

    #[test]
    fn a_name_moves_no_cursor() {
        let told = told(Some(80), &[now("\x1b[2J", None, 0)]);
        assert!(told.contains("\\u{1b}[2J"));
    }
}
