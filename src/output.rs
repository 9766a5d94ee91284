//! What is printed: to whoever still listens, and without a fault where nobody does.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints `text` as it is on standard output.
///
/// # Errors
/// It cannot be written; that its reader has gone (`vmm --dry-run | head -1`) is no error.
pub fn print(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let text = format!("cannot write to standard output: {error}");
            Err(io::Error::new(error.kind(), text))
        }
        Ok(()) => Ok(()),
    }
}

/// Says `text` on standard error, in a line of its own; lost where nobody reads it.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// `text` without anything that a terminal would obey.
pub fn plain(text: &str) -> String {
    let shown = |c: char| match c.is_control() && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_moves_no_cursor() {
        assert_eq!(plain("a\x1b[2Jb"), "a\\u{1b}[2Jb");
    }
}
