//! The keys that are for us and not for the guest: Ctrl-a and one more.

use std::io;
use std::os::fd::AsFd;

use devices::host_io::{Filter, HostOutput};

/// All there is; Ctrl-a h prints it.
pub const HELP: &str = "\
Ctrl-a x       end the machine at once, as by pulling its plug
Ctrl-a h       print this help
Ctrl-a Ctrl-a  send one Ctrl-a to the guest (Ctrl-a a does it too)
";

const CTRL_A: u8 = 0x01;

/// What a pair of keys asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the machine.
    End,
    /// Print the help.
    Help,
}

/// What the last key was, as far as it matters.
#[derive(Debug, Default)]
pub struct Escape {
    after_ctrl_a: bool,
}

impl Escape {
    /// Leaves in `keys` what is for the guest, at the beginning, and returns how much that
    /// is; `act` gets the rest. A pair may be split between two calls.
    pub fn filter(&mut self, keys: &mut [u8], mut act: impl FnMut(Action)) -> usize {
        let mut kept = 0;
        for index in 0..keys.len() {
            let Some(key) = self.press(keys[index], &mut act) else {
                continue;
            };
            // Never ahead of what is read: at most one key is kept for each.
            keys[kept] = key;
            kept += 1;
        }
        kept
    }

    /// The key that the guest gets for `key`, if it gets one.
    fn press(&mut self, key: u8, act: &mut impl FnMut(Action)) -> Option<u8> {
        let after_ctrl_a = std::mem::replace(&mut self.after_ctrl_a, false);
        match (after_ctrl_a, key) {
            (false, CTRL_A) => {
                self.after_ctrl_a = true;
                return None;
            }
            (false, key) => return Some(key),
            (true, b'a' | CTRL_A) => return Some(CTRL_A),
            (true, b'x') => act(Action::End),
            (true, b'h' | b'?') => act(Action::Help),
            // A slip of the finger: not ours, and not meant for the guest.
            (true, _) => {}
        }
        None
    }
}

/// A filter for the input from a terminal; `end` is called by Ctrl-a x.
///
/// The help goes to standard error, so that it is seen even where the output is not.
///
/// # Errors
/// The host has no file descriptor left.
pub fn filter(end: Box<dyn Fn() + Send>) -> io::Result<Filter> {
    let screen = io::stderr().as_fd().try_clone_to_owned()?;
    let mut screen = HostOutput::new(screen);
    let mut escape = Escape::default();
    Ok(Box::new(move |keys| {
        escape.filter(keys, |action| match action {
            Action::End => end(),
            Action::Help => {
                // In raw mode a line feed alone stays in its column.
                let help = format!("\r\n{}", HELP.replace('\n', "\r\n"));
                screen.write(help.as_bytes());
            }
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guest gets of `reads`, and what is asked for.
    fn typed(reads: &[&str]) -> (String, Vec<Action>) {
        let (mut escape, mut guest, mut actions) = (Escape::default(), Vec::new(), Vec::new());
        for read in reads {
            let mut keys = read.as_bytes().to_vec();
            let kept = escape.filter(&mut keys, |action| actions.push(action));
            guest.extend(&keys[..kept]);
        }
        (String::from_utf8(guest).unwrap(), actions)
    }

    #[test]
    fn ordinary_keys_are_the_guests() {
        assert_eq!(typed(&["ls -x\r"]), ("ls -x\r".to_owned(), vec![]));
    }

    #[test]
    fn ctrl_a_x_ends_the_machine() {
        assert_eq!(typed(&["\x01x"]), (String::new(), vec![Action::End]));
    }

    #[test]
    fn the_two_keys_may_come_in_different_reads() {
        let typed = typed(&["ls\x01", "h\r"]);
        assert_eq!(typed, ("ls\r".to_owned(), vec![Action::Help]));
    }

    #[test]
    fn ctrl_a_twice_sends_one() {
        assert_eq!(typed(&["\x01\x01x"]), ("\x01x".to_owned(), vec![]));
        assert_eq!(typed(&["\x01", "ax"]), ("\x01x".to_owned(), vec![]));
    }

    #[test]
    fn an_unknown_key_after_ctrl_a_is_dropped() {
        assert_eq!(typed(&["\x01zz"]), ("z".to_owned(), vec![]));
    }

    #[test]
    fn the_filter_calls_what_it_was_given() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let end = Box::new(move || sender.send(()).unwrap());
        let mut filter = filter(end).unwrap();
        assert_eq!(filter(&mut b"\x01x".to_owned()), 0);
        assert_eq!(receiver.try_recv(), Ok(()));
    }
}
