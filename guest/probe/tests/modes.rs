//! The probe as a program: what each mode prints, and what it leaves behind.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use wire::{Answer, Order};

fn probe(words: &[&str]) -> Command {
    let mut probe = Command::new(env!("CARGO_BIN_EXE_probe"));
    probe.args(words);
    probe
}

fn names() -> Vec<String> {
    serde_json::from_slice(&probe(&["list"]).output().unwrap().stdout).unwrap()
}

/// What `probe serve` says to orders for files below `directory`.
fn answers(directory: &Path, orders: &[Order]) -> Vec<Answer> {
    let mut lines = Vec::new();
    for order in orders {
        serde_json::to_writer(&mut lines, order).unwrap();
        lines.push(b'\n');
    }
    let served = fed(probe(&["serve", "--directory"]).arg(directory), &lines);
    assert!(served.status.success(), "{served:?}");
    let lines = std::str::from_utf8(&served.stdout).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn fed(command: &mut Command, input: &[u8]) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_mark_is_two_bytes() {
    let marked = probe(&["mark"]).output().unwrap();
    assert_eq!(marked.stdout, b"12");
    assert!(marked.status.success());
}

#[test]
fn every_workload_is_done_or_says_why_not() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let order = |workload| Order {
        workload,
        operations: 3,
    };
    let orders: Vec<Order> = names().into_iter().map(order).collect();
    let answers = answers(directory.path(), &orders);
    assert_eq!(answers.len(), orders.len());
    for (order, answer) in orders.iter().zip(&answers) {
        match answer {
            Answer::Measured(measured) => {
                assert_eq!(measured.operations, 3, "{}", order.workload);
                assert_ne!(measured.elapsed_ns, 0, "{}", order.workload);
            }
            Answer::Failed(reason) => {
                assert!(may_refuse(&order.workload), "{}: {reason}", order.workload);
            }
        }
    }
    let left = std::fs::read_dir(directory.path()).unwrap();
    assert_eq!(left.count(), 0);
}

/// Needs a second CPU, huge pages, a gigabyte, a file system that goes past its cache, or another
/// instance.
fn may_refuse(workload: &str) -> bool {
    ["ipi", "fault-thp", "latency-1g"].contains(&workload)
        || workload.contains("direct")
        || workload.starts_with("channel-")
}

#[test]
fn no_mode_is_a_usage() {
    let ended = probe(&[]).output().unwrap();
    assert!(!ended.status.success());
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert!(errors.starts_with("probe: usage: probe facts"), "{errors}");
}
