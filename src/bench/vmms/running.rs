//! A process whose output is waited for, and which is killed when it has been looked at.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};

use super::machine::Patience;
use crate::output::plain;

/// It runs until this is dropped.
pub struct Running {
    child: Child,
    /// What it says of itself: nothing waits for a reader there.
    errors: File,
    begin: Instant,
}

/// The most that is kept of what it says of itself.
const KEPT: u64 = 64 << 10;

impl Running {
    /// Starts `command`, with an input that stays silent and open.
    pub fn start(command: Command) -> Result<Self, String> {
        Self::try_start(command).map_err(|error| error.to_string())
    }

    fn try_start(mut command: Command) -> io::Result<Self> {
        let errors = File::from(memfd_create("errors", MemfdFlags::CLOEXEC)?);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone()?);
        let begin = Instant::now();
        Ok(Self {
            child: command.spawn()?,
            errors,
            begin,
        })
    }

    /// The time since its exec.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it prints `marker`; all that it has printed by then.
    pub fn wait_for(&mut self, marker: &str, patience: &Patience) -> Result<String, String> {
        let out = self.child.stdout.as_mut().expect("stdout is piped");
        let (mut seen, mut buffer) = (String::new(), [0; 4096]);
        while !seen.contains(marker) {
            if self.begin.elapsed() > patience.limit {
                let seconds = patience.limit.as_secs();
                return Err(format!("not done in {seconds} s; last: {}", end_of(&seen)));
            }
            if (patience.is_over)() {
                return Err("it was stopped".to_owned());
            }
            if !is_readable(out).map_err(|error| error.to_string())? {
                continue;
            }
            match out.read(&mut buffer) {
                Ok(count @ 1..) => seen += &String::from_utf8_lossy(&buffer[..count]),
                _ => return Err(self.end_of_it(&seen)),
            }
        }
        Ok(seen)
    }

    /// Why it ended, having `printed` that: by its own words if there are any.
    fn end_of_it(&mut self, printed: &str) -> String {
        let mut said = Vec::new();
        let read = self.errors.rewind().and_then(|()| {
            let errors = &mut self.errors;
            errors.take(KEPT).read_to_end(&mut said)
        });
        match read {
            Ok(1..) => format!("it ended: {}", end_of(&String::from_utf8_lossy(&said))),
            _ => format!("it ended; last: {}", end_of(printed)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_readable(file: &impl AsFd) -> io::Result<bool> {
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let ready = poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&second))?;
    Ok(ready > 0)
}

fn end_of(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    // A guest has printed it.
    plain(last.unwrap_or("nothing"))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn of(script: &str) -> Result<String, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let patience = Patience {
            limit: Duration::from_secs(20),
            is_over: Rc::new(|| false),
        };
        Running::start(shell).unwrap().wait_for("mark", &patience)
    }

    #[test]
    fn it_is_waited_for_until_it_prints_the_marker() {
        assert_eq!(
            of("echo one; echo mark; exec sleep 100").unwrap(),
            "one\nmark\n"
        );
    }

    #[test]
    fn one_that_ends_has_the_last_word() {
        let error = of("echo booting; echo no such MSR >&2").unwrap_err();
        assert_eq!(error, "it ended: no such MSR");
        assert_eq!(of("echo panic").unwrap_err(), "it ended; last: panic");
    }
}
