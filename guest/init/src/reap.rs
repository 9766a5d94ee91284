//! How processes ended.

use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

/// The next child that has ended, and its status. Orphans are children of PID 1 too.
pub fn next() -> Option<(Pid, u8)> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => return Some((pid, exit_status(status))),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// The status as a shell tells it: 128 and the signal for a command that a signal ended.
fn exit_status(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let status = status.exit_status().or(signal);
    status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(255)
}
