//! A detached instance, gone with the test that has started it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wall::{Ended, Wall, finish, wait_in_time};

/// The longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// An instance that runs in the background.
pub struct Detached {
    /// What it is called.
    pub name: String,
    /// What it runs behind.
    pub wall: Wall,
}

impl Detached {
    /// Runs the line `script` of a shell, with `options`.
    pub fn start(wall: &Wall, options: &[&str], script: &str) -> Self {
        let name = unused_name(wall);
        let ended = finish(run_detached(wall, &name, options, script), b"");
        assert_eq!(ended.status, 0, "{ended:?}");
        assert_eq!(ended.text(), format!("{name}\n"));
        let wall = wall.clone();
        Self { name, wall }
    }

    /// As [`Detached::start`], and waits until it has printed `ready`.
    pub fn ready(wall: &Wall, options: &[&str], script: &str) -> Self {
        let started = Self::start(wall, options, script);
        eventually("it is ready", || started.output().contains("ready\n"));
        started
    }

    /// `vmm WORDS… NAME`, until it ends.
    pub fn tell(&self, words: &[&str]) -> Ended {
        tell(&self.wall, words, &self.name)
    }

    /// `vmm exec OPTIONS… NAME -- WORDS…`, to be run.
    pub fn exec(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = self.wall.vmm();
        command.arg("exec").args(options).arg(&self.name);
        command.arg("--").args(words);
        command
    }

    /// What it has printed on standard output so far.
    pub fn output(&self) -> String {
        self.tell(&["logs"]).text()
    }

    /// How it ended, once it has.
    pub fn exit_status(&self) -> u64 {
        let mut status = None;
        eventually("it ends", || {
            status = self.row().and_then(|row| row["exit_status"].as_u64());
            status.is_some()
        });
        status.unwrap()
    }

    /// Its row of `vmm ps --all --json`.
    pub fn row(&self) -> Option<Value> {
        let rows = rows(&self.wall, &["ps", "--all", "--json"]);
        rows.into_iter().find(|row| row["name"] == self.name)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let mut remove = self.wall.vmm();
        remove.args(["rm", "--force", &self.name]);
        let mut removing = remove.stderr(Stdio::null()).spawn().unwrap();
        // That it hangs may be why the test has failed: no second panic.
        let _ = wait_in_time(&mut removing);
    }
}

/// `vmm run --detach` of a shell's line, to be run.
pub fn run_detached(wall: &Wall, name: &str, options: &[&str], script: &str) -> Command {
    let mut command = wall.run(&[&["--detach", "--name", name], options].concat());
    command.args(["sh", "-c", script]);
    command
}

/// `vmm WORDS… NAME`, until it ends.
pub fn tell(wall: &Wall, words: &[&str], name: &str) -> Ended {
    let mut command = wall.vmm();
    command.args(words).arg(name);
    finish(command, b"")
}

/// The rows that `vmm WORDS…` prints as JSON.
pub fn rows(wall: &Wall, words: &[&str]) -> Vec<Value> {
    let mut command = wall.vmm();
    command.args(words);
    serde_json::from_slice(&finish(command, b"").output).unwrap()
}

/// A name that no other test has, in this program or another: control groups are the host's.
pub fn unused_name(wall: &Wall) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{}-{count}", wall.column(), std::process::id())
}

/// Waits until `is_so`.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "not in {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
