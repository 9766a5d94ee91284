//! What there is, and what it may be called.

use std::process::Command;

use crate::fixture::{Detached, eventually, rows, run_detached, tell};
use crate::wall::{Wall, finish};
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_detached_run_without_a_name_prints_the_one_it_got,
    what_runs_is_listed,
    how_it_ended_is_listed_with_all,
    a_name_is_taken_until_it_is_forgotten,
    what_was_counted_is_told_while_it_runs,
    what_is_no_name_is_refused,
    a_detached_run_that_cannot_start_says_why,
];

fn a_detached_run_without_a_name_prints_the_one_it_got(wall: &Wall) {
    let mut command = wall.run(&["--detach"]);
    command.args(["sleep", "1000"]);
    let name = finish(command, b"").text().trim_end().to_owned();
    let wall = wall.clone();
    let started = Detached { name, wall };
    assert!(started.name.starts_with("vmm-"), "{}", started.name);
    assert_eq!(started.row().unwrap()["running"], true);
}

fn what_runs_is_listed(wall: &Wall) {
    let started = Detached::start(wall, &[], "sleep 1000");
    let listed = finish(ps(wall), b"").text();
    let line = listed.lines().find(|line| line.starts_with(&started.name));
    let words: Vec<&str> = line.unwrap().split_whitespace().take(3).collect();
    assert_eq!(words, [started.name.as_str(), wall.name(), "running"]);
    assert!(line.unwrap().ends_with("sh -c sleep 1000"), "{listed}");
    let rows = rows(wall, &["ps", "--json"]);
    let row = rows.iter().find(|row| row["name"] == started.name).unwrap();
    assert_eq!(
        (&row["wall"], &row["running"], row["exit_status"].is_null()),
        (&wall.name().into(), &true.into(), true)
    );
    assert!(row["digest"].as_str().unwrap().starts_with("sha256:"));
}

fn how_it_ended_is_listed_with_all(wall: &Wall) {
    let started = Detached::start(wall, &[], "exit 3");
    assert_eq!(started.exit_status(), 3);
    assert!(!finish(ps(wall), b"").text().contains(&started.name));
    let mut all = ps(wall);
    all.arg("--all");
    let listed = finish(all, b"").text();
    let line = listed.lines().find(|line| line.starts_with(&started.name));
    assert!(line.unwrap().contains("exited 3"), "{listed}");
}

/// KVM counts what leaves the guest, a cgroup the time of the processor.
fn what_was_counted_is_told_while_it_runs(wall: &Wall) {
    let started = Detached::ready(wall, &[], "echo ready; while :; do :; done");
    let name = match wall.name() {
        "vm" => "exits",
        _ => "cpu_ns",
    };
    if wall.is_rootless() {
        // Without a control group nobody counts.
        return assert_eq!(finish(stats(wall, &started.name), b"").text(), "{}\n");
    }
    let counted = || {
        let told = finish(stats(wall, &started.name), b"").text();
        let counters: serde_json::Value = serde_json::from_str(&told).unwrap();
        counters[name].as_u64().unwrap()
    };
    let before = counted();
    eventually("it counts on", || counted() > before);
    started.tell(&["kill"]);
    started.exit_status();
    let ended = started.tell(&["stats"]);
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.errors.contains("has ended"), "{ended:?}");
}

fn stats(wall: &Wall, name: &str) -> Command {
    let mut command = wall.vmm();
    command.args(["stats", "--json", name]);
    command
}

fn a_name_is_taken_until_it_is_forgotten(wall: &Wall) {
    let started = Detached::start(wall, &[], "sleep 1000");
    let again = || finish(run_detached(wall, &started.name, &[], "exit 0"), b"");
    let refused = again();
    assert_eq!(refused.status, 125, "{refused:?}");
    assert!(
        refused.errors.contains("choose another --name"),
        "{refused:?}"
    );
    assert_eq!(started.tell(&["kill"]).status, 0);
    started.exit_status();
    assert_eq!(again().status, 125, "it has ended, but is not forgotten");
    assert_eq!(started.tell(&["rm"]).status, 0);
    assert_eq!(again().status, 0);
}

fn what_is_no_name_is_refused(wall: &Wall) {
    for name in ["", "..", "../up", "a/b", ".hidden", "a b", &"x".repeat(65)] {
        let refused = finish(run_detached(wall, name, &[], "exit 0"), b"");
        assert_ne!(refused.status, 0, "{name}: {refused:?}");
        for words in [&["rm", "--force"][..], &["stop"], &["logs"], &["pause"]] {
            let refused = tell(wall, words, name);
            assert_ne!(refused.status, 0, "{words:?} {name}");
            assert!(!refused.errors.is_empty());
        }
    }
}

fn a_detached_run_that_cannot_start_says_why(wall: &Wall) {
    let name = crate::fixture::unused_name(wall);
    let options = ["--volume", "/no/such/directory:/mnt"];
    let ended = finish(run_detached(wall, &name, &options, "exit 0"), b"");
    assert_eq!(
        (ended.status, ended.text().as_str()),
        (125, ""),
        "{ended:?}"
    );
    assert!(ended.errors.contains("/no/such/directory"), "{ended:?}");
    let left = rows(wall, &["ps", "--all", "--json"]);
    assert!(!left.iter().any(|row| row["name"] == name), "{left:?}");
}

fn ps(wall: &Wall) -> Command {
    let mut command = wall.vmm();
    command.arg("ps");
    command
}
