//! A store and a runtime directory of a test's own, and `vmm bench` in them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// A host, as far as vmm is concerned.
pub struct Host(TempDir);

/// How a bench ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Host {
    /// One on which nothing has been run.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A file or directory of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `vmm bench` with `words`.
    pub fn bench(&self, words: &[&str]) -> Command {
        self.vmm(&[&["bench"], words].concat())
    }

    /// `vmm` with `words`.
    pub fn vmm(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmm"));
        command
            .env("VMM_STORE", self.path("store"))
            .env("VMM_RUNTIME", self.path("run"))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .args(words);
        command
    }

    /// What comes of `vmm bench` with `words`.
    pub fn run(&self, words: &[&str]) -> Ended {
        Ended::of(self.bench(words).output().unwrap())
    }

    /// `vmm bench` with `words`, once it has said a line that begins with `until`.
    pub fn start(&self, words: &[&str], until: &str) -> Child {
        let piped = |command: &mut Command| {
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let mut child = piped(&mut self.bench(words));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.any(|line| line.unwrap().starts_with(until));
        assert!(said, "it never said {until:?}");
        // Whoever goes on talking must find somebody who listens.
        thread::spawn(move || lines.for_each(drop));
        child
    }

    /// The values in the record `name`.
    pub fn record(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The names in the directory `name`; none if it is not there.
    pub fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Processes that work for it.
    pub fn processes(&self) -> usize {
        let ours = format!("VMM_RUNTIME={}", self.path("run").display());
        let is_ours = |process: &Path| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| variable == ours.as_bytes())
        };
        let processes = fs::read_dir("/proc").unwrap();
        processes
            .filter(|process| is_ours(&process.as_ref().unwrap().path()))
            .count()
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            status: output.status.code(),
            output: text(&output.stdout),
            errors: text(&output.stderr),
        }
    }

    /// What comes of `child`.
    pub fn wait(child: Child) -> Self {
        Self::of(child.wait_with_output().unwrap())
    }

    /// What it printed, in one line: a table breaks sentences.
    pub fn sentence(&self) -> String {
        let words = self.output.split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Waits until `is_so`.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
