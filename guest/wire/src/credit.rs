//! How much of a stream may be under way: so that nobody holds more than he has agreed to.

use crate::MAX_DATA;

/// How many bytes of each stream its receiver takes before it has passed any on.
pub const WINDOW: usize = 256 << 10;

/// What a sender may send, and what a receiver has agreed to take.
///
/// A sender spends it by sending; a receiver gives more as it passes bytes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit(usize);

impl Default for Credit {
    fn default() -> Self {
        Self(WINDOW)
    }
}

impl Credit {
    /// How many bytes may be sent now, in one frame.
    pub fn available(self) -> usize {
        self.0.min(MAX_DATA)
    }

    /// Whether the receiver has passed on all that was sent.
    pub fn is_whole(self) -> bool {
        self.0 == WINDOW
    }

    /// Takes `bytes` off; whether there were so many.
    #[must_use]
    pub fn spend(&mut self, bytes: usize) -> bool {
        let rest = self.0.checked_sub(bytes);
        self.0 = rest.unwrap_or(0);
        rest.is_some()
    }

    /// Adds what the receiver has passed on. Whoever adds more than was ever taken off lies:
    /// it never exceeds the window.
    pub fn add(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes).min(WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_spent_and_given_back() {
        let mut credit = Credit::default();
        assert!(credit.spend(WINDOW));
        assert_eq!(credit.available(), 0);
        credit.add(10);
        assert_eq!(credit.available(), 10);
    }

    #[test]
    fn who_sends_more_than_agreed_is_found_out() {
        let mut credit = Credit::default();
        assert!(!credit.spend(WINDOW + 1));
    }

    #[test]
    fn credit_without_end_is_one_window() {
        let mut credit = Credit::default();
        credit.add(usize::MAX);
        assert!(credit.spend(WINDOW) && !credit.spend(1));
    }
}
