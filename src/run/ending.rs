//! When a command is asked to end, and when it is made to. It knows no clock and no process.

use std::time::Duration;

/// What is to be done to the command now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send it this signal.
    Signal(i32),
    /// Send it this signal, and come back after the grace time.
    SignalAndWait(i32, Duration),
    /// End it, and everything of it.
    Kill,
}

/// What the command has been asked so far.
#[derive(Debug)]
pub struct Ending {
    grace: Duration,
    asked: bool,
    timed_out: bool,
}

/// Signals that ask a command to end; all others are only passed on.
const ENDS: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

impl Ending {
    /// A command that may take `grace` between being asked and being made to end.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            asked: false,
            timed_out: false,
        }
    }

    /// `signal` has come for the command.
    pub fn signal(&mut self, signal: i32) -> Action {
        if !ENDS.contains(&signal) {
            return Action::Signal(signal);
        }
        if std::mem::replace(&mut self.asked, true) {
            return Action::Kill;
        }
        Action::SignalAndWait(signal, self.grace)
    }

    /// The time that the command had (`--timeout`) has passed.
    pub fn timeout(&mut self) -> Action {
        self.timed_out = true;
        self.signal(libc::SIGTERM)
    }

    /// Whether it ends because its time had passed.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn the_first_asks_and_the_second_makes() {
        let mut ending = Ending::new(GRACE);
        let asked = Action::SignalAndWait(libc::SIGINT, GRACE);
        assert_eq!(ending.signal(libc::SIGINT), asked);
        assert_eq!(ending.signal(libc::SIGTERM), Action::Kill);
    }

    #[test]
    fn other_signals_are_only_passed_on() {
        let mut ending = Ending::new(GRACE);
        assert_eq!(ending.signal(libc::SIGUSR1), Action::Signal(libc::SIGUSR1));
        assert_eq!(ending.signal(libc::SIGUSR1), Action::Signal(libc::SIGUSR1));
    }

    #[test]
    fn time_asks_as_sigterm_does_and_is_remembered() {
        let mut ending = Ending::new(GRACE);
        let asked = Action::SignalAndWait(libc::SIGTERM, GRACE);
        assert_eq!(ending.timeout(), asked);
        assert!(ending.timed_out());
    }
}
