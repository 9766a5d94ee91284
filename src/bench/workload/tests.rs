//! The catalogue, beside the probe that is built in and the table that people read.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;

/// The probe, where it was built.
const PROBE: &str = env!("VMM_PROBE");
const TABLE: &str = include_str!("../../../docs/workloads.md");

fn sessions() -> BTreeSet<String> {
    let all = BUILT_IN.iter();
    let sessions = all.filter(|workload| matches!(workload.kind, Kind::Session { .. }));
    sessions.map(|workload| workload.name.to_owned()).collect()
}

#[test]
fn what_can_be_ordered_is_what_the_probe_can_do() {
    let listed = Command::new(PROBE).arg("list").output().unwrap();
    let listed: BTreeSet<String> = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed, sessions());
}

#[test]
fn names_are_told_apart_and_explained() {
    let names: BTreeSet<&str> = BUILT_IN.iter().map(|workload| workload.name).collect();
    assert_eq!(names.len(), BUILT_IN.len());
    for Workload {
        name,
        isolates,
        why,
        ..
    } in BUILT_IN.iter().chain([&COMMAND])
    {
        assert!(!isolates.is_empty() && !why.is_empty(), "{name}");
    }
}

#[test]
fn the_quick_suite_is_quick() {
    let quick = BUILT_IN
        .iter()
        .filter(|workload| workload.suite == Suite::Quick);
    assert!((10..=14).contains(&quick.count()));
}

#[test]
fn the_table_that_people_read_is_the_catalogue() {
    let rows: Vec<&str> = TABLE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let expected: Vec<String> = BUILT_IN.iter().chain([&COMMAND]).map(row).collect();
    assert!(
        rows == expected,
        "docs/workloads.md should read:\n{}",
        expected.join("\n")
    );
}

fn row(workload: &Workload) -> String {
    let Workload {
        name,
        isolates,
        why,
        kind,
        suite,
        ..
    } = workload;
    let (suite, operations) = match (kind, suite) {
        (Kind::Command | Kind::Guest, _) => ("none", "1".to_owned()),
        (Kind::Start | Kind::Tool, suite) => (of(*suite), "1".to_owned()),
        (Kind::Session { operations, .. }, suite) => (of(*suite), operations.to_string()),
    };
    format!("| `{name}` | {isolates} | {why} | {suite} | {operations} |")
}

fn of(suite: Suite) -> &'static str {
    match suite {
        Suite::Quick => "quick",
        Suite::Full => "full",
    }
}
