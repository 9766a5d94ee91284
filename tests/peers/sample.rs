//! One boot, from the exec of the VMM to the guest's init, and what it took until then.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::contender::{Contender, Guest, MARKER};

/// A boot that takes longer has hung.
const DEADLINE: Duration = Duration::from_secs(120);

/// What one boot took.
pub struct Sample {
    /// Milliseconds from exec to the marker.
    pub to_init_ms: f64,
    /// Milliseconds on a processor, of all threads.
    pub cpu_ms: f64,
    /// Private memory beside the guest's, in KiB.
    pub private_kib: f64,
    /// How many threads there are.
    pub threads: f64,
    /// KVM's count of exits of all kinds; not a number where it cannot be read.
    pub exits: f64,
}

impl Sample {
    /// Boots `guest` once.
    pub fn take(contender: &Contender, guest: &Guest) -> Result<Self, String> {
        let mut command = contender.command(guest);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let begin = Instant::now();
        let mut running = Running(spawn(&mut command)?);
        running.wait_for_marker(begin)?;
        let to_init_ms = begin.elapsed().as_secs_f64() * 1e3;
        let pid = running.0.id();
        Ok(Self {
            to_init_ms,
            cpu_ms: cpu_ms(pid),
            private_kib: private_kib(pid, u64::from(guest.memory_mib) << 10),
            threads: tasks(pid).count() as f64,
            exits: exits(pid).unwrap_or(f64::NAN),
        })
    }
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    command.spawn().map_err(|error| error.to_string())
}

/// A VMM that is killed when it has been looked at.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn wait_for_marker(&mut self, begin: Instant) -> Result<(), String> {
        let out = self.0.stdout.as_mut().expect("stdout is piped");
        let (mut seen, mut buffer) = (String::new(), [0; 4096]);
        while !seen.contains(MARKER) {
            if begin.elapsed() > DEADLINE {
                return Err(format!(
                    "no marker in {} s; last: {}",
                    DEADLINE.as_secs(),
                    end_of(&seen)
                ));
            }
            if !is_readable(out).map_err(|error| error.to_string())? {
                continue;
            }
            match out.read(&mut buffer) {
                Ok(count @ 1..) => seen += &String::from_utf8_lossy(&buffer[..count]),
                _ => return Err(format!("it ended; last: {}", end_of(&seen))),
            }
        }
        Ok(())
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
    last.unwrap_or("nothing").to_owned()
}

fn tasks(pid: u32) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries.map(|entry| entry.path().display().to_string())
}

/// The first field of schedstat: nanoseconds on a processor.
fn cpu_ms(pid: u32) -> f64 {
    let of_task = |task: String| {
        let text = fs::read_to_string(format!("{task}/schedstat")).unwrap_or_default();
        let nanoseconds = text
            .split(' ')
            .next()
            .and_then(|field| field.parse::<f64>().ok());
        nanoseconds.unwrap_or(0.0)
    };
    tasks(pid).map(of_task).sum::<f64>() / 1e6
}

/// All private pages but those of mappings as large as the guest's memory.
fn private_kib(pid: u32, guest_kib: u64) -> f64 {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let (mut private, mut size) = (0, 0);
    for line in smaps.lines() {
        match field(line) {
            Some(("Size", kib)) => size = kib,
            Some(("Private_Clean" | "Private_Dirty", kib)) if size < guest_kib => private += kib,
            _ => {}
        }
    }
    private as f64
}

/// A line such as `Private_Dirty:       12 kB`.
fn field(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(':')?;
    let kib = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((name, kib))
}

/// From KVM's directory of the machine, which debugfs has while it runs.
fn exits(pid: u32) -> Option<f64> {
    let machines = fs::read_dir("/sys/kernel/debug/kvm").ok()?.flatten();
    let ours = |name: &str| name.starts_with(&format!("{pid}-"));
    let machine = machines.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(ours)
    })?;
    fs::read_to_string(machine.join("exits"))
        .ok()?
        .trim()
        .parse()
        .ok()
}
