//! The terminal that the machine is run from.
//!
//! - [`raw`]: every key goes to the guest, until the guard is dropped
//! - [`escape`]: all but those after Ctrl-a
//!
//! It knows no machine: what a key does is handed in.

pub mod escape;
pub mod raw;

use std::io;

use rustix::termios::tcgetwinsize;
use wire::WindowSize;

/// The size of the terminal that we are run from; zeros where there is none.
pub fn window_size() -> WindowSize {
    let size = tcgetwinsize(io::stdin()).or_else(|_| tcgetwinsize(io::stdout()));
    size.map_or_else(
        |_| WindowSize::default(),
        |size| WindowSize {
            rows: size.ws_row,
            columns: size.ws_col,
        },
    )
}
