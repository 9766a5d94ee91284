//! A process whose output is waited for, and which is killed when it has been looked at.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::machine::Patience;
use crate::output::plain;

/// It runs until this is dropped.
pub struct Running {
    child: Child,
    begin: Instant,
}

impl Running {
    /// Starts `command`, with an input that stays silent and open.
    pub fn start(mut command: Command) -> Result<Self, String> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let begin = Instant::now();
        let child = command.spawn().map_err(|error| error.to_string())?;
        Ok(Self { child, begin })
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
                _ => return Err(format!("it ended; last: {}", end_of(&seen))),
            }
        }
        Ok(seen)
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
