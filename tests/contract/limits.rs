//! What a command may use, and what it sees.

use std::fs;

use crate::Promise;
use crate::wall::{Ended, Wall, finish};

pub const PROMISES: &[Promise] = &[
    (16, "memory_that_runs_out_is_123", memory),
    (17, "processor_time_is_limited", cpus),
    (18, "processes_are_limited", pids),
    (19, "nothing_else_can_be_written", read_only),
    (20, "tmp_is_empty_and_writable", tmp),
    (21, "changes_are_gone_with_the_command", changes_go),
    (21, "changes_are_kept_where_asked", changes_stay),
    (23, "there_is_no_network", network),
    (24, "the_record_says_what_was_there", record),
];

/// Whether a limit is refused, as it is where an ordinary user may write no control groups.
fn is_refused(wall: &Wall, limit: &str, ended: &Ended) -> bool {
    if wall.is_rootless() {
        assert_eq!(
            (ended.status, ended.text().as_str()),
            (125, ""),
            "{ended:?}"
        );
        let is_said = ended.errors.contains(limit) && ended.errors.contains("Delegate=yes");
        assert!(is_said, "{ended:?}");
    }
    wall.is_rootless()
}

fn memory(wall: &Wall) {
    let ended = wall.shell(&["--memory", "64M"], "exec tail -c 100000000 /dev/zero");
    if is_refused(wall, "--memory", &ended) {
        return;
    }
    assert_eq!(ended.status, 123, "{ended:?}");
}

fn cpus(wall: &Wall) {
    if wall.is("vm") {
        let refused = wall.shell(&["--cpus", "0.5"], "true");
        assert_eq!(refused.status, 125, "{refused:?}");
        assert!(refused.errors.contains("--cpus"), "{refused:?}");
        return;
    }
    // It is busy for three seconds, and then says how long that was, and how much it was given.
    let script = "read begin rest </proc/uptime; end=$begin
        while [ ${end%.*} -lt $((${begin%.*} + 3)) ]; do read end rest </proc/uptime; done
        echo $begin $end; times";
    let ended = wall.shell(&["--cpus", "0.5"], script);
    if is_refused(wall, "--cpus", &ended) {
        return;
    }
    assert_eq!(ended.status, 0, "{ended:?}");
    let told = ended.text();
    let mut lines = told.lines();
    let uptime: Vec<f64> = words(lines.next().unwrap(), |word| word.parse().unwrap());
    let given: f64 = words(lines.next().unwrap(), seconds).iter().sum();
    let share = given / (uptime[1] - uptime[0]);
    // A period that has begun may be used up.
    assert!((0.05..0.6).contains(&share), "{share} of a processor");
}

fn words(line: &str, number: fn(&str) -> f64) -> Vec<f64> {
    line.split_whitespace().map(number).collect()
}

/// Of a time as a shell's `times` tells it: `0m1.520s`.
fn seconds(time: &str) -> f64 {
    let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

fn pids(wall: &Wall) {
    let script = "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done; wait; echo all";
    let ended = wall.shell(&["--pids", "20"], script);
    if is_refused(wall, "--pids", &ended) {
        return;
    }
    assert!(
        !ended.text().contains("all") || ended.errors.contains("fork"),
        "{ended:?}"
    );
}

fn read_only(wall: &Wall) {
    let script =
        "touch /srv/x 2>/dev/null && echo root; touch /tmp/x && touch /run/x && echo private";
    assert_eq!(wall.prints(&["--read-only"], script), "private");
}

fn tmp(wall: &Wall) {
    assert_eq!(
        wall.prints(&[], "ls -A /tmp; touch /tmp/x && stat -c %a /tmp"),
        "1777"
    );
}

fn changes_go(wall: &Wall) {
    assert_eq!(
        wall.prints(&[], "echo changed > /etc/motd; cat /etc/motd"),
        "changed"
    );
    assert_eq!(wall.prints(&[], "cat /etc/motd"), "as imported");
}

fn changes_stay(wall: &Wall) {
    let keep = format!("kept-{}", wall.column());
    let options = ["--keep", &keep];
    if wall.is_rootless() {
        let ended = wall.shell(&options, "true");
        let is_said = ended
            .errors
            .contains("run as root, or use it behind --wall vm");
        return assert!(ended.status == 125 && is_said, "{ended:?}");
    }
    wall.prints(&options, "echo changed > /etc/motd; rm /srv/no-program");
    assert_eq!(wall.prints(&options, "cat /etc/motd; ls /srv"), "changed");
    let diff = wall.vmm().args(["diff", &keep]).output().unwrap();
    let diff = String::from_utf8(diff.stdout).unwrap();
    assert!(
        diff.contains("C /etc/motd") && diff.contains("D /srv/no-program"),
        "{diff}"
    );
    let removed = wall.vmm().args(["keep", "remove", &keep]).status().unwrap();
    assert!(removed.success());
}

fn network(wall: &Wall) {
    if !wall.is("process") {
        assert_eq!(wall.prints(&[], "ls /sys/class/net"), "lo");
    }
}

fn record(wall: &Wall) {
    let directory = wall.directory();
    let file = directory.path().join("record.json");
    let mut command = wall.run(&["--json", file.to_str().unwrap()]);
    command.args(["sh", "-c", "exit 3"]);
    assert_eq!(finish(command, b"").status, 3);
    let record: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(record["wall"], wall.name());
    assert_eq!(record["exit_status"], 3);
    assert!(
        record["image_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert!(
        record["kernel"]
            .as_str()
            .is_some_and(|kernel| !kernel.is_empty())
    );
}
