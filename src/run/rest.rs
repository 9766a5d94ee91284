//! A pause after a listener could let nobody in: whoever waits there would wake us again at once,
//! and nothing would have changed.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// How long it is.
const REST: Duration = Duration::from_millis(100);

/// Until when nobody is let in.
#[derive(Debug, Default)]
pub struct Rest(Option<Instant>);

impl Rest {
    /// Whether it goes on.
    pub fn goes_on(&self) -> bool {
        self.left().is_some()
    }

    /// How much of it is left, if it goes on.
    pub fn left(&self) -> Option<Duration> {
        let left = self.0?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Begins one because of `error`, unless that only says that nobody is there. It is the
    /// host's: no file descriptor is left, or no memory.
    pub fn begin_after(&mut self, error: &io::Error) {
        if !matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
        ) {
            log::warn!("nobody can come in for a moment: {error}");
            self.0 = Some(Instant::now() + REST);
        }
    }
}

/// Whether `error` is a shortage of the host's that may pass: of file descriptors, or of memory.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_no_reason_to_rest() {
        let mut rest = Rest::default();
        rest.begin_after(&ErrorKind::WouldBlock.into());
        assert!(!rest.goes_on());
        rest.begin_after(&io::Error::from_raw_os_error(libc::EMFILE));
        assert!(rest.left().is_some_and(|left| left <= REST));
    }
}
