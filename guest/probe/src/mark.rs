//! Two bytes, by which a host tells when a wall stands and when it falls.

use std::process::ExitCode;

use rustix::io::Errno;
use rustix::stdio::stdout;

/// Whether that is all there is to do. Nothing else is looked at before it.
pub fn is_asked_for() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|mode| mode == "mark")
}

/// Writes `1`, and `2`, with nothing between them.
pub fn run() -> ExitCode {
    match write(b"1").and_then(|()| write(b"2")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes past every buffer: each byte leaves when it is written.
fn write(byte: &[u8; 1]) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::io::write(stdout(), byte)).map(drop)
}
