//! What takes another instance: it is there, works, and is missed when it has gone.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Test;
use crate::host::{Ended, Host, wait_until};

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "bytes_go_to_another_instance_of_the_same_wall_and_back",
        bytes_go_to_another_instance_of_the_same_wall_and_back,
    ),
    (
        "a_peer_that_is_killed_is_told_of_and_replaced",
        a_peer_that_is_killed_is_told_of_and_replaced,
    ),
];

fn bytes_go_to_another_instance_of_the_same_wall_and_back() {
    let host = Host::new();
    let what = ["--wall", "process,container", "--rounds", "2"];
    let only = ["--only", "channel-rtt,channel-throughput,getpid"];
    let files = ["--export", "json", "record"];
    let ended = host.run(&[&what[..], &only, &files].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let record = host.record("record");
    let samples = record.iter().filter_map(|entry| entry.get("sample"));
    let measured = samples.filter(|sample| sample["outcome"]["measured"]["cpu_ns"].is_u64());
    // Two walls and the control, three workloads, two rounds and one to warm up.
    assert_eq!(measured.count(), 3 * 3 * 3, "{ended:?}");
    expect_nothing(&host);
}

fn a_peer_that_is_killed_is_told_of_and_replaced() {
    let host = Host::new();
    let what = ["--wall", "process", "--no-control", "--only", "channel-rtt"];
    let long = ["--rounds", "100000", "--time-budget", "1h"];
    let record = ["--export", "json", "record"];
    let bench = host.start(&[&what[..], &long, &record].concat(), "round 1 done");
    kill_process(peer(&host), Signal::KILL).unwrap();
    wait_until("another peer serves", || {
        let mut outcomes = outcomes(&host).into_iter();
        outcomes.any(|outcome| outcome["failed"].is_string())
            && outcomes.any(|outcome| outcome["measured"].is_object())
    });
    kill_process(Pid::from_child(&bench), Signal::INT).unwrap();
    let ended = Ended::wait(bench);
    assert_eq!(ended.status, Some(130), "{ended:?}");
    expect_nothing(&host);
}

/// The `vmm run` of the peer.
fn peer(host: &Host) -> Pid {
    let names = host.names("run/instances");
    let name = names.iter().find(|name| name.ends_with("-peer")).unwrap();
    let run = |words: &[u8]| {
        let mut words = words.split(|byte| *byte == 0);
        words.any(|word| word == b"run") && words.any(|word| word == name.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut runs = numbers.filter(|number: &i32| {
        let words = std::fs::read(format!("/proc/{number}/cmdline"));
        run(&words.unwrap_or_default())
    });
    Pid::from_raw(runs.next().unwrap()).unwrap()
}

/// What came of each run so far; the last line may still be written.
fn outcomes(host: &Host) -> Vec<Value> {
    let text = std::fs::read_to_string(host.path("record")).unwrap_or_default();
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let outcome = |entry: Value| Some(entry.get("sample")?["outcome"].clone());
    entries.filter_map(outcome).collect()
}

/// Neither process, nor instance, nor channel, nor keep.
fn expect_nothing(host: &Host) {
    assert_eq!(host.processes(), 0);
    for directory in ["run/instances", "run/channels", "store/keeps"] {
        assert_eq!(host.names(directory), [""; 0], "{directory}");
    }
}
