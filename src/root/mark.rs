//! The mark of a run: a word that the mount table of all its processes shows, as the source of
//! the tree that they stand in.
//!
//! Who may not make control groups finds by it those that outlive their command, or a vmm that
//! was killed, whatever namespaces they have made. It is random: numbers of processes and of
//! namespaces are given again to others.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use rustix::rand::{GetRandomFlags, getrandom};

const PREFIX: &str = "vmm-";
const DIGITS: usize = 32;

/// How long processes that were killed may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at those that are left.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// One that no other run has.
    ///
    /// # Errors
    /// The host has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; DIGITS / 2];
        getrandom(&mut bytes[..], GetRandomFlags::empty())?;
        Ok(Self(format!("{PREFIX}{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Kills all processes that show it but this one, and waits until they are gone.
    ///
    /// # Errors
    /// One does not end.
    pub fn end_all(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.kill_all()? {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Who is no child of ours tells us nothing of its end.
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// Kills those that are there now; whether there were any.
    fn kill_all(&self) -> io::Result<bool> {
        let mut any = false;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name
                .to_str()
                .and_then(|name| Pid::from_raw(name.parse().ok()?));
            any |= pid.is_some_and(|pid| self.kill(pid));
        }
        Ok(any)
    }

    /// Whether `pid` shows the mark, and was killed for that. It is opened before it is looked
    /// at: so it is the same that is killed.
    fn kill(&self, pid: Pid) -> bool {
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        let mounts = format!("/proc/{}/mountinfo", pid.as_raw_nonzero());
        let shows = fs::read_to_string(mounts).is_ok_and(|mounts| self.is_shown_by(&mounts));
        // One of another user has made it up.
        shows && pid != getpid() && pidfd_send_signal(process, Signal::KILL).is_ok()
    }

    /// proc_pid_mountinfo(5): … - type source options
    fn is_shown_by(&self, mountinfo: &str) -> bool {
        let shown = format!(" - overlay {} ", self.0);
        mountinfo.lines().any(|mount| mount.contains(&shown))
    }
}

/// A text that is no mark.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not the mark of a run")]
pub struct MarkError(String);

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let digits = text.strip_prefix(PREFIX).unwrap_or_default();
        let is_mark = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match is_mark {
            true => Ok(Self(text.to_owned())),
            false => Err(MarkError(text.to_owned())),
        }
    }
}

/// The mark that was written to `path`; none where there is none.
pub fn read(path: &Path) -> Option<Mark> {
    fs::read_to_string(path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_random_and_is_itself_when_it_is_read() {
        let mark = Mark::random().unwrap();
        assert_ne!(mark, Mark::random().unwrap());
        assert_eq!(mark.as_str().parse::<Mark>().unwrap(), mark);
    }

    #[test]
    fn what_others_show_as_well_is_no_mark() {
        for text in ["", "vmm-", "overlay", "vmm-0123456789abcdef"] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_shown_as_the_source_of_an_overlay_and_nowhere_else() {
        let mark = Mark::random().unwrap();
        let line = |kind| format!("36 35 0:40 / / rw - {kind} {} rw\n", mark.as_str());
        assert!(mark.is_shown_by(&line("overlay")));
        assert!(!mark.is_shown_by(&line("tmpfs")));
    }
}
