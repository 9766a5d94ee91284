//! Raw mode: every key goes to the guest, and what it prints comes out unchanged.
//!
//! There is one terminal and one state of it, so it is kept here, where a panic or the end
//! of the program can reach it from anywhere.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use devices::host_io::in_foreground;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

static TERMINAL: Mutex<Option<Terminal>> = Mutex::new(None);

struct Terminal {
    file: OwnedFd,
    /// The settings to go back to; `None` while the terminal has not been ours.
    before: Option<Termios>,
}

/// The terminal is raw while this lives, and as it was before afterwards.
#[must_use]
pub struct RawMode(());

impl RawMode {
    /// Makes `file` raw, if it is a terminal; `None` if not, or if one is raw already.
    ///
    /// A background job leaves the terminal alone until it is in the foreground: see
    /// [`resume`].
    ///
    /// # Errors
    /// The terminal refuses, or the host has no file descriptor left.
    pub fn enter(file: impl AsFd) -> io::Result<Option<Self>> {
        if !isatty(&file) || terminal().is_some() {
            return Ok(None);
        }
        let file = file.as_fd().try_clone_to_owned()?;
        *terminal() = Some(Terminal { file, before: None });
        let guard = Self(());
        restore_on_panic();
        resume()?;
        Ok(Some(guard))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Makes the terminal raw again after the program was stopped and continues (SIGCONT).
///
/// Does nothing in the background: setting up a terminal from there would stop the program
/// (SIGTTOU) and upset whoever is in the foreground.
///
/// # Errors
/// The terminal refuses.
pub fn resume() -> io::Result<()> {
    let mut terminal = terminal();
    let Some(Terminal { file, before }) = terminal.as_mut() else {
        return Ok(());
    };
    if !in_foreground(&*file) {
        return Ok(());
    }
    let mut settings = tcgetattr(&*file)?;
    before.get_or_insert_with(|| settings.clone());
    settings.make_raw();
    Ok(tcsetattr(&*file, OptionalActions::Now, &settings)?)
}

/// Makes the terminal what it was before, if it was made raw.
///
/// May be called from anywhere and more than once, but not from a signal handler.
pub fn restore() {
    let Some(terminal) = terminal().take() else {
        return;
    };
    // In the background it is the shell's: it has its own settings already.
    if let Some(before) = terminal.before.filter(|_| in_foreground(&terminal.file)) {
        // If the terminal has gone there is nothing left to restore.
        let _ = tcsetattr(&terminal.file, OptionalActions::Now, &before);
    }
}

/// What ends a line on standard error now: in raw mode a line feed stays in its column.
pub fn line_end() -> &'static str {
    let is_raw = terminal()
        .as_ref()
        .is_some_and(|terminal| terminal.before.is_some());
    if is_raw { "\r\n" } else { "\n" }
}

fn terminal() -> MutexGuard<'static, Option<Terminal>> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A panic that aborts runs no destructor, but it does run the hook.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            print(panic);
        }));
    });
}

#[cfg(test)]
mod tests;
