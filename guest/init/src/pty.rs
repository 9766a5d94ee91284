//! A terminal of the command's own, and its relay to the streams that we were given.
//!
//! The command never holds those: the terminal of the host is not a file of its container.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use wire::WindowSize;

/// What ends a line of input, or all of it, where it is typed at the beginning of a line.
const END_OF_FILE: u8 = 4;
const CHUNK: usize = 4096;

/// A new terminal of this size: our end, which never waits, and the command's.
///
/// # Errors
/// There is no devpts, or no terminal left in it.
pub fn open(size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    unlockpt(&ours)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    resize(&ours, size)?;
    let theirs = ioctl_tiocgptpeer(&ours, flags)?;
    Ok((ours, theirs))
}

/// Gives a terminal another size; whoever is in its foreground is told by the kernel.
///
/// # Errors
/// It has gone.
pub fn resize(terminal: impl AsFd, size: WindowSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}

/// Our end of the command's terminal, between standard input and standard output.
pub struct Relay {
    terminal: OwnedFd,
    /// Input that the terminal has had no room for yet.
    typed: Vec<u8>,
    is_input_open: bool,
    is_output_open: bool,
}

impl Relay {
    /// A relay of `terminal`.
    pub fn new(terminal: OwnedFd) -> Self {
        Self {
            terminal,
            typed: Vec::new(),
            is_input_open: true,
            is_output_open: true,
        }
    }

    /// Takes over the size of the terminal that we were given.
    pub fn follow_size(&self) {
        let Ok(size) = tcgetwinsize(io::stdin()).or_else(|_| tcgetwinsize(io::stdout())) else {
            return;
        };
        // One that has gone has no size to be seen.
        let _ = tcsetwinsize(&self.terminal, size);
    }

    /// What is to be waited for.
    pub fn events<'a>(&'a self, input: &'a io::Stdin) -> Vec<PollFd<'a>> {
        let mut events = Vec::new();
        let mut wanted = PollFlags::empty();
        if self.is_output_open {
            wanted |= PollFlags::IN;
        }
        if !self.typed.is_empty() {
            wanted |= PollFlags::OUT;
        } else if self.is_input_open {
            events.push(PollFd::new(input, PollFlags::IN));
        }
        if !wanted.is_empty() {
            events.push(PollFd::new(&self.terminal, wanted));
        }
        events
    }

    /// Passes on what there is; `has_input` says that standard input can be read.
    pub fn serve(&mut self, has_input: bool) {
        if has_input && self.typed.is_empty() && self.is_input_open {
            self.take_input();
        }
        self.type_input();
        self.pass_output();
    }

    fn take_input(&mut self) {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(0) => {
                self.is_input_open = false;
                self.typed.push(END_OF_FILE);
            }
            Ok(count) => self.typed.extend(bytes.iter().take(count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.is_input_open = false,
        }
    }

    fn type_input(&mut self) {
        match rustix::io::write(&self.terminal, &self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.typed.clear(),
        }
    }

    /// Prints all that the command has printed.
    pub fn pass_output(&mut self) {
        let mut bytes = [0; CHUNK];
        while self.is_output_open {
            match rustix::io::read(&self.terminal, &mut bytes) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // EIO: nobody has the command's end open any more.
                Ok(0) | Err(_) => self.is_output_open = false,
                Ok(count) => {
                    let printed = bytes.get(..count).unwrap_or_default();
                    let mut out = io::stdout().lock();
                    // Where nobody listens it is lost, and the command goes on.
                    let _ = out.write_all(printed).and_then(|()| out.flush());
                }
            }
        }
    }
}
