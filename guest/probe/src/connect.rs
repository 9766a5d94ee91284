//! Joins the standard streams with a Unix socket: what can be reached by a channel.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

/// Sends standard input to the socket at `path` and prints what comes back, until the ends of
/// both.
///
/// # Errors
/// Nobody can be reached, or what comes cannot be printed.
pub fn run(path: &str) -> io::Result<()> {
    let mut socket = UnixStream::connect(path)?;
    let mut there = socket.try_clone()?;
    let sent = thread::spawn(move || {
        // One that has gone takes no more, which is no failure of ours.
        let _ = io::copy(&mut io::stdin(), &mut there);
        let _ = there.shutdown(Shutdown::Write);
    });
    io::copy(&mut socket, &mut io::stdout())?;
    // It does not panic.
    let _ = sent.join();
    Ok(())
}
