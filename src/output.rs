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
        result => result,
    }
}

/// Says `text` on standard error, in a line of its own; lost where nobody reads it.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
